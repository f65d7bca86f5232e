/** Mirrors KCL's FanOutRecordsPublisherTest, and the rules that KCL's users found missing (stalls, ResourceInUse loops). */
import fc from 'fast-check';
import { noMetrics } from '../../../../consumer/kcl/adapters/system';
import type { KinesisApi } from '../../../../consumer/kcl/dependencies';
import type { StartingPosition } from '../../../../consumer/kcl/processor';
import {
  FanOutRecordsPublisher,
  type FanOutPublisherOptions,
} from '../../../../consumer/kcl/retrieval/fanout/fan-out-records-publisher';
import { SubscriptionPacer } from '../../../../consumer/kcl/retrieval/fanout/subscription-pacer';
import { MemoryBudget } from '../../../../consumer/kcl/retrieval/memory-budget';
import type { RetrievedBatch } from '../../../../consumer/kcl/retrieval/records-publisher';
import { ShardDetector } from '../../../../consumer/kcl/shards/shard-detector';
import { serviceError } from '../../support/fake-dynamodb';
import { FakeStream } from '../../support/fake-stream';
import { seededRandom, VirtualTime } from '../../support/virtual-time';
import { FakeFanOut } from './fake-fan-out';

const FAILOVER = 10_000;
const INACTIVITY = 30_000;
const FROM_START: StartingPosition = { type: 'TRIM_HORIZON' };

function setup(options: Partial<FanOutPublisherOptions> = {}, seed = 1) {
  const time = new VirtualTime();
  const stream = new FakeStream(() => time.now(), 1);
  const shardId = stream.shards[0]!.id;
  const fanOut = new FakeFanOut(time, stream);
  const logged: string[] = [];
  let progress = 0;
  const kinesis = { listShards: async () => ({ shards: stream.listShards(undefined) }) } as unknown as KinesisApi;
  const publisher = new FanOutRecordsPublisher({
    fanOut,
    consumerArn: 'arn',
    shardId,
    pacer: new SubscriptionPacer(FAILOVER, seededRandom(seed)),
    budget: new MemoryBudget(10_000),
    shardDetector: new ShardDetector({
      kinesis,
      clock: time,
      log: () => undefined,
      streamName: 's',
      requestTimeout: 1_000,
      maxAttempts: 2,
      backoff: 10,
    }),
    clock: time,
    log: (_level, event) => void logged.push(event),
    metrics: noMetrics,
    inactivityTimeout: INACTIVITY,
    onProgress: () => progress++,
    ...options,
  });
  const put = (count: number, bytes = 1): string[] =>
    Array.from({ length: count }, () => stream.put(0n, Buffer.alloc(bytes)).sequenceNumber);
  const signal = new AbortController();
  const next = () => time.settle(publisher.next(signal.signal));
  const got: string[] = [];
  let last: RetrievedBatch | undefined;
  /** A consumer that takes a while for each batch, until the end of the shard. */
  const consume = async (millis = 0): Promise<void> => {
    for (;;) {
      const batch = await publisher.next(signal.signal);
      if (!batch) return;
      await time.sleep(millis);
      got.push(...batch.records.map((record) => record.sequenceNumber));
      last = batch;
      publisher.release(batch);
      if (batch.childShards) return;
    }
  };
  const errors = () => fanOut.calls.map(({ error }) => error).filter((error) => error !== undefined);
  return {
    ...{ time, stream, shardId, fanOut, logged, publisher, put, signal, next, got, consume, errors },
    progress: () => progress,
    last: () => last!,
  };
}

test('batches in order, with the lag and the time that is certain', async () => {
  const { time, publisher, put, next, signal } = setup();
  const published = put(4);
  publisher.start(FROM_START);
  await time.run(60_000);
  const began = Math.floor(time.now() / 1_000) * 1_000 - 60_000;
  const first = (await next())!;
  expect(first.records.map(({ sequenceNumber }) => sequenceNumber)).toEqual(published.slice(0, 3));
  expect(first).toMatchObject({ bytes: 3, atTip: false, serviceTime: began });
  expect(first.millisBehindLatest).toBeGreaterThan(0);
  publisher.release(first);
  const second = (await next())!;
  expect(second).toMatchObject({ bytes: 1, atTip: true, millisBehindLatest: 0, serviceTime: began });
  signal.abort();
  expect(await next()).toBeUndefined();
  publisher.stop();
});

test('begins AT the checkpoint, which may be in the middle of an aggregate', async () => {
  const { time, publisher, put, fanOut } = setup();
  const [sequenceNumber] = put(1) as [string];
  publisher.start({ type: 'AFTER', position: { sequenceNumber, subSequenceNumber: 3 } });
  await time.run(10);
  expect(fanOut.calls[0]!.position).toEqual({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber });
  publisher.stop();
});

