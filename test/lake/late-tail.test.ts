/** A late reading at the end of an hour changes the rolling features of the next hour, which is sealed already. */
import { FoldCoordinator } from '../../consumer/lake/fold/coordinator';
import { LeaderLock } from '../../consumer/lake/fold/leader-lock';
import { InProcessFoldRunner } from '../../consumer/lake/fold/runner';
import { MemoryBudget } from '../../consumer/lake/memory-budget';
import { readParquet } from '../../consumer/lake/parquet';
import { TelemetryProcessor } from '../../consumer/telemetry-processor';
import { partitionPk, type PartitionItem } from '../../lib/contracts/registry';
import { MemoryObjects, MemoryRegistry } from './support/memory-stores';
import { VirtualClock } from './support/simulation';
import { BASE, enveloped, HOUR, limits, schemas, testUseCase } from './support/telemetry';

test('the hour after a late reading is folded again, with it in its lookback, and then rests', async () => {
  const registry = new MemoryRegistry();
  const objects = new MemoryObjects();
  const clock = new VirtualClock();
  const shared = {
    registry,
    objects,
    clock,
    log: () => undefined,
    metrics: () => undefined,
    codeVersion: 'v',
    workerId: 'w',
  };
  const processor = new TelemetryProcessor({
    ...shared,
    uuid: () => `id${registry.requests}`,
    budget: new MemoryBudget(1e9),
    flushBytes: 1,
    flushInterval: 1000,
    schemas,
    limits,
    initialPosition: 'TRIM_HORIZON',
    retention: () => undefined,
  });
  const coordinator = new FoldCoordinator({
    ...shared,
    runner: new InProcessFoldRunner(objects, new Map([[testUseCase.name, testUseCase]])),
    lock: new LeaderLock(registry, clock, 'w', 1e9),
    useCases: [testUseCase],
  });
  const shard = {
    shardId: 'shardId-000000000000',
    parentShardIds: [],
    startingHashKey: '0',
    endingHashKey: String(2n ** 128n - 1n),
  };
  await processor.initialize({
    shard,
    checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
    fence: { leaseCounter: 1, remaining: () => 1 },
  });
  const checkpointer = {
    checkpoint: async () => undefined,
    prepareCheckpoint: async () => ({ commit: async () => undefined }),
  };
  let sequence = 1;
  const give = async (arrival: number, ...readings: { timestamp: number; temperature: number }[]): Promise<void> => {
    const records = readings.map((reading) => enveloped(reading, { sequence: sequence++, arrival }));
    await processor.processRecords({ records, millisBehindLatest: 0, serviceTime: arrival, atTip: true, checkpointer });
    const later = arrival + 30 * 60_000;
    await processor.processRecords({
      records: [],
      millisBehindLatest: 0,
      serviceTime: later,
      atTip: true,
      checkpointer,
    });
    for (let tick = 0; tick < 4; tick++) await coordinator.tick();
  };
  const partition = (hour: string): PartitionItem =>
    registry.table.get({
      pk: partitionPk({ useCase: 'test-case', dt: '2026-03-04', hour }),
      sk: 'PARTITION',
    }) as unknown as PartitionItem;
  const lookbackSum = async (): Promise<unknown> => {
    const { body } = objects.objects.get(partition('01').parts![0]!.key)!;
    return (await readParquet(body.slice().buffer as ArrayBuffer, ['lookback_sum'])).get('lookback_sum');
  };

  await give(
    BASE + 2 * HOUR,
    { timestamp: BASE + HOUR - 1000, temperature: 1 },
    { timestamp: BASE + HOUR + 1000, temperature: 10 },
  );
  expect([partition('00').generation, partition('01').generation]).toEqual([1, 1]);
  expect(await lookbackSum()).toEqual([11]);
  // Before the lookback's reach: the next hour is left alone.
  await give(BASE + 3 * HOUR, { timestamp: BASE + 1000, temperature: 5 });
  expect([partition('00').generation, partition('01').generation]).toEqual([2, 1]);
  await give(BASE + 4 * HOUR, { timestamp: BASE + HOUR - 2000, temperature: 100 });
  expect(partition('00').generation).toBe(3);
  // The mark waits out its own quiet period.
  await give(BASE + 5 * HOUR, { timestamp: BASE + 4 * HOUR, temperature: 0 });
  expect(partition('01').generation).toBe(2);
  expect(await lookbackSum()).toEqual([111]);
  await give(BASE + 7 * HOUR, { timestamp: BASE + 6 * HOUR, temperature: 0 });
  expect([partition('00').generation, partition('01').generation]).toEqual([3, 2]);
  expect(registry.table.unfolded.size).toBe(0);
});
