/**
 * KCL 2.x (and 3.x with CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X): every worker looks at the whole table every 2 × (F + 25 ms) and takes, or
 * steals, for itself (DynamoDBLeaseTaker). Each take is a write of its own, sent after the answer to the one before.
 */
import { shuffled } from '../../consumer/kcl/leases/lease-taking';
import {
  EPSILON_MILLIS,
  FAILOVER_MILLIS,
  KclFleet,
  LATENCY_MILLIS,
  ROW_BYTES,
  Watch,
  type LeaseRow,
} from './kcl-fleet';

const TAKER_INTERVAL_MILLIS = 2 * (FAILOVER_MILLIS + EPSILON_MILLIS);
/** DeterministicShuffleShardSyncLeaderDecider: each worker reads the table for it. */
const ELECTION_INTERVAL_MILLIS = 300_000;
const MAX_LEASES_TO_STEAL = 1;
const VERY_OLD_FAILOVERS = 3;

interface Wanted {
  readonly row: LeaseRow;
  readonly counter: number;
}

export class Kcl2Fleet extends KclFleet {
  protected readonly leader = undefined;
  private readonly watches = new Map<number, Watch>();

  protected begin(worker: number): void {
    this.watches.set(worker, new Watch(this.size.shards));
    this.take(worker);
    this.every(worker, ELECTION_INTERVAL_MILLIS, () => this.scan());
  }

  override kill(count: number): void {
    super.kill(count);
    for (const worker of this.watches.keys()) if (!this.alive.has(worker)) this.watches.delete(worker);
  }

  protected onHandoff(): void {}

  /** At a fixed rate, unless the takes last longer. */
  private take(worker: number): void {
    if (!this.alive.has(worker)) return;
    const begun = this.queue.now;
    this.scan();
    const wanted = this.decide(worker);
    const next = (index: number): void => {
      if (!this.alive.has(worker)) return;
      const one = wanted[index];
      if (!one) {
        this.queue.after(Math.max(0, begun + TAKER_INTERVAL_MILLIS - this.queue.now), () => this.take(worker));
        return;
      }
      if (one.row.counter === one.counter) this.own(worker, one.row);
      else this.meter.write(ROW_BYTES, 0);
      this.queue.after(LATENCY_MILLIS, () => next(index + 1));
    };
    next(0);
  }

  private own(worker: number, row: LeaseRow): void {
    if (row.owner !== undefined && row.owner !== worker) this.moved++;
    this.setOwner(row, worker);
    row.counter++;
    this.held.get(worker)?.add(row);
  }

  private decide(worker: number): Wanted[] {
    const watch = this.watches.get(worker) as Watch;
    const available: LeaseRow[] = [];
    const veryOld: LeaseRow[] = [];
    const counts = new Map([[worker, 0]]);
    for (const row of this.rows) {
      const idle = watch.idle(row, this.queue.now);
      if (row.owner === undefined || idle > FAILOVER_MILLIS) {
        available.push(row);
        if (idle > VERY_OLD_FAILOVERS * FAILOVER_MILLIS) veryOld.push(row);
      } else counts.set(row.owner, (counts.get(row.owner) ?? 0) + 1);
    }
    const target = counts.size >= this.rows.length ? 1 : Math.ceil(this.rows.length / counts.size);
    const needed = target - (counts.get(worker) ?? 0);
    let wanted: LeaseRow[] = [];
    if (veryOld.length > 0) wanted = shuffled(veryOld, this.random);
    else if (needed > 0 && available.length > 0) wanted = shuffled(available, this.random).slice(0, needed);
    else if (needed > 0) wanted = this.steal(worker, counts, needed, target);
    return wanted.map((row) => ({ row, counter: row.counter }));
  }

  private steal(worker: number, counts: ReadonlyMap<number, number>, needed: number, target: number): LeaseRow[] {
    const [victim, most] = [...counts].reduce((best, one) => (one[1] > best[1] ? one : best));
    if (victim === worker) return [];
    let number = Math.max(0, Math.min(needed, most - target));
    if (needed > 1 && number === 0) number = 1;
    const theirs = this.rows.filter((row) => row.owner === victim);
    return shuffled(theirs, this.random).slice(0, Math.min(number, MAX_LEASES_TO_STEAL));
  }
}