test('a demand of one: the next event is asked for when the one before was taken, however long that takes', async () => {
  const { time, publisher, put, fanOut, next, logged } = setup();
  const published = put(9);
  publisher.start(FROM_START);
  await time.run(280_000);
  expect(fanOut.pulls).toBe(1);
  const first = (await next())!;
  await time.run(1_000);
  expect(fanOut.pulls).toBe(2);
  const rest = [(await next())!, (await next())!];
  expect([first, ...rest].flatMap(({ records }) => records.map(({ sequenceNumber }) => sequenceNumber))).toEqual(
    published,
  );
  // A consumer that takes its time is no silent subscription.
  expect(logged).toEqual([]);
  expect(fanOut.calls).toHaveLength(1);
  publisher.stop();
});

test('no more than the memory budget is accepted; released memory lets the next event in', async () => {
  const budget = new MemoryBudget(250);
  const { time, publisher, put, next } = setup({ budget });
  put(9, 50);
  publisher.start(FROM_START);
  const first = (await next())!;
  const waiting = publisher.next(new AbortController().signal);
  let came = false;
  void waiting.then(() => (came = true));
  await time.run(60_000);
  expect(came).toBe(false);
  expect(budget.bytesInUse).toBe(150);
  publisher.release(first);
  await time.run(1);
  expect(came).toBe(true);
  publisher.stop();
  expect(budget.bytesInUse).toBe(0);
});

test('stop frees the memory, ends the wait and the subscription', async () => {
  const budget = new MemoryBudget(10_000);
  const { time, publisher, put, fanOut, next } = setup({ budget });
  put(6);
  publisher.start(FROM_START);
  await next();
  await time.run(100);
  expect(budget.bytesInUse).toBe(6);
  publisher.stop();
  expect(budget.bytesInUse).toBe(0);
  expect(await next()).toBeUndefined();
  const { pulls } = fanOut;
  await time.run(600_000);
  expect(fanOut.calls).toHaveLength(1);
  expect(fanOut.pulls).toBe(pulls);
});

test('a subscription ends after five minutes: the next one goes on after the last event, at once', async () => {
  const { time, publisher, put, fanOut, got, consume, errors } = setup();
  publisher.start(FROM_START);
  void consume();
  const published: string[] = [];
  for (let minute = 0; minute < 60; minute++) {
    published.push(...put(7));
    await time.run(60_000);
  }
  expect(got).toEqual(published);
  expect(errors()).toEqual([]);
  expect(fanOut.calls.length).toBeGreaterThanOrEqual(11);
  expect(fanOut.calls.length).toBeLessThanOrEqual(13);
  for (const { position } of fanOut.calls.slice(1)) expect(position.type).toBe('AFTER_SEQUENCE_NUMBER');
  publisher.stop();
});

test('however subscriptions break, nothing is lost or repeated, and no call breaks the service’s rules', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = seededRandom(seed);
      const world = setup({}, seed);
      const { time, stream, shardId, publisher, put, fanOut, got, consume } = world;
      const injected = ['InternalFailureException', 'ResourceInUseException', 'TimeoutError', 'LimitExceededException'];
      const fault = () => serviceError(injected[Math.floor(random() * injected.length)]!);
      let calls = 0;
      fanOut.onCall = async () => {
        if (random() < 0.2) throw fault();
        calls++;
      };
      fanOut.onEvent = async (event) => {
        const fate = random();
        if (fate < 0.1) throw fault();
        if (fate < 0.13) await new Promise(() => undefined);
        return event;
      };
      publisher.start(FROM_START);
      const consumed = consume(random() * 2_000);
      const published: string[] = [];
      for (let step = 0; step < 20; step++) {
        published.push(...put(Math.floor(random() * 5)));
        await time.run(random() * 60_000);
      }
      stream.split(shardId);
      await time.settle(consumed, 7_200_000);
      expect(got).toEqual(published);
      expect(world.last().childShards).toHaveLength(2);
      // Calls that reached the rules all passed them.
      expect(fanOut.calls.filter(({ error }) => error === undefined)).toHaveLength(calls);
      publisher.stop();
    }),
    { numRuns: 40 },
  );
});

