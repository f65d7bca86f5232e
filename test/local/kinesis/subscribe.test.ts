import type { SubscribeToShardEvent } from '../../../local/services/kinesis/subscribe';
import { Harness, id } from './support';

const ARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/s';
const HALF = 2n ** 127n;

type Events = AsyncGenerator<SubscribeToShardEvent, void, void>;

async function start(): Promise<{
  harness: Harness;
  consumer: string;
  subscribe: (position: Record<string, unknown>) => Events;
}> {
  const harness = await Harness.start(1, { limits: 'reads-only' });
  const { Consumer } = await harness.call<{ Consumer: { ConsumerARN: string } }>('RegisterStreamConsumer', {
    StreamARN: ARN,
    ConsumerName: 'app',
  });
  const subscribe = (StartingPosition: Record<string, unknown>) =>
    harness.engine.subscribeToShard({ ConsumerARN: Consumer.ConsumerARN, ShardId: id(0), StartingPosition });
  return { harness, consumer: Consumer.ConsumerARN, subscribe };
}

/** The next event, while virtual time passes in steps of 100 ms. */
async function next(harness: Harness, events: Events): Promise<SubscribeToShardEvent | 'ended'> {
  let done = false;
  const pending = events.next().finally(() => (done = true));
  pending.catch(() => undefined);
  for (let turn = 0; turn < 50 && !done; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!done) harness.clock.advance(100);
  }
  const result = await pending;
  return result.done === true ? 'ended' : result.value;
}

const payloads = (event: SubscribeToShardEvent | 'ended') =>
  event === 'ended' ? event : event.Records.map((record) => Buffer.from(String(record['Data']), 'base64').toString());

describe('SubscribeToShard', () => {
  test('sends what is there, then what arrives, and a sign of life each second', async () => {
    const { harness, subscribe } = await start();
    await harness.put('a');
    const events = subscribe({ Type: 'TRIM_HORIZON' });
    expect(payloads(await next(harness, events))).toEqual(['a']);
    const idle = await next(harness, events);
    expect(idle).toMatchObject({ Records: [], MillisBehindLatest: 0 });
    const pending = events.next();
    await new Promise((resolve) => setImmediate(resolve));
    await harness.put('b');
    // Pushed at once: no virtual time passes here.
    expect(payloads((await pending).value as SubscribeToShardEvent)).toEqual(['b']);
    await events.return();
  });

  test('a new subscription after the continuation sequence number repeats nothing', async () => {
    const { harness, subscribe } = await start();
    const first = subscribe({ Type: 'LATEST' });
    const empty = await next(harness, first);
    await harness.put('a');
    const event = await next(harness, first);
    expect(payloads(event)).toEqual(['a']);
    await first.return();
    for (const [from, expected] of [
      [empty, ['a', 'b']],
      [event, ['b']],
    ] as const) {
      harness.clock.advance(5_000);
      if (from === empty) await harness.put('b');
      const events = subscribe({
        Type: 'AFTER_SEQUENCE_NUMBER',
        SequenceNumber: (from as SubscribeToShardEvent).ContinuationSequenceNumber,
      });
      expect(payloads(await next(harness, events))).toEqual(expected);
      await events.return();
    }
  });

  test('ends with the children at the end of the shard', async () => {
    const { harness, subscribe } = await start();
    await harness.put('a');
    const events = subscribe({ Type: 'LATEST' });
    await next(harness, events);
    await harness.split(0, HALF);
    const last = await next(harness, events);
    expect(last).toMatchObject({
      Records: [],
      ChildShards: [{ ShardId: id(1), ParentShards: [id(0)] }, { ShardId: id(2) }],
    });
    expect(last).not.toHaveProperty('ContinuationSequenceNumber');
    expect(await next(harness, events)).toBe('ended');
  });

  test('ends after five minutes', async () => {
    const { harness, subscribe } = await start();
    const began = harness.clock.now();
    const events = subscribe({ Type: 'LATEST' });
    while ((await next(harness, events)) !== 'ended') expect(harness.clock.now() - began).toBeLessThanOrEqual(300_100);
    expect(harness.clock.now() - began).toBeGreaterThanOrEqual(300_000);
  });

  test('one call a second; taken over after five seconds, not before', async () => {
    const { harness, subscribe } = await start();
    const first = subscribe({ Type: 'LATEST' });
    await next(harness, first);
    expect(() => subscribe({ Type: 'LATEST' })).toThrow(
      expect.objectContaining({ code: 'LimitExceededException' }) as Error,
    );
    harness.clock.advance(1_000);
    expect(() => subscribe({ Type: 'LATEST' })).toThrow(
      expect.objectContaining({ code: 'ResourceInUseException' }) as Error,
    );
    harness.clock.advance(4_000);
    const second = subscribe({ Type: 'LATEST' });
    await expect(next(harness, first)).rejects.toMatchObject({ code: 'ResourceInUseException' });
    await harness.put('a');
    expect(payloads(await next(harness, second))).toEqual(['a']);
    await second.return();
  });

  test('reads at most 2 MiB a second', async () => {
    const { harness, subscribe } = await start();
    const Data = Buffer.alloc((1 << 20) - 1).toString('base64');
    for (let index = 0; index < 5; index++)
      await harness.call('PutRecord', { StreamName: 's', PartitionKey: 'k', Data });
    const began = harness.clock.now();
    const events = subscribe({ Type: 'TRIM_HORIZON' });
    for (let index = 0; index < 5; index++)
      expect(((await next(harness, events)) as SubscribeToShardEvent).Records).toHaveLength(1);
    expect(harness.clock.now() - began).toBeGreaterThanOrEqual(1_990);
    await events.return();
  });

  test('an unknown consumer or shard is refused at the call', async () => {
    const { harness, consumer } = await start();
    const StartingPosition = { Type: 'LATEST' };
    expect(() =>
      harness.engine.subscribeToShard({ ConsumerARN: `${consumer}1`, ShardId: id(0), StartingPosition }),
    ).toThrow(/not found/);
    expect(() => harness.engine.subscribeToShard({ ConsumerARN: consumer, ShardId: id(7), StartingPosition })).toThrow(
      /Could not find shard/,
    );
    expect(() => harness.engine.subscribeToShard({ ConsumerARN: 'app', ShardId: id(0), StartingPosition })).toThrow(
      /no.* ARN|not the ARN/,
    );
  });
});
