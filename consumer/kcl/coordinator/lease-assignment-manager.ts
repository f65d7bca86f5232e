/** The leader's work (KCL's LeaseAssignmentManager): looks at the table, decides, and writes who shall own what. */
import type { Clock, Log, MetricsFactory, MetricsScope } from '../dependencies';
import { describeError } from '../common/errors';
import { forEachConcurrent } from '../common/timing';
import { actualOwner, isFinished, type Lease } from '../leases/lease';
import { LeaseObserver } from '../leases/lease-observer';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { ObservedLease } from '../leases/lease-taking';
import type { CoordinatorTable } from './coordinator-table';
import type { AssignmentLimits, LeaseAssignmentStrategy } from './fleet-view';
import { metricStats } from './join-fleet';
import { activeWorkers, decideAssignments, type AssignmentDecision, type AssignmentSnapshot } from './lease-assignment';
import type { LeaderLock } from './leader-lock';
import type { WatchedLeader } from './leader-watch';
import type { VarianceOptions } from './variance-decider';
import { isStale, type WorkerMetricStats } from './worker-metric-stats';

export interface LeaseAssignmentManagerOptions {
  readonly refresher: LeaseRefresher;
  readonly lock: Pick<LeaderLock, 'isHeld' | 'release'>;
  readonly leaseTable: CoordinatorTable;
  /** Where KCL 3.0 to 3.4 write their metrics, if it exists; read beside the lease table. */
  readonly legacyMetrics: CoordinatorTable | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** Milliseconds. */
  readonly failoverTime: number;
  /** How long an old owner has for its handoff; the leader waits a failover time more, in which that owner learns of it. */
  readonly handoffTimeout: number;
  /** Milliseconds between two levellings; what is free is placed in every run. */
  readonly balancingInterval: number;
  readonly strategy: LeaseAssignmentStrategy;
  readonly limits: AssignmentLimits;
  readonly variance: VarianceOptions;
}

const MAX_FAILED_RUNS = 3;
const WRITES_AT_ONCE = 20;
/** Part of a failover time in which a worker that lives has renewed at least once, of two times: who did not is given nothing for now. */
const SILENCE = 2 / 3;

export class LeaseAssignmentManager {
  private readonly observer = new LeaseObserver();
  /** By lease key: the two owners, and since when they have been seen. */
  private handoffs = new Map<string, { readonly parties: string; readonly since: number }>();
  /** Workers whose leases all expired, with the report after which that was. */
  private readonly suspects = new Map<string, number>();
  /** By lease key: who was given it, and the newest report of that worker by then. */
  private readonly given = new Map<string, { readonly to: string; readonly report: number | undefined }>();
  private wasLeader = false;
  private predecessor: WatchedLeader | undefined;
  private levelFrom = -Infinity;
  private failedRuns = 0;
  private balancedAt = -Infinity;
  private balancedFor = '';
  private rows = 0;

  constructor(private readonly options: LeaseAssignmentManagerOptions) {}

  /** Rows of the last look. */
  get tableSize(): number {
    return this.rows;
  }

  /** Tells a worker that takes the lead from another what it saw of that one, if anything. */
  succeed(predecessor: WatchedLeader | undefined): void {
    this.predecessor = predecessor;
    // What the one before gave last may not have been begun, and a handoff of that would have nobody to end it.
    this.levelFrom = this.options.clock.monotonic() + this.options.failoverTime / 2;
  }

  /** One run; does nothing but on the leader. Never throws: after three runs that failed leadership is released. */
  async run(): Promise<void> {
    if (!this.options.lock.isHeld) {
      this.wasLeader = false;
      return;
    }
    if (!this.wasLeader) this.begin();
    const scope = this.options.metrics.scope('LeaseAssignmentManager');
    const started = this.options.clock.monotonic();
    try {
      await this.assign(scope);
      this.failedRuns = 0;
      scope.add('Success', 1, 'Count');
    } catch (error) {
      scope.add('Success', 0, 'Count');
      this.options.log('error', 'an assignment of leases failed', { error: describeError(error) });
      if (++this.failedRuns >= MAX_FAILED_RUNS) {
        scope.add('ForceLeaderRelease', 1, 'Count');
        await this.options.lock.release();
      }
    } finally {
      scope.add('Time', this.options.clock.monotonic() - started, 'Milliseconds');
      scope.end();
    }
  }

  /**
   * For a leader that stops, once its row of metrics is gone: asks itself to hand what it holds over to the others, since it would be a
   * while until another leads; what was to become its own goes to others at once. Never throws: what is not handed over is given up.
   */
  async passOn(workerId: string, held: ReadonlySet<string>): Promise<void> {
    if (!this.options.lock.isHeld) return;
    if (!this.wasLeader) this.begin();
    const scope = this.options.metrics.scope('LeaseAssignmentManager');
    try {
      await this.assign(scope, { workerId, held });
    } catch (error) {
      this.options.log('warn', 'the leases of a leader that stops could not be handed over', {
        error: describeError(error),
      });
    } finally {
      scope.end();
    }
  }

