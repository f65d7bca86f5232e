/** A stream, a lease table and workers in virtual time, watched by an observer that knows what must never happen. */
import {
  compareExtended,
  Sentinel,
  type ExtendedSequenceNumber,
} from '../../../consumer/kcl/common/extended-sequence-number';
import type { SchedulerConfigInput } from '../../../consumer/kcl/config';
import { actualOwner, isFinished, type Lease } from '../../../consumer/kcl/leases/lease';
import { isLeaseItem, leaseFromItem } from '../../../consumer/kcl/leases/lease-serializer';
import type { KinesisClientRecord, ShardRecordProcessor, StartingPosition } from '../../../consumer/kcl/processor';
import { Scheduler } from '../../../consumer/kcl/scheduler';
import { FakeTable, type Write } from './fake-dynamodb';
import { FakeStream } from './fake-stream';
import { seededRandom, VirtualTime } from './virtual-time';
import { WorkerHost } from './worker-host';

export interface Worker {
  readonly host: WorkerHost;
  readonly scheduler: Scheduler;
  readonly stopped: Promise<void>;
}

/** What a processor of the cluster may do besides recording what it gets. */
export interface Behaviour {
  /** Called before each batch is recorded; may throw or wait. */
  readonly onBatch?: (shardId: string, records: readonly KinesisClientRecord[], worker: WorkerHost) => Promise<void>;
  readonly start?: (shardId: string) => StartingPosition | undefined;
}

const position = (record: KinesisClientRecord): ExtendedSequenceNumber => ({
  sequenceNumber: record.sequenceNumber,
  subSequenceNumber: record.subSequenceNumber,
});
const show = (p: ExtendedSequenceNumber): string => `${p.sequenceNumber}.${p.subSequenceNumber}`;

export class Cluster {
  readonly time = new VirtualTime();
  readonly random: () => number;
  readonly table = new FakeTable();
  readonly stream: FakeStream;
  readonly workers: Worker[] = [];
  /** `<shard>/<sequence>.<sub>` of every record whose processing succeeded. */
  readonly processed = new Map<string, number>();
  /** By shard: the last position whose checkpoint a processor was told to be written. */
  private readonly confirmed = new Map<string, ExtendedSequenceNumber>();
  readonly calls: string[] = [];
  readonly violations: string[] = [];
  behaviour: Behaviour = {};

  constructor(
    seed = 1,
    shards = 2,
    private readonly config: Partial<SchedulerConfigInput> = {},
  ) {
    this.random = seededRandom(seed);
    this.stream = new FakeStream(() => this.time.now(), shards);
    this.table.onWrite = (write) => this.check(write);
  }

  leases(): Lease[] {
    return [...this.table.rows.values()].filter(isLeaseItem).map(leaseFromItem);
  }

  lease(shardId: string): Lease | undefined {
    const item = this.table.rows.get(shardId);
    return item && leaseFromItem(item);
  }

  owned(worker: Worker): Lease[] {
    return this.leases().filter((lease) => lease.leaseOwner === worker.host.name && !isFinished(lease));
  }

  start(name: string, config: Partial<SchedulerConfigInput> = {}): Worker {
    const host = new WorkerHost(name, this.time, this.random, this.table, this.stream);
    const scheduler = new Scheduler({
      config: {
        applicationName: 'app',
        streamName: 'stream',
        workerId: name,
        initialPosition: { type: 'TRIM_HORIZON' },
        ...this.config,
        ...config,
      },
      processorFactory: (shardId) => this.processor(shardId, host),
      dependencies: host.dependencies,
    });
    const stopped = scheduler.run();
    stopped.catch(() => undefined);
    const worker = { host, scheduler, stopped };
    this.workers.push(worker);
    return worker;
  }

  publish(count: number): void {
    for (let i = 0; i < count; i++) {
      const hashKey = BigInt(Math.floor(this.random() * 2 ** 32)) << 96n;
      this.stream.put(hashKey, Buffer.from([i & 0xff]));
    }
  }

  get published(): number {
    return this.stream.shards.reduce((sum, shard) => sum + shard.records.length, 0);
  }

