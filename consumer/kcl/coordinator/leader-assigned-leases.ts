/** How a worker comes by its leases in a fleet with a leader, KCL 3's way: it reports, discovers, and may be the leader itself. */
import type { Clock, Log, MetricsFactory, WorkerMetric } from '../dependencies';
import { describeError, InvalidStateError } from '../common/errors';
import { Wakeup } from '../common/timing';
import type { LeaseHolder } from '../leases/lease-holder';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { LeaseSource } from '../leases/lease-source';
import { isStillAssignedByLeader, metricsTable, stateTable, type JoinedFleet } from './join-fleet';
import { LeaseAssignmentManager, type LeaseAssignmentManagerOptions } from './lease-assignment-manager';
import { LeaseDiscoverer } from './lease-discoverer';
import { LeaderLock } from './leader-lock';
import { LeaderWatch } from './leader-watch';
import { VARIANCE_DEFAULTS } from './variance-decider';
import { REPORT_INTERVAL_MILLIS } from './worker-metric-stats';
import { WorkerMetricsReporter } from './worker-metrics-reporter';

export interface LeaderAssignedLeasesOptions extends Pick<
  LeaseAssignmentManagerOptions,
  'failoverTime' | 'handoffTimeout' | 'strategy' | 'limits'
> {
  readonly fleet: JoinedFleet;
  readonly refresher: LeaseRefresher;
  readonly holder: LeaseHolder;
  readonly workerId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly uuid: () => string;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  readonly workerMetrics: readonly WorkerMetric[];
  /** Milliseconds between two runs of the leader; undefined: derived. */
  readonly assignmentInterval: number | undefined;
  readonly isBlocked: (leaseKey: string) => boolean;
  readonly onDiscovered: () => void;
  /** The fleet does not assign by a leader any more. */
  readonly onModeChange: (error: Error) => void;
}

/** In failover times: the leader lock and its renewal (KCL: 120 s and 30 s), and the levelling of loads (KCL: every third run of 20 s). */
const LOCK_FAILOVERS = 1;
const HEARTBEAT_FAILOVERS = 1 / 3;
const BALANCING_FAILOVERS = 6;
/** Of every interval, to both sides. */
const SPREAD = 0.1;
/** Two looks a little apart stay below two seconds. */
const MAX_WANTED_MILLIS = 800;
/** That a leader reads at most. */
const ROWS_PER_SECOND = 5_000;

export class LeaderAssignedLeases implements LeaseSource {
  private readonly reporter: WorkerMetricsReporter;
  private readonly discoverer: LeaseDiscoverer;
  private readonly lock: LeaderLock;
  private readonly leader: LeaderWatch;
  private readonly manager: LeaseAssignmentManager;
  private readonly stopped = new AbortController();
  private readonly wakeups: Wakeup[] = [];
  private loops: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: LeaderAssignedLeasesOptions) {
    const { fleet, failoverTime } = options;
    const { mode, tables } = fleet;
    if (mode.mode !== 'LEADER_ASSIGNED') throw new InvalidStateError('The fleet on this lease table has no leader.');
    this.reporter = new WorkerMetricsReporter({ ...options, table: metricsTable(tables, mode.metricsIn) });
    this.discoverer = new LeaseDiscoverer(options);
    const table = stateTable(tables, mode.stateIn);
    this.lock = new LeaderLock({ ...options, table, leaseDuration: LOCK_FAILOVERS * failoverTime });
    this.leader = new LeaderWatch(options);
    this.manager = new LeaseAssignmentManager({
      ...options,
      lock: this.lock,
      leaseTable: tables.leases,
      legacyMetrics: tables.legacyMetrics,
      balancingInterval: BALANCING_FAILOVERS * failoverTime,
      variance: VARIANCE_DEFAULTS,
    });
  }

  get isLeader(): boolean {
    return this.lock.isHeld;
  }

  start(): void {
    const { mode, tables } = this.options.fleet;
    if (mode.mode !== 'LEADER_ASSIGNED') return;
    const report = async (): Promise<void> => {
      await this.reporter.report();
      if (await isStillAssignedByLeader(stateTable(tables, mode.stateIn))) return;
      this.options.onModeChange(
        new InvalidStateError(
          'The fleet on this lease table does not assign leases by a leader any more (row Migration3.0); this worker stops.',
        ),
      );
    };
    const loops = [
      this.every('the worker metrics could not be reported', () => REPORT_INTERVAL_MILLIS, report),
      this.every(
        'the leases could not be discovered',
        () => this.lookInterval(),
        () => this.discoverer.discover(),
      ),
    ];
    if (mode.standsForLeader) {
      loops.push(this.lead());
    }
    this.loops = Promise.all(loops);
  }

  lookNow(): void {
    for (const wakeup of this.wakeups) wakeup.wake();
  }

  /** Leaves the fleet: no report and no leadership any more. What is held stays so; a leader has asked itself to hand it over. */
  async stop(): Promise<void> {
    this.stopped.abort('stopped');
    this.lookNow();
    await this.loops;
    await this.reporter.withdraw();
    const held = new Set(this.options.holder.all().map(({ lease }) => lease.leaseKey));
    await this.manager.passOn(this.options.workerId, held);
    await this.discoverer.giveBack();
    await this.lock.release();
  }

  /** Leadership and its work go on apart, so that a long run does not cost the lock. */
  private async lead(): Promise<void> {
    await Promise.all([
      this.every(
        'the leader lock could not be written',
        () => this.heartbeatInterval(),
        async () => {
          const before = this.lock.isHeld;
          if (!before) await this.leader.look(this.lock.predecessor);
          await this.lock.heartbeat();
          if (before || !this.lock.isHeld) return;
          const { predecessor } = this.lock;
          if (predecessor !== undefined) this.manager.succeed(this.leader.of(predecessor));
          this.lookNow();
        },
      ),
      this.every(
        'the leases could not be assigned',
        () => this.assignmentInterval(),
        () => this.manager.run(),
      ),
    ]);
  }

  /** A lock that may run out is looked at just then. */
  private heartbeatInterval(): number {
    const regular = HEARTBEAT_FAILOVERS * this.options.failoverTime;
    const untilFree = this.lock.isHeld ? undefined : this.lock.untilFree;
    return untilFree === undefined || untilFree <= 0 ? regular : Math.min(regular, untilFree / (1 - SPREAD));
  }

  /** Of all workers only the leader reads the table, so it may often: the leases of a large one go on within failover + 2 looks, too. */
  private assignmentInterval(): number {
    if (this.options.assignmentInterval !== undefined) return this.options.assignmentInterval;
    const allowed = (1_000 * this.manager.tableSize) / ROWS_PER_SECOND;
    return Math.min(Math.max(this.lookInterval(), allowed), 2 * this.options.failoverTime);
  }

  private lookInterval(): number {
    return Math.min(this.options.failoverTime / 10, MAX_WANTED_MILLIS);
  }

  private async every(failure: string, interval: () => number, run: () => Promise<void>): Promise<void> {
    const wakeup = new Wakeup(this.options.clock);
    this.wakeups.push(wakeup);
    const { signal } = this.stopped;
    while (!signal.aborted) {
      await run().catch((error: unknown) => this.options.log('warn', failure, { error: describeError(error) }));
      if (signal.aborted) return;
      // Spread, so that workers do not write in step.
      await wakeup.sleep(interval() * (1 - SPREAD + 2 * SPREAD * this.options.random()));
    }
  }
}
