/**
 * KCL 3 with its default WORKER_UTILIZATION_AWARE strategy and the CPU metric that it has on ECS: the leader (DynamoDBLockBasedLeaderDecider)
 * looks at the table every 2 F, places what is free at every run and levels loads at every third; a worker looks for its leases in the owner index
 * every F − 25 ms and reads those that are new; moves are graceful handoffs.
 */
import { shuffled } from '../../consumer/kcl/leases/lease-taking';
import { BATCH_MILLIS, CPU_AT_START } from './fleet';
import { EPSILON_MILLIS, FAILOVER_MILLIS, KclFleet, ROW_BYTES, Watch, type LeaseRow } from './kcl-fleet';

const ASSIGNMENT_INTERVAL_MILLIS = 2 * FAILOVER_MILLIS;
const BALANCING_RUNS = 3;
const DISCOVERY_INTERVAL_MILLIS = ASSIGNMENT_INTERVAL_MILLIS / 2 - EPSILON_MILLIS;
const REPORT_INTERVAL_MILLIS = 30_000;
/** Two reports missed. */
const LIVE_MILLIS = 60_000;
const HEARTBEAT_MILLIS = 30_000;
const HANDOFF_POLL_MILLIS = 2_000;
const ALPHA = 0.5;
const KEPT_VALUES = 10;
const DAMPENING = 0.6;
const THRESHOLD = 0.1;
const INDEX_ENTRY_BYTES = 100;

interface Metrics {
  reportedAt: number;
  values: number[];
}

/** A worker as the leader sees it in one run. */
interface Load {
  readonly worker: number;
  readonly leases: LeaseRow[];
  /** Of `leases`, and of those given in this run. */
  count: number;
  cpu: number;
}

export class Kcl3Fleet extends KclFleet {
  protected leader: number | undefined;
  private readonly metrics = new Map<number, Metrics>();
  private readonly watch = new Watch(this.size.shards);
  private readonly ending = new Set<LeaseRow>();
  private runs = 0;

  protected begin(worker: number): void {
    this.every(worker, REPORT_INTERVAL_MILLIS, () => this.report(worker));
    if (this.leader === undefined) {
      this.leader = worker;
      this.every(worker, HEARTBEAT_MILLIS, () => this.meter.write(0, 0));
      this.every(worker, ASSIGNMENT_INTERVAL_MILLIS, () => this.assign());
    } else this.every(worker, HEARTBEAT_MILLIS, () => this.meter.read(0, true));
    this.every(worker, DISCOVERY_INTERVAL_MILLIS, () => this.discover(worker));
  }

  protected onHandoff(worker: number, row: LeaseRow): void {
    if (this.ending.has(row)) return;
    this.ending.add(row);
    // Handoffs are looked at every 2 s; then the batch ends.
    const wait = this.random() * HANDOFF_POLL_MILLIS + BATCH_MILLIS;
    this.queue.after(wait, () => {
      this.ending.delete(row);
      if (row.checkpointOwner !== worker || !this.alive.has(worker)) return;
      this.meter.write(ROW_BYTES, 0);
      row.checkpointOwner = undefined;
      row.counter++;
      this.moved++;
      this.held.get(worker)?.delete(row);
    });
  }

  protected override get otherRows(): number {
    return this.metrics.size;
  }

  /** Percent, were each to read its share. */
  private get cpuPerLease(): number {
    return (CPU_AT_START * this.size.workers) / this.size.shards;
  }

  private report(worker: number): void {
    this.meter.write(0, 0);
    const cpu = this.cpuPerLease * (this.held.get(worker)?.size ?? 0);
    const values = [...(this.metrics.get(worker)?.values ?? []), cpu].slice(-KEPT_VALUES);
    this.metrics.set(worker, { reportedAt: this.queue.now, values });
  }

  private discover(worker: number): void {
    const held = this.held.get(worker) as Set<LeaseRow>;
    const mine = this.byOwner().get(worker) ?? [];
    this.meter.read(mine.length * INDEX_ENTRY_BYTES, false);
    for (const row of mine) {
      if (held.has(row)) continue;
      this.meter.read(ROW_BYTES, false);
      if (row.checkpointOwner === undefined) held.add(row);
    }
  }

