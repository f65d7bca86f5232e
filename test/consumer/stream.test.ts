import { CreateStreamCommand, DeleteStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { describeStream, joinLake } from '../../consumer/stream';
import { systemClock } from '../../local/gateway/service';
import { KinesisEngine } from '../../local/services/kinesis/engine';
import { MemoryRegistry } from '../lake/support/memory-stores';
import { wiredStores, type WiredStores } from '../lake/support/wire';

let stores: WiredStores;
let kinesis: KinesisClient;
let now: number;
beforeEach(async () => {
  now = Date.UTC(2026, 10, 23);
  stores = await wiredStores();
  stores.gateway.add(new KinesisEngine({ clock: { ...systemClock, now: () => now } }));
  kinesis = new KinesisClient(stores.client);
  await kinesis.send(new CreateStreamCommand({ StreamName: 'telemetry', ShardCount: 1 }));
});
afterEach(async () => {
  kinesis.destroy();
  await stores.close();
});

const sleeps: number[] = [];
const clock = { now: () => now, monotonic: () => now, sleep: async (ms: number) => void sleeps.push(ms) };
const logged: string[] = [];
const log = (_level: string, event: string): void => void logged.push(event);
const join = (registry = new MemoryRegistry(), streamName = 'telemetry'): Promise<void> =>
  joinLake({ registry, kinesis, streamName, clock, log });

test('a stream is described by its ARN, the time of its creation, and its retention', async () => {
  expect(await describeStream(kinesis, 'telemetry')).toEqual({
    streamArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/telemetry',
    streamCreated: now,
    retention: 24 * 3_600_000,
  });
});

test('the first worker binds the lake to its stream; others join; another stream is refused', async () => {
  const registry = new MemoryRegistry();
  await join(registry);
  await join(registry);
  await kinesis.send(new CreateStreamCommand({ StreamName: 'other', ShardCount: 1 }));
  await expect(join(registry, 'other')).rejects.toThrow(/stream\/telemetry, created .*stream\/other, created /);
  await join(registry);
});

test('a stream that was made anew under its name is refused: its shards only look like the ones before', async () => {
  const registry = new MemoryRegistry();
  await join(registry);
  await kinesis.send(new DeleteStreamCommand({ StreamName: 'telemetry' }));
  now += 60_000;
  await kinesis.send(new CreateStreamCommand({ StreamName: 'telemetry', ShardCount: 1 }));
  await expect(join(registry)).rejects.toThrow(
    'the registry holds positions of arn:aws:kinesis:us-east-1:000000000000:stream/telemetry, created ' +
      '2026-11-23T00:00:00.000Z, and the consumer is to read ' +
      'arn:aws:kinesis:us-east-1:000000000000:stream/telemetry, created 2026-11-23T00:01:00.000Z; ' +
      'what that stream holds would be skipped. See "The stream was made anew" in docs/runbook.md',
  );
});

test('a service that cannot be reached is asked again, twenty times in all', async () => {
  const registry = new MemoryRegistry();
  const write = jest.spyOn(registry, 'write').mockRejectedValueOnce(new Error('throttled'));
  await join(registry);
  expect(write).toHaveBeenCalledTimes(2);
  expect(logged).toHaveLength(1);
  write.mockRejectedValue(new Error('down'));
  await expect(join(registry)).rejects.toThrow('down');
  expect(write).toHaveBeenCalledTimes(22);
  expect(sleeps.every((ms) => ms === 1_000)).toBe(true);
});
