/** A lake in memory, filled and folded by the production code, as the operators' tools find one. */
import { FoldCoordinator } from '../../../consumer/lake/fold/coordinator';
import { LeaderLock } from '../../../consumer/lake/fold/leader-lock';
import { InProcessFoldRunner } from '../../../consumer/lake/fold/runner';
import { MemoryBudget } from '../../../consumer/lake/memory-budget';
import { TelemetryProcessor } from '../../../consumer/telemetry-processor';
import type { KinesisClientRecord } from '../../../consumer/kcl/processor';
import type { UseCase } from '../../../use-cases/define-use-case';
import type { Lake } from '../../../operations/lake';
import type { ListedShard } from '../../../operations/rebuild-registry';
import { MemoryObjects, MemoryRegistry, MemoryTable } from '../../lake/support/memory-stores';
import { VirtualClock } from '../../lake/support/simulation';
import { BASE, enveloped, HOUR, limits, schemas, testUseCase } from '../../lake/support/telemetry';

const HALF = 2n ** 127n;

/** Two shards that cover the key space. */
export const SHARDS: readonly ListedShard[] = [
  { shardId: 'shardId-000000000000', startingHashKey: '0', endingHashKey: String(HALF - 1n), parentShardIds: [] },
  {
    shardId: 'shardId-000000000001',
    startingHashKey: String(HALF),
    endingHashKey: String(HALF * 2n - 1n),
    parentShardIds: [],
  },
];

export class LakeBench implements Lake {
  table = new MemoryTable();
  registry = new MemoryRegistry(this.table);
  readonly objects = new MemoryObjects();
  readonly listing = { list: (prefix: string) => this.list(prefix) };
  readonly clock = new VirtualClock();
  private sequence = 1;
  private ids = 0;

  private async *list(prefix: string): AsyncGenerator<{ key: string; bytes: number }> {
    for (const key of this.objects.keys(prefix)) yield { key, bytes: this.objects.objects.get(key)!.body.length };
  }

  /** The table is lost. */
  loseRegistry(): void {
    this.table = new MemoryTable();
    this.registry = new MemoryRegistry(this.table);
  }

  private shared(codeVersion: string) {
    const { registry, objects, clock } = this;
    return { registry, objects, clock, codeVersion, workerId: 'w', log: () => undefined, metrics: () => undefined };
  }

  record(payload: string | object, device: string, arrival: number): KinesisClientRecord {
    return enveloped(payload, { sequence: this.sequence++, device, arrival });
  }

  /** Appends the records to a shard, one commit for each, and says that nothing follows until `time`. */
  async append(shard: ListedShard, records: readonly KinesisClientRecord[], time: number): Promise<void> {
    const processor = new TelemetryProcessor({
      ...this.shared('build-1'),
      uuid: () => `id${this.ids++}`,
      budget: new MemoryBudget(1e9),
      flushBytes: 1,
      flushInterval: 1000,
      schemas,
      limits,
      initialPosition: 'TRIM_HORIZON',
      retention: () => undefined,
    });
    const checkpointer = {
      checkpoint: async () => undefined,
      prepareCheckpoint: async () => ({ commit: async () => undefined }),
    };
    const input = { millisBehindLatest: 0, serviceTime: time, atTip: true, checkpointer };
    await processor.initialize({
      shard,
      checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
      fence: { leaseCounter: 1, remaining: () => 1 },
    });
    await processor.processRecords({ ...input, records });
    await processor.processRecords({ ...input, records: [] });
  }

  /** Folds all that may fold. */
  async fold(codeVersion = 'build-1', useCase: UseCase = testUseCase): Promise<void> {
    const coordinator = new FoldCoordinator({
      ...this.shared(codeVersion),
      runner: new InProcessFoldRunner(this.objects, new Map([[useCase.name, useCase]])),
      lock: new LeaderLock(this.registry, this.clock, 'w', 1e9),
      useCases: [useCase],
    });
    for (let tick = 0; tick < 4; tick++) await coordinator.tick();
  }

  /** Two hours of readings of four devices on two shards, a duplicate and a malformed payload; both hours sealed. */
  static async sealed(): Promise<LakeBench> {
    const bench = new LakeBench();
    for (const [at, shard] of SHARDS.entries()) {
      const records = Array.from({ length: 12 }, (_, index) => {
        const reading = { timestamp: BASE + index * 9 * 60_000, temperature: 20 + index, messageId: `m${index}` };
        return bench.record(reading, `sensor-${at}-${index % 2}`, BASE + index * 9 * 60_000 + 1000);
      });
      const again = { timestamp: BASE, temperature: 20, messageId: 'm0' };
      records.push(bench.record(again, `sensor-${at}-0`, BASE + 2 * HOUR));
      records.push(bench.record('{"temperature": 1', `sensor-${at}-1`, BASE + 2 * HOUR));
      await bench.append(shard, records, BASE + 6 * HOUR);
    }
    await bench.fold();
    return bench;
  }
}