test('a silent subscription is given up and reading resumes after the last accepted event; what it sends afterwards is ignored (FanOutRecordsPublisherTest, ShardConsumerSubscriberTest)', async () => {
  const { time, publisher, put, fanOut, got, consume, progress } = setup();
  const published = put(6);
  let late: () => void = () => undefined;
  let events = 0;
  fanOut.onEvent = (event) =>
    ++events === 2 ? new Promise((resolve) => (late = () => resolve(event))) : Promise.resolve(event);
  publisher.start(FROM_START);
  void consume();
  await time.run(INACTIVITY - 100);
  expect(got).toEqual(published.slice(0, 3));
  expect(progress()).toBe(1);
  expect(fanOut.calls).toHaveLength(1);
  await time.run(5_000);
  expect(fanOut.calls).toHaveLength(2);
  late();
  await time.run(20_000);
  expect(got).toEqual(published);
  publisher.stop();
});

test('a subscription that is not answered is given up and tried again (FanOutRecordsPublisherTest)', async () => {
  const { time, publisher, put, fanOut, got, consume } = setup();
  const published = put(1);
  let calls = 0;
  fanOut.onCall = () => (calls++ === 0 ? new Promise(() => undefined) : Promise.resolve());
  publisher.start(FROM_START);
  void consume();
  await time.run(INACTIVITY + 1_100);
  expect(got).toEqual(published);
  publisher.stop();
});

describe('ResourceInUseException', () => {
  test('at the call: another subscription began just now; it is taken over when the service allows it', async () => {
    const { time, shardId, publisher, put, fanOut, got, consume, errors } = setup();
    const published = put(1);
    const other = await fanOut.subscribeToShard({ shardId, position: FROM_START }, new AbortController().signal);
    await time.run(1_500);
    publisher.start(FROM_START);
    void consume();
    await time.run(8_000);
    expect(got).toEqual(published);
    expect(errors()).toEqual(['ResourceInUseException']);
    await other.events.next();
    await expect(time.settle(other.events.next())).rejects.toMatchObject({ name: 'ResourceInUseException' });
    publisher.stop();
  });

  test('in the stream: the place is left to the other for a failover time, in which a lost lease is noticed', async () => {
    const { time, shardId, publisher, fanOut, consume } = setup();
    publisher.start(FROM_START);
    void consume();
    await time.run(6_000);
    await fanOut.subscribeToShard({ shardId, position: FROM_START }, new AbortController().signal);
    await time.run(FAILOVER);
    expect(fanOut.calls).toHaveLength(2);
    // The lease is this worker's all the same: then the other one is what has lost it.
    await time.run(2_000);
    expect(fanOut.calls).toHaveLength(3);
    publisher.stop();
  });
});

describe('the end of the shard', () => {
  test('comes with its children after all records, and ends the reading', async () => {
    const { time, stream, shardId, publisher, put, fanOut, got, consume, last } = setup();
    const published = put(4);
    publisher.start(FROM_START);
    const consumed = consume();
    await time.run(1_000);
    stream.split(shardId);
    await time.settle(consumed);
    expect(got).toEqual(published);
    expect(last().childShards!.map(({ parentShards }) => parentShards)).toEqual([[shardId], [shardId]]);
    await time.run(600_000);
    expect(fanOut.calls).toHaveLength(1);
  });

  test('without children is not believed before ListShards shows them, and its records are not lost', async () => {
    const { time, stream, shardId, publisher, put, fanOut, got, consume, last, logged } = setup();
    const published = put(2);
    fanOut.onEvent = async ({ records, millisBehindLatest }) => ({ records, millisBehindLatest, childShards: [] });
    publisher.start(FROM_START);
    const consumed = consume();
    await time.run(20_000);
    expect(got).toEqual([]);
    expect(logged).toContain('a subscription to the shard broke off');
    stream.split(shardId);
    await time.settle(consumed);
    expect(got).toEqual(published);
    expect(last().childShards).toHaveLength(2);
  });

  test('a shard that is gone from the stream has ended (FanOutRecordsPublisherTest)', async () => {
    const { time, stream, shardId, publisher, consume, last } = setup();
    stream.split(shardId);
    stream.expire(shardId);
    publisher.start(FROM_START);
    await time.settle(consume());
    expect(last()).toMatchObject({ records: [], atTip: false });
    expect(last().childShards).toHaveLength(2);
  });

  test('a consumer that is gone is no end: calls go on, further and further apart, without a sign of life', async () => {
    const { time, publisher, fanOut, progress, consume } = setup();
    fanOut.onCall = () => Promise.reject(serviceError('ResourceNotFoundException'));
    publisher.start(FROM_START);
    void consume();
    await time.run(300_000);
    expect(progress()).toBe(0);
    expect(fanOut.calls.length).toBeGreaterThan(8);
    expect(fanOut.calls.length).toBeLessThan(30);
    publisher.stop();
  });
});