  /** Every record processed, every closed shard at SHARD_END. */
  get complete(): boolean {
    return (
      this.processed.size === this.published &&
      this.stream.shards.every((shard) => {
        const lease = this.lease(shard.id);
        return shard.end === undefined ? lease !== undefined : lease === undefined || isFinished(lease);
      })
    );
  }

  private processor(shardId: string, host: WorkerHost): ShardRecordProcessor {
    let last: ExtendedSequenceNumber;
    const note = (call: string): void => void this.calls.push(`${host.name} ${shardId} ${call}`);
    return {
      initialize: async ({ checkpoint, shard }) => {
        note('initialize');
        const start = this.behaviour.start?.(shardId);
        last = start?.type === 'AFTER' ? start.position : checkpoint;
        const own = this.lease(shardId);
        if (own && actualOwner(own) === host.name && compareExtended(checkpoint, own.checkpoint) !== 0) {
          this.violations.push(
            `${host.name} ${shardId} begins after ${show(checkpoint)}, not after ${show(own.checkpoint)}`,
          );
        }
        for (const parent of shard.parentShardIds) {
          const row = this.lease(parent);
          if (row && !isFinished(row)) this.violations.push(`${shardId} began before its parent ${parent} ended`);
        }
        return start;
      },
      processRecords: async ({ records, checkpointer }) => {
        const row = this.lease(shardId);
        const first = records[0] && position(records[0]);
        const confirmed = this.confirmed.get(shardId);
        // Of what is given to the lease's owner: one whose lease was just stolen may get a batch that its thief has checkpointed.
        if (first && confirmed && row && actualOwner(row) === host.name && compareExtended(first, confirmed) <= 0) {
          this.violations.push(
            `${host.name} ${shardId}: ${show(first)} again, after the checkpoint ${show(confirmed)}`,
          );
        }
        await this.behaviour.onBatch?.(shardId, records, host);
        let at = last;
        for (const record of records) {
          if (compareExtended(position(record), at) <= 0) {
            this.violations.push(`${host.name} ${shardId}: ${show(position(record))} came after ${show(at)}`);
          }
          at = position(record);
          const key = `${shardId}/${show(at)}`;
          this.processed.set(key, (this.processed.get(key) ?? 0) + 1);
        }
        if (records.length > 0) await checkpointer.checkpoint();
        // A checkpoint that could not be written fails the batch: it comes again.
        last = at;
        this.confirmed.set(shardId, at);
      },
      leaseLost: async () => note('leaseLost'),
      shardEnded: async ({ checkpointer }) => {
        note('shardEnded');
        await checkpointer.checkpoint();
      },
      shutdownRequested: async ({ checkpointer }) => {
        note('shutdownRequested');
        await checkpointer.checkpoint();
      },
    };
  }

  /** What holds at every write of the lease table. */
  private check({ caller, key, before, after }: Write): void {
    if (!before || !after || !isLeaseItem(after)) return;
    const [old, row] = [leaseFromItem(before), leaseFromItem(after)];
    const moved = compareExtended(row.checkpoint, old.checkpoint);
    if (row.leaseCounter < old.leaseCounter) this.violations.push(`${key}: leaseCounter went back`);
    if (moved === 0) return;
    if (moved < 0) this.violations.push(`${key}: checkpoint went back from ${show(old.checkpoint)}`);
    const owner = actualOwner(old);
    if (owner !== caller) this.violations.push(`${key}: ${caller} checkpointed over ${owner}`);
    for (const record of this.stream.shard(key).records) {
      const at = { sequenceNumber: record.sequenceNumber, subSequenceNumber: 0 };
      if (compareExtended(at, row.checkpoint) > 0) break;
      if (!this.processed.has(`${key}/${show(at)}`)) {
        this.violations.push(`${key}: checkpoint ${show(row.checkpoint)} covers ${show(at)}, which nobody processed`);
      }
    }
    if (row.checkpoint.sequenceNumber === Sentinel.SHARD_END) {
      for (const child of this.stream.childrenOf(key)) {
        if (!this.lease(child.shardId))
          this.violations.push(`${key} ended before its child ${child.shardId} had a row`);
      }
    }
  }
}