  /** What an earlier leader watched is not known: every owned lease looks fresh, but for those of that leader. */
  private begin(): void {
    this.wasLeader = true;
    this.observer.clear();
    this.handoffs.clear();
    this.suspects.clear();
    this.given.clear();
    this.failedRuns = 0;
    this.balancedAt = -Infinity;
  }

  private async assign(scope: MetricsScope, leaving?: AssignmentSnapshot['leaving']): Promise<void> {
    const { clock, refresher, legacyMetrics, strategy, failoverTime, handoffTimeout } = this.options;
    const scanStart = clock.monotonic();
    const { leases: rows, others } = await refresher.readTable();
    const legacy = legacyMetrics ? metricStats(await legacyMetrics.list(), legacyMetrics.keyAttribute) : [];
    const workers = latest([...legacy, ...metricStats(others, 'leaseKey')]);
    const scanEnd = clock.monotonic();
    scope.add('LeaseAndWorkerMetricsLoad.Time', scanEnd - scanStart, 'Milliseconds');
    this.rows = rows.length + others.length;
    this.recall(rows);
    const leases = this.observer.observe(rows, scanStart, scanEnd);
    const renewers = lastRenewals(leases);
    const gone = this.suspect(renewers, workers);
    const now = clock.now();
    const silent = [...renewers].filter(([, { least }]) => least > failoverTime * SILENCE).map(([worker]) => worker);
    const suspects = new Set([...this.suspects.keys(), ...silent]);
    const { unbegun } = this.observer;
    const settling = leases.some(({ lease, idle }) => idle <= failoverTime && unbegun.has(lease.leaseKey));
    const active = activeWorkers({ workers, suspects, now });
    const decision = decideAssignments({
      ...this.options,
      leases,
      workers,
      suspects,
      unmeasured: this.unmeasured(rows, workers),
      now,
      handoffAges: this.ageHandoffs(rows, scanStart, scanEnd),
      handoffTimeout: handoffTimeout + failoverTime,
      leaving,
      unbegun,
      balance:
        leaving === undefined &&
        scanStart >= this.levelFrom &&
        (strategy === 'LEASE_COUNT_BASED' || this.isBalancingDue(active, scanStart, settling)),
    });
    report(scope, decision);
    this.remember(decision, workers);
    await this.apply(decision, scope);
    await this.deleteReports([...gone, ...workers.filter((stats) => isStale(stats, now))]);
  }

  /** Once, with the first look: the leases of the leader before, if the one that was watched has still not moved. */
  private recall(rows: readonly Lease[]): void {
    const { predecessor } = this;
    this.predecessor = undefined;
    if (predecessor === undefined) return;
    const theirs = rows.filter((row) => actualOwner(row) === predecessor.workerId);
    const watched = theirs.find(({ leaseKey }) => leaseKey === predecessor.leaseKey);
    if (watched?.leaseCounter === predecessor.leaseCounter) this.observer.assume(theirs, predecessor.since);
  }

  /**
   * Due at first, after the interval, and when workers came or went; then at once only where loads are counted from the rows. What workers
   * measure themselves needs time to show the last moves. What was just given is waited for (`settling`): it may be what has to move.
   */
  private isBalancingDue(active: readonly WorkerMetricStats[], now: number, settling: boolean): boolean {
    const fleet = JSON.stringify(active.map((stats) => stats.workerId).sort());
    const measured = active.some((stats) => Object.keys(stats.metricStats).length > 0);
    const wanted = now - this.balancedAt >= this.options.balancingInterval || (!measured && fleet !== this.balancedFor);
    const due = wanted && !settling;
    if (due) [this.balancedAt, this.balancedFor] = [now, fleet];
    return due;
  }

  /**
   * A worker with an expired lease that has not renewed any other for two rounds has gone, whatever its last report says; until it
   * reports again it is given none.
   * @returns those found now. Their reports are deleted, so that the next leader, who has not watched, gives them nothing either
   */
  private suspect(
    renewers: ReadonlyMap<string, { readonly least: number; readonly most: number }>,
    workers: readonly WorkerMetricStats[],
  ): WorkerMetricStats[] {
    const { failoverTime } = this.options;
    const gone: WorkerMetricStats[] = [];
    for (const stats of workers) {
      const { workerId, lastUpdateTime } = stats;
      const { least, most } = renewers.get(workerId) ?? { least: 0, most: 0 };
      if (most > failoverTime && least > failoverTime * SILENCE && !this.suspects.has(workerId)) {
        this.suspects.set(workerId, lastUpdateTime);
        gone.push(stats);
      }
      if ((this.suspects.get(workerId) ?? Infinity) < lastUpdateTime) this.suspects.delete(workerId);
    }
    return gone;
  }

