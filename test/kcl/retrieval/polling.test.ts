/** Mirrors KCL's KinesisDataFetcherTest and PrefetchRecordsPublisherTest. */
import type { GetRecordsResult, IteratorPosition, KinesisApi } from '../../../consumer/kcl/dependencies';
import { noMetrics } from '../../../consumer/kcl/adapters/system';
import { MAX_RESPONSE_BYTES, MemoryBudget } from '../../../consumer/kcl/retrieval/memory-budget';
import { KinesisDataFetcher } from '../../../consumer/kcl/retrieval/polling/data-fetcher';
import {
  PrefetchRecordsPublisher,
  type PrefetchOptions,
} from '../../../consumer/kcl/retrieval/polling/prefetch-records-publisher';
import { ReadPacer } from '../../../consumer/kcl/retrieval/polling/read-pacer';
import type { RetrievedBatch } from '../../../consumer/kcl/retrieval/records-publisher';
import type { StartingPosition } from '../../../consumer/kcl/processor';
import { ShardDetector } from '../../../consumer/kcl/shards/shard-detector';
import { serviceError } from '../support/fake-dynamodb';
import { FakeStream } from '../support/fake-stream';
import { seededRandom, VirtualTime } from '../support/virtual-time';

const AFTER = (sequenceNumber: string): StartingPosition => ({
  type: 'AFTER',
  position: { sequenceNumber, subSequenceNumber: 0 },
});

function setup(override: Partial<KinesisApi> = {}) {
  const time = new VirtualTime();
  const stream = new FakeStream(() => time.now(), 1);
  const shardId = stream.shards[0]!.id;
  const opened: IteratorPosition[] = [];
  const kinesis: KinesisApi = {
    listShards: async ({ filter }) => ({ shards: stream.listShards(filter) }),
    getShardIterator: async ({ shardId: id, position }) => {
      opened.push(position);
      return stream.getShardIterator(id, position);
    },
    getRecords: async ({ shardIterator, limit }) => stream.getRecords(shardIterator, limit),
    ...override,
  };
  const log = (): void => undefined;
  const common = { kinesis, clock: time, log, streamName: 's', requestTimeout: 1_000 };
  const shardDetector = new ShardDetector({ ...common, maxAttempts: 3, backoff: 10 });
  const fetcher = new KinesisDataFetcher({ ...common, shardDetector, shardId, maxRecords: 3 });
  const put = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => stream.put(0n, Buffer.from(`r${i}`)).sequenceNumber);
  return { time, stream, shardId, opened, kinesis, fetcher, put, shardDetector };
}

const numbers = (batch: RetrievedBatch): string[] => batch.records.map((record) => record.sequenceNumber);

