/** Looks at the lease table, remembers when each counter was last seen to move, and takes what `decideLeasesToTake` says. */
import type { Clock, Log, MetricsFactory } from '../dependencies';
import { describeError } from '../common/errors';
import type { Lease } from './lease';
import { LeaseObserver } from './lease-observer';
import type { LeaseRefresher } from './lease-refresher';
import { decideLeasesToTake, type ObservedLease } from './lease-taking';

/** Of a lease in a failover time. */
const RENEWALS = 3;

export interface LeaseTakerOptions {
  readonly refresher: LeaseRefresher;
  readonly workerId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** Milliseconds. */
  readonly failoverTime: number;
  readonly maxLeasesForWorker: number;
  readonly maxLeasesToStealAtOneTime: number;
  readonly enablePriorityLeaseAssignment: boolean;
  /** Called with the rows of each look, before anything is taken. */
  readonly onLook: (rows: readonly Lease[]) => void;
  /** Called with each lease taken and the monotonic time at which the write was sent. */
  readonly onTaken: (lease: Lease, sentAt: number) => void;
  /** Leases that this worker must not take now, since an earlier consumer of theirs still runs. */
  readonly isBlocked: (leaseKey: string) => boolean;
}

export class LeaseTaker {
  private readonly observer = new LeaseObserver();
  private rows: readonly Lease[] = [];

  constructor(private readonly options: LeaseTakerOptions) {}

  /** The rows of the last look, for those who do not need them fresh. */
  get lastSeen(): readonly Lease[] {
    return this.rows;
  }

  /**
   * One look and what follows from it.
   * @returns the number of leases taken
   * @throws the service's error when the table could not be read
   */
  async takeLeases(): Promise<number> {
    const scope = this.options.metrics.scope('TakeLeases');
    const lookedAt = this.options.clock.monotonic();
    const leases = await this.look();
    const tookLong = this.options.clock.monotonic() - lookedAt > this.options.failoverTime / RENEWALS / 2;
    this.options.onLook(this.rows);
    const { take, steal, counts } = decideLeasesToTake({
      ...this.options,
      leases: leases.filter(({ lease }) => !this.options.isBlocked(lease.leaseKey)),
    });
    let taken = 0;
    for (const lease of take) if (await this.take(lease)) taken++;
    for (const lease of steal) {
      const fresh = tookLong ? await this.readAgain(lease) : lease;
      if (fresh && (await this.take(fresh))) taken++;
    }
    const wanted = take.length + steal.length;
    scope.add('TotalLeases', counts.totalLeases, 'Count');
    scope.add('NumWorkers', counts.numWorkers, 'Count');
    scope.add('ExpiredLeases', counts.expiredLeases, 'Count');
    scope.add('NeededLeases', counts.neededLeases, 'Count');
    scope.add('VeryOldLeases', counts.veryOldLeases, 'Count');
    scope.add('LeaseSpillover', counts.leaseSpillover, 'Count');
    scope.add('LeasesToTake', wanted, 'Count');
    scope.add('TakenLeases', taken, 'Count');
    scope.add('UntakenLeases', wanted - taken, 'Count');
    scope.end();
    if (counts.leaseSpillover > 0) {
      this.options.log('warn', 'maxLeasesForWorker keeps leases unread: raise it or add workers', {
        count: counts.leaseSpillover,
      });
    }
    return taken;
  }

  private async look(): Promise<ObservedLease[]> {
    const scanStart = this.options.clock.monotonic();
    this.rows = await this.options.refresher.listLeases();
    return this.observer.observe(this.rows, scanStart, this.options.clock.monotonic());
  }

  /** After a long look a live owner has renewed meanwhile, and the steal would fail, time and again. As in KCL. */
  private async readAgain(seen: Lease): Promise<Lease | undefined> {
    const lease = await this.options.refresher.getLease(seen.leaseKey);
    return lease?.leaseOwner === seen.leaseOwner && lease?.checkpointOwner === undefined ? lease : undefined;
  }

  private async take(lease: Lease): Promise<boolean> {
    const { log, refresher, workerId, clock } = this.options;
    const sentAt = clock.monotonic();
    try {
      const outcome = await refresher.takeLease(lease, workerId);
      if (!outcome.written) return false;
      log('info', 'took a lease', {
        shardId: lease.leaseKey,
        leaseOwner: lease.leaseOwner,
        leaseCounter: outcome.lease.leaseCounter,
      });
      this.options.onTaken(outcome.lease, sentAt);
      return true;
    } catch (error) {
      log('warn', 'a lease could not be taken', { shardId: lease.leaseKey, error: describeError(error) });
      return false;
    }
  }
}