  private assign(): void {
    this.scan();
    const now = this.queue.now;
    const loads = new Map<number, Load>();
    for (const [worker, { reportedAt, values }] of this.metrics) {
      if (now - reportedAt > LIVE_MILLIS) continue;
      const cpu = values.reduce((average, value) => ALPHA * value + (1 - ALPHA) * average, values[0] ?? 0);
      loads.set(worker, { worker, leases: [], count: 0, cpu });
    }
    const free: { row: LeaseRow; idle: number }[] = [];
    for (const row of this.rows) {
      const idle = this.watch.idle(row, now);
      if ((row.checkpointOwner ?? row.owner) === undefined || idle > FAILOVER_MILLIS) free.push({ row, idle });
      else if (row.owner !== undefined) loads.get(row.owner)?.leases.push(row);
    }
    if (loads.size === 0) return;
    const all = [...loads.values()];
    for (const load of all) load.count = load.leases.length;
    const average = all.reduce((sum, { cpu }) => sum + cpu, 0) / all.length;
    // Every lease has the same throughput, so shares of it are shares of their number.
    const perLease = (average * all.length) / this.rows.length;
    free.sort((a, b) => (a.idle === b.idle ? 0 : b.idle - a.idle));
    const room = new Headroom(all, average);
    for (const { row } of free) {
      const load = room.most();
      this.give(row, load.worker);
      room.add(load, perLease);
    }
    if (this.runs++ % BALANCING_RUNS === 0) this.balance(all, average, perLease, room);
  }

  /** Nobody works on it: at once. */
  private give(row: LeaseRow, worker: number): void {
    const before = row.checkpointOwner ?? row.owner;
    if (before !== undefined && before !== worker) this.moved++;
    this.setOwner(row, worker);
    row.checkpointOwner = undefined;
    row.counter++;
  }

  private balance(all: readonly Load[], average: number, perLease: number, room: Headroom): void {
    const [low, high] = [average * (1 - THRESHOLD), average * (1 + THRESHOLD)];
    if (all.every(({ cpu }) => cpu >= low && cpu <= high)) return;
    let donors = all.filter(({ cpu }) => cpu >= high);
    if (donors.length === 0) donors = [all.reduce((most, load) => (load.cpu > most.cpu ? load : most))];
    for (const donor of donors.sort((a, b) => b.cpu - a.cpu)) {
      const movable = shuffled(
        donor.leases.filter((row) => row.checkpointOwner === undefined && row.owner === donor.worker),
        this.random,
      );
      const share = (movable.length * (donor.cpu - average) * DAMPENING) / donor.cpu;
      // Throughput overshoot is allowed: one at least.
      for (const row of movable.slice(0, Math.max(1, Math.floor(share)))) {
        const receiver = room.most();
        if (receiver === donor || receiver.cpu + perLease > average) return;
        row.checkpointOwner = donor.worker;
        this.setOwner(row, receiver.worker);
        room.add(receiver, perLease);
      }
    }
  }

  private byOwner(): ReadonlyMap<number, readonly LeaseRow[]> {
    // Rebuilt at most once for each virtual moment's worth of discoveries.
    if (this.indexedAt !== Math.floor(this.queue.now / 100)) {
      this.indexedAt = Math.floor(this.queue.now / 100);
      this.index = new Map();
      for (const row of this.rows) {
        if (row.owner === undefined) continue;
        const rows = this.index.get(row.owner);
        if (rows) rows.push(row);
        else this.index.set(row.owner, [row]);
      }
    }
    return this.index;
  }

  private indexedAt = -1;
  private index = new Map<number, LeaseRow[]>();
}

/** Who has the most headroom: (average − value) / value is largest where the value is least. */
class Headroom {
  constructor(
    private readonly loads: readonly Load[],
    private readonly average: number,
  ) {}

  /** Of equals the one with the fewest leases: KCL's queue goes round among them. */
  most(): Load {
    let best = this.loads[0] as Load;
    for (const load of this.loads) {
      const more = this.headroom(load) - this.headroom(best);
      if (more > 0 || (more === 0 && load.count < best.count)) best = load;
    }
    return best;
  }

  add(load: Load, cpu: number): void {
    load.cpu += cpu;
    load.count++;
  }

  /** 1 for a worker that does nothing, as in KCL. */
  private headroom({ cpu }: Load): number {
    return cpu === 0 ? 1 : (this.average - cpu) / cpu;
  }
}
