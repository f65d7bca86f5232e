/**
 * What the models of KCL's fleets have in common, after KCL 3.5's source and its defaults: renewals every F/3 − 25 ms, one after the other's
 * answer; one scan at the start; reads that need not be consistent (`consistentReads` false). A model has no code of KCL's and no lost requests.
 */
import { newLease } from '../../consumer/kcl/leases/lease';
import { itemFromLease } from '../../consumer/kcl/leases/lease-serializer';
import { MAX_HASH_KEY } from '../../consumer/kcl/common/hash-key-range';
import { shuffled } from '../../consumer/kcl/leases/lease-taking';
import { seededRandom } from '../../test/kcl/support/virtual-time';
import { EventQueue } from './event-queue';
import { shardIdOf, type FleetSize, type Shares, type SimulatedFleet } from './fleet';
import { itemBytes, Meter } from './meter';

export const FAILOVER_MILLIS = 10_000;
export const EPSILON_MILLIS = 25;
/** Of a write, there and back; as in the simulation of this library's workers on average. */
export const LATENCY_MILLIS = 5;

export interface LeaseRow {
  readonly key: number;
  owner: number | undefined;
  counter: number;
  /** During a handoff the old owner; `owner` is then the new one. */
  checkpointOwner: number | undefined;
}

/** A full row: hash keys, owner, checkpoint, throughput. */
export const ROW_BYTES = itemBytes({
  ...itemFromLease(
    newLease(shardIdOf(0), { sequenceNumber: '4'.repeat(56), subSequenceNumber: 0 }, [], {
      startingHashKey: String(MAX_HASH_KEY),
      endingHashKey: String(MAX_HASH_KEY),
    }),
  ),
  leaseOwner: { S: 'worker-100' },
  throughputKBps: { N: '100.000000' },
});

export abstract class KclFleet implements SimulatedFleet {
  readonly meter = new Meter();
  moved = 0;
  protected readonly queue = new EventQueue();
  protected readonly rows: LeaseRow[];
  protected readonly alive = new Set<number>();
  /** What each worker believes to hold. */
  protected readonly held = new Map<number, Set<LeaseRow>>();
  protected readonly random = seededRandom(1);
  private started = 0;

  constructor(protected readonly size: FleetSize) {
    this.rows = Array.from({ length: size.shards }, (_, key) => ({
      key,
      owner: undefined,
      counter: 0,
      checkpointOwner: undefined,
    }));
  }

  start(count: number): void {
    for (let i = 0; i < count; i++) {
      const worker = this.started++;
      this.alive.add(worker);
      this.held.set(worker, new Set());
      this.scan();
      this.every(worker, FAILOVER_MILLIS / 3 - EPSILON_MILLIS, () => this.renew(worker));
      this.begin(worker);
    }
  }

  kill(count: number): void {
    const killed = shuffled(
      [...this.alive].filter((worker) => worker !== this.leader),
      this.random,
    ).slice(0, count);
    for (const worker of killed) {
      this.alive.delete(worker);
      this.held.delete(worker);
    }
  }

  async run(millis: number): Promise<void> {
    this.queue.run(millis);
  }

  shares(): Shares {
    const counts = new Map([...this.alive].map((worker) => [worker, 0]));
    for (const { owner, checkpointOwner } of this.rows) {
      const reader = checkpointOwner ?? owner;
      const before = reader === undefined ? undefined : counts.get(reader);
      if (reader !== undefined && before !== undefined) counts.set(reader, before + 1);
    }
    const leases = [...counts.values()];
    return { unread: this.size.shards - leases.reduce((sum, count) => sum + count, 0), leases };
  }

  /** Which is not killed. */
  protected abstract get leader(): number | undefined;

  /** Starts what the worker does besides renewing. */
  protected abstract begin(worker: number): void;

  /** A lease the worker holds shows it as an old owner of a handoff. */
  protected abstract onHandoff(worker: number, row: LeaseRow): void;

  /** Repeats for as long as the worker lives, first at once. */
  protected every(worker: number, millis: number, action: () => void): void {
    const step = (): void => {
      if (!this.alive.has(worker)) return;
      action();
      this.queue.after(millis, step);
    };
    this.queue.after(0, step);
  }

  /** Other than leases: rows of worker metrics. */
  protected get otherRows(): number {
    return 0;
  }

  protected scan(): void {
    this.meter.scanAll(this.size.shards + this.otherRows, ROW_BYTES, false);
  }

  /** Both entries of the index where the row had an owner. */
  protected setOwner(row: LeaseRow, owner: number): void {
    const entries = (row.owner === undefined ? 0 : 1) + (row.owner === owner ? -1 : 1);
    this.meter.write(ROW_BYTES, Math.max(0, entries));
    row.owner = owner;
  }

  private renew(worker: number): void {
    for (const row of this.held.get(worker) ?? []) {
      this.meter.write(ROW_BYTES, 0);
      if ((row.checkpointOwner ?? row.owner) !== worker) {
        this.held.get(worker)?.delete(row);
        continue;
      }
      row.counter++;
      if (row.checkpointOwner === worker) this.onHandoff(worker, row);
    }
  }
}

/** When a watcher first saw each counter as it is; −Infinity for what was never owned. */
export class Watch {
  private readonly counters: Int32Array;
  private readonly since: Float64Array;

  constructor(size: number) {
    this.counters = new Int32Array(size).fill(-1);
    this.since = new Float64Array(size).fill(-Infinity);
  }

  /** @returns for how long the counter has stood */
  idle({ key, counter, owner }: LeaseRow, now: number): number {
    if (this.counters[key] !== counter) {
      const isNew = this.counters[key] === -1;
      this.counters[key] = counter;
      this.since[key] = isNew && owner === undefined ? -Infinity : now;
    }
    return now - (this.since[key] as number);
  }
}
