/** A generation that a build opened past another build's is sealed, or a newer one is, whoever dies in between. */
import { FoldCoordinator } from '../../consumer/lake/fold/coordinator';
import { LeaderLock } from '../../consumer/lake/fold/leader-lock';
import { InProcessFoldRunner } from '../../consumer/lake/fold/runner';
import { FoldTaskWorker } from '../../consumer/lake/fold/tasks';
import { MemoryBudget } from '../../consumer/lake/memory-budget';
import { TelemetryProcessor } from '../../consumer/telemetry-processor';
import { manifestKey } from '../../lib/contracts/lake-layout';
import { PARTITION_SK, partitionPk, type PartitionItem } from '../../lib/contracts/registry';
import { MemoryObjects, MemoryRegistry, RequestLost, type FaultHook } from './support/memory-stores';
import { VirtualClock } from './support/simulation';
import { BASE, enveloped, HOUR, limits, schemas, testUseCase } from './support/telemetry';

const hour = { useCase: testUseCase.name, dt: '2026-03-04', hour: '00' };

class Bench {
  readonly registry = new MemoryRegistry();
  readonly objects = new MemoryObjects();
  readonly clock = new VirtualClock();
  readonly metrics: string[] = [];

  /** Readings of the hour are committed, and the hour may be folded. */
  async publish(readings = 1): Promise<void> {
    const processor = new TelemetryProcessor({
      ...this.shared('build-1'),
      uuid: () => `id${this.registry.requests}`,
      budget: new MemoryBudget(1e9),
      flushBytes: 1,
      flushInterval: 1000,
      schemas,
      limits,
      initialPosition: 'TRIM_HORIZON',
      retention: () => undefined,
    });
    await processor.initialize({
      shard: {
        shardId: 'shardId-000000000000',
        parentShardIds: [],
        startingHashKey: '0',
        endingHashKey: String(2n ** 128n - 1n),
      },
      checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
      fence: { leaseCounter: 1, remaining: () => 1 },
    });
    const checkpointer = {
      checkpoint: async () => undefined,
      prepareCheckpoint: async () => ({ commit: async () => undefined }),
    };
    const atTip = { millisBehindLatest: 0, atTip: true, checkpointer };
    const records = Array.from({ length: readings }, (_, at) =>
      enveloped({ timestamp: BASE + 1000 + at, temperature: 1 }, { sequence: at + 1, arrival: BASE + HOUR }),
    );
    await processor.processRecords({ ...atTip, records, serviceTime: BASE + HOUR });
    await processor.processRecords({ ...atTip, records: [], serviceTime: BASE + 9 * HOUR });
  }

  /** A worker of the build, with the faults that end it, looks once. */
  async tick(codeVersion: string, fault: FaultHook = () => undefined): Promise<void> {
    await this.coordinator(codeVersion, { fault }).tick();
  }

  coordinator(codeVersion: string, options: { fault?: FaultHook; rowsPerBucket?: number } = {}): FoldCoordinator {
    const registry = new MemoryRegistry(this.registry.table, options.fault);
    const lock = new LeaderLock(registry, this.clock, 'w', 1e9);
    return new FoldCoordinator({ ...this.shared(codeVersion), ...options, registry, lock, useCases: [testUseCase] });
  }

  shared(codeVersion: string) {
    return {
      registry: this.registry,
      objects: this.objects,
      runner: new InProcessFoldRunner(this.objects, new Map([[testUseCase.name, testUseCase]])),
      clock: this.clock,
      log: () => undefined,
      metrics: (name: string) => void this.metrics.push(name),
      codeVersion,
      workerId: 'w',
    };
  }

  get generation(): number | undefined {
    const item = this.registry.table.get({ pk: partitionPk(hour), sk: PARTITION_SK });
    return (item as PartitionItem | undefined)?.generation;
  }

  get sortKeys(): string[] {
    return this.registry.table.query(partitionPk(hour), '').map(({ sk }) => sk.split('#')[0]!);
  }
}

/** The worker ends as it tells the registry of the seal. */
const dieBeforeRegistration: FaultHook = (operation, moment) => {
  if (operation === 'registry.transact' && moment === 'before') throw new RequestLost('worker ended');
};

/** Build 2 has published generation 2 and died, and build 1, late, has sealed generation 1 over it. */
async function orphan(): Promise<Bench> {
  const bench = new Bench();
  await bench.publish();
  await bench.tick('build-1', dieBeforeRegistration);
  await bench.tick('build-2', dieBeforeRegistration);
  expect(bench.objects.objects.has(manifestKey(hour, 2))).toBe(true);
  expect(bench.generation).toBeUndefined();
  return bench;
}

test.each([
  ['build-1', 3],
  ['build-2', 2],
  ['build-3', 3],
])('a manifest whose worker died unregistered is overtaken by %s with generation %d', async (build, generation) => {
  const bench = await orphan();
  await bench.tick('build-1');
  expect(bench.generation).toBe(1);
  await bench.tick(build);
  expect(bench.generation).toBe(generation);
  expect(bench.registry.table.unfolded.size).toBe(0);
  expect(bench.sortKeys).toEqual([PARTITION_SK, 'SEGMENT']);
});

test.each([0, 2])(
  'fold tasks of a generation that a newer one overtook, %d of them done, are removed',
  async (done) => {
    const bench = new Bench();
    await bench.publish(2);
    const leader = bench.coordinator('build-1', { rowsPerBucket: 1 });
    await leader.tick();
    const worker = new FoldTaskWorker(bench.shared('build-1'));
    for (let task = 0; task < done; task++) expect(await worker.runOne()).toBe(true);
    expect(bench.sortKeys).toEqual(['SEGMENT', 'SEGMENT', 'TASK', 'TASK']);

    // A seal that was sent before the tasks were made lands now.
    const pk = partitionPk(hour);
    const segments = bench.registry.table.query(pk, 'SEGMENT');
    await bench.registry.transact([
      { put: { pk, sk: PARTITION_SK, generation: 2 } },
      ...segments.map((segment) => ({ update: segment, remove: ['unfolded', 'unfoldedPartition'] })),
    ]);
    await leader.tick();
    await worker.runOne();
    expect(bench.sortKeys).toEqual([PARTITION_SK, 'SEGMENT', 'SEGMENT']);
  },
);