  /** Leases that no report of their owner's shows yet: runs follow one another sooner than reports. */
  private unmeasured(rows: readonly Lease[], workers: readonly WorkerMetricStats[]): ReadonlySet<string> {
    const reports = new Map(workers.map(({ workerId, lastUpdateTime }) => [workerId, lastUpdateTime]));
    const owners = new Map(rows.map(({ leaseKey, leaseOwner }) => [leaseKey, leaseOwner]));
    for (const [leaseKey, { to, report }] of this.given) {
      if (owners.get(leaseKey) !== to || reports.get(to) !== report) this.given.delete(leaseKey);
    }
    return new Set(this.given.keys());
  }

  private remember({ assign, handOff }: AssignmentDecision, workers: readonly WorkerMetricStats[]): void {
    const reports = new Map(workers.map(({ workerId, lastUpdateTime }) => [workerId, lastUpdateTime]));
    for (const { lease, to } of [...assign, ...handOff])
      this.given.set(lease.leaseKey, { to, report: reports.get(to) });
  }

  private ageHandoffs(rows: readonly Lease[], scanStart: number, scanEnd: number): Map<string, number> {
    const seen = new Map<string, { parties: string; since: number }>();
    for (const { leaseKey, leaseOwner, checkpointOwner } of rows) {
      if (checkpointOwner === undefined) continue;
      const parties = JSON.stringify([leaseOwner, checkpointOwner]);
      const before = this.handoffs.get(leaseKey);
      seen.set(leaseKey, before?.parties === parties ? before : { parties, since: scanEnd });
    }
    this.handoffs = seen;
    return new Map([...seen].map(([key, { since }]) => [key, scanStart - since]));
  }

  /** @throws the last error of a write that could not be made; refused ones are counted and seen again in the next run */
  private async apply({ assign, handOff }: AssignmentDecision, scope: MetricsScope): Promise<void> {
    const { refresher, lock, log } = this.options;
    let refused = 0;
    const writes = [
      ...assign.map(({ lease, to, idle }) => ({ lease, to, write: () => refresher.assignLease(lease, to, idle) })),
      ...handOff.map(({ lease, to }) => ({ lease, to, write: () => refresher.startHandoff(lease, to) })),
    ];
    await forEachConcurrent(writes, WRITES_AT_ONCE, async ({ lease, to, write }) => {
      if (!lock.isHeld) return;
      const { written } = await write();
      if (!written) refused++;
      else log('debug', 'assigned a lease', { shardId: lease.leaseKey, leaseOwner: to });
    });
    scope.add('FailedAssignmentCount', refused, 'Count');
  }

  private async deleteReports(workers: readonly WorkerMetricStats[]): Promise<void> {
    const { leaseTable, legacyMetrics } = this.options;
    for (const { workerId } of workers) {
      await leaseTable.delete(workerId);
      await legacyMetrics?.delete(workerId);
    }
  }
}

/** Of the unfinished leases of each owner: how long the one that moved last, and the one that moved first, stands, milliseconds. */
function lastRenewals(
  leases: readonly ObservedLease[],
): Map<string, { readonly least: number; readonly most: number }> {
  const owners = new Map<string, { least: number; most: number }>();
  for (const { lease, idle } of leases) {
    const owner = actualOwner(lease);
    if (owner === undefined || isFinished(lease)) continue;
    const { least, most } = owners.get(owner) ?? { least: Infinity, most: -Infinity };
    owners.set(owner, { least: Math.min(least, idle), most: Math.max(most, idle) });
  }
  return owners;
}

/** One for each worker: during a migration of tables a worker may have two rows. */
function latest(all: readonly WorkerMetricStats[]): WorkerMetricStats[] {
  const byWorker = new Map<string, WorkerMetricStats>();
  for (const stats of all) {
    if ((byWorker.get(stats.workerId)?.lastUpdateTime ?? -1) <= stats.lastUpdateTime)
      byWorker.set(stats.workerId, stats);
  }
  return [...byWorker.values()];
}

function report(scope: MetricsScope, { counts }: AssignmentDecision): void {
  scope.add('TotalLeases', counts.totalLeases, 'Count');
  scope.add('NumWorkers', counts.numWorkers, 'Count');
  scope.add('ExpiredLeases', counts.expiredLeases, 'Count');
  scope.add('LeaseSpillover', counts.leaseSpillover, 'Count');
  scope.add('NumOfLeasesReassignment', counts.reassigned, 'Count');
  scope.add('NumWorkersWithFailingWorkerMetric', counts.failingWorkers, 'Count');
  scope.add('NumWorkersWithInvalidEntry', counts.invalidWorkers, 'Count');
}