describe('KinesisDataFetcher (KinesisDataFetcherTest)', () => {
  test('an expired iterator: reading resumes after the last sequence number, no gap, no repeat', async () => {
    const { time, fetcher, put, opened } = setup();
    const published = put(5);
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    const first = numbers(await time.settle(fetcher.getRecords()));
    await time.run(300_001);
    await expect(time.settle(fetcher.getRecords())).rejects.toMatchObject({ name: 'ExpiredIteratorException' });
    const second = numbers(await time.settle(fetcher.getRecords()));
    expect([...first, ...second]).toEqual(published);
    expect(opened).toEqual([{ type: 'TRIM_HORIZON' }, { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: published[2] }]);
  });

  test('an iterator that expired before the first record is opened at the start again', async () => {
    const { time, fetcher, put, opened } = setup();
    const timestamp = time.now();
    fetcher.initialize({ type: 'AT_TIMESTAMP', timestamp });
    expect(numbers(await time.settle(fetcher.getRecords()))).toEqual([]);
    await time.run(300_001);
    const published = put(1);
    await expect(time.settle(fetcher.getRecords())).rejects.toMatchObject({ name: 'ExpiredIteratorException' });
    expect(numbers(await time.settle(fetcher.getRecords()))).toEqual(published);
    expect(opened.at(-1)).toEqual({ type: 'AT_TIMESTAMP', timestamp });
  });

  test('a checkpoint is opened AT its record: it may be an aggregate read in part', async () => {
    const { time, fetcher, put } = setup();
    const published = put(3);
    fetcher.initialize(AFTER(published[1]!));
    expect(numbers(await time.settle(fetcher.getRecords()))).toEqual(published.slice(1));
  });

  test('tip and service time: only what the response proves', async () => {
    const { time, fetcher, put } = setup();
    put(4);
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    expect(await time.settle(fetcher.getRecords())).toMatchObject({ atTip: false });
    const atTip = await time.settle(fetcher.getRecords());
    expect(atTip).toMatchObject({ atTip: true, millisBehindLatest: 0 });
    expect(atTip.serviceTime).toBeLessThanOrEqual(time.now());
  });

  test('the round trip is taken off the Date header, which may be written after the read', async () => {
    const date = 1_700_000_000_000;
    const { time, fetcher } = setup({
      getRecords: async () => {
        await time.sleep(250);
        return { records: [], nextShardIterator: 'n', millisBehindLatest: 0, childShards: [], date };
      },
    });
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    expect((await time.settle(fetcher.getRecords())).serviceTime).toBe(date - 250);
  });

  test('the end of the shard comes with its children', async () => {
    const { time, fetcher, put, stream, shardId } = setup();
    put(2);
    stream.split(shardId);
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    const batch = await time.settle(fetcher.getRecords());
    expect(batch.records).toHaveLength(2);
    expect(batch.childShards!.map((child) => child.parentShards)).toEqual([[shardId], [shardId]]);
  });

  test('an end without child shards is not believed before ListShards shows them, and its records are not lost', async () => {
    let stripped: (iterator: string, limit: number) => GetRecordsResult = () => {
      throw new Error('unset');
    };
    const { time, fetcher, put, stream, shardId } = setup({
      getRecords: async ({ shardIterator, limit }) => stripped(shardIterator, limit),
    });
    const published = put(2);
    stripped = (iterator, limit) => {
      const { records, millisBehindLatest } = stream.getRecords(iterator, limit);
      return { records, millisBehindLatest, childShards: [] };
    };
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    await expect(time.settle(fetcher.getRecords())).rejects.toThrow(
      /neither the response nor ListShards names a child/,
    );
    stream.split(shardId);
    const batch = await time.settle(fetcher.getRecords());
    expect(numbers(batch)).toEqual(published);
    expect(batch.childShards).toHaveLength(2);
  });

  test('the shard is gone from the stream: its end. The stream is gone: an error', async () => {
    const { time, fetcher, stream, shardId } = setup();
    stream.split(shardId);
    stream.expire(shardId);
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    expect((await time.settle(fetcher.getRecords())).childShards).toHaveLength(2);

    const gone = setup({
      listShards: () => Promise.reject(serviceError('ResourceNotFoundException')),
      getShardIterator: () => Promise.reject(serviceError('ResourceNotFoundException')),
    });
    gone.fetcher.initialize({ type: 'TRIM_HORIZON' });
    await expect(gone.time.settle(gone.fetcher.getRecords())).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('a request that hangs is given up', async () => {
    const { time, fetcher } = setup({ getRecords: () => new Promise(() => undefined) });
    fetcher.initialize({ type: 'TRIM_HORIZON' });
    await expect(time.settle(fetcher.getRecords())).rejects.toThrow(/GetRecords gave no answer within 1000 ms/);
  });
});

describe('PrefetchRecordsPublisher (PrefetchRecordsPublisherTest)', () => {
  const batchOf = (count: number, bytes: number): RetrievedBatch => ({
    records: Array.from({ length: count }, (_, i) => ({
      sequenceNumber: String(i),
      partitionKey: 'k',
      data: new Uint8Array(0),
      approximateArrivalTimestamp: 0,
    })),
    bytes,
    millisBehindLatest: 5,
    serviceTime: undefined,
    atTip: false,
  });

  function publisher(read: () => Promise<RetrievedBatch>, options: Partial<PrefetchOptions> = {}) {
    const time = new VirtualTime();
    let reads = 0;
    const events: string[] = [];
    const made = new PrefetchRecordsPublisher({
      fetcher: { initialize: () => undefined, getRecords: () => (reads++, read()) },
      pacer: new ReadPacer(1_000, seededRandom(1)),
      budget: new MemoryBudget(64 * 1024 * 1024),
      clock: time,
      log: (_level, event) => void events.push(event),
      metrics: noMetrics,
      shardId: 's',
      maxBatches: 4,
      maxBytes: 8 * 1024 * 1024,
      maxRecords: 30_000,
      onProgress: () => undefined,
      ...options,
    });
    const signal = new AbortController();
    return { time, made, signal, events, reads: () => reads, next: () => time.settle(made.next(signal.signal)) };
  }

  test.each([
    ['batches', batchOf(1, 1), 4],
    ['bytes', batchOf(1, 5 * 1024 * 1024), 2],
    ['records', batchOf(15_000, 1), 2],
  ])('the queue full by %s: reading stops, and resumes with what is taken', async (_name, batch, most) => {
    const { time, made, reads, next } = publisher(async () => ({ ...batch }));
    made.start({ type: 'TRIM_HORIZON' });
    await time.run(60_000);
    expect(reads()).toBe(most);
    made.release((await next())!);
    await time.run(60_000);
    expect(reads()).toBe(most + 1);
    made.stop();
  });

  test('stop frees the memory of queued and delivered batches and ends a wait', async () => {
    const budget = new MemoryBudget(MAX_RESPONSE_BYTES);
    const { time, made, next, signal } = publisher(async () => batchOf(1, 1_000), { budget });
    made.start({ type: 'TRIM_HORIZON' });
    await time.run(1_000);
    await next();
    expect(budget.bytesInUse).toBeGreaterThan(0);
    made.stop();
    expect(await time.settle(made.next(signal.signal))).toBeUndefined();
    expect(budget.bytesInUse).toBe(0);
  });

  test('the signal ends a wait', async () => {
    const { time, made, signal } = publisher(() => new Promise(() => undefined));
    made.start({ type: 'TRIM_HORIZON' });
    const waiting = made.next(signal.signal);
    await time.run(10);
    signal.abort();
    expect(await time.settle(waiting)).toBeUndefined();
  });

  test('shards share the budget: what one holds the other cannot, and nobody waits for ever', async () => {
    const budget = new MemoryBudget(MAX_RESPONSE_BYTES);
    const full = batchOf(1, 6 * 1024 * 1024);
    const one = publisher(async () => ({ ...full }), { budget, maxBatches: 1 });
    one.made.start({ type: 'TRIM_HORIZON' });
    await one.time.run(10_000);
    const two = publisher(async () => ({ ...full }), { budget });
    two.made.start({ type: 'TRIM_HORIZON' });
    await two.time.run(10_000);
    expect([one.reads(), two.reads()]).toEqual([1, 0]);
    one.made.release((await one.next())!);
    await two.time.run(10_000);
    expect(two.reads()).toBe(1);
    expect(budget.bytesInUse).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
  });

  test('at most five reads a second behind the tip, the idle time at the tip, 2 MB a second', async () => {
    const behind = publisher(async () => batchOf(0, 0), { maxBatches: 1e9 });
    behind.made.start({ type: 'TRIM_HORIZON' });
    await behind.time.run(10_000);
    expect(behind.reads()).toBeGreaterThanOrEqual(49);
    expect(behind.reads()).toBeLessThanOrEqual(51);
    const tip = publisher(async () => ({ ...batchOf(0, 0), atTip: true }), { maxBatches: 1e9 });
    tip.made.start({ type: 'TRIM_HORIZON' });
    await tip.time.run(10_000);
    expect(tip.reads()).toBeLessThanOrEqual(11);
    const large = publisher(async () => batchOf(1, 4_000_000), { maxBytes: 1e12 });
    large.made.start({ type: 'TRIM_HORIZON' });
    await large.time.run(5_900);
    expect(large.reads()).toBe(3);
  });

  test('throttled reads are spaced out, and the pace recovers', async () => {
    let throttled = true;
    const { time, made, reads } = publisher(
      () =>
        throttled
          ? Promise.reject(serviceError('ProvisionedThroughputExceededException'))
          : Promise.resolve(batchOf(0, 0)),
      { maxBatches: 1e9 },
    );
    made.start({ type: 'TRIM_HORIZON' });
    await time.run(60_000);
    expect(reads()).toBeLessThan(20);
    throttled = false;
    await time.run(60_000);
    const before = reads();
    await time.run(10_000);
    expect(reads() - before).toBeGreaterThanOrEqual(45);
  });

  test('other failures are logged and tried again', async () => {
    let failures = 3;
    const { made, next, events } = publisher(() =>
      failures-- > 0 ? Promise.reject(new Error('socket')) : Promise.resolve(batchOf(1, 1)),
    );
    made.start({ type: 'TRIM_HORIZON' });
    expect((await next())!.records).toHaveLength(1);
    expect(events).toHaveLength(3);
  });
});

describe('MemoryBudget', () => {
  test('first come, first served; an abandoned wait lets the next one in', async () => {
    const budget = new MemoryBudget(100);
    const signal = new AbortController();
    const first = (await budget.reserve(80, signal.signal))!;
    const order: string[] = [];
    const gone = new AbortController();
    const big = budget.reserve(90, gone.signal).then((r) => order.push(r ? 'big' : 'gave up'));
    const small = budget.reserve(10, signal.signal).then(() => order.push('small'));
    await Promise.resolve();
    expect(order).toEqual([]);
    gone.abort();
    await Promise.all([big, small]);
    expect(order).toEqual(['gave up', 'small']);
    first.shrink(30);
    first.shrink(60);
    expect(budget.bytesInUse).toBe(40);
    first.release();
    first.release();
    expect(budget.bytesInUse).toBe(10);
  });
});
