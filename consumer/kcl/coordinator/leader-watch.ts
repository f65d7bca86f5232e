/**
 * Watches one lease of the leader for as long as this worker may have to take its place. A lock that runs out says that the
 * leader's main thread is silent; its leases, which a thread of its own renews, say whether it is dead. So a successor need not begin
 * to watch for a failover time when the lock has already run out (KCL 3 does).
 */
import type { Clock, Log } from '../dependencies';
import { describeError } from '../common/errors';
import { actualOwner, isFinished } from '../leases/lease';
import type { LeaseRefresher } from '../leases/lease-refresher';

export interface WatchedLeader {
  readonly workerId: string;
  /** A worker renews all its leases together, so one stands for all. */
  readonly leaseKey: string;
  readonly leaseCounter: number;
  /** Monotonic milliseconds at the end of the read that first showed the counter. */
  readonly since: number;
}

export interface LeaderWatchOptions {
  readonly refresher: Pick<LeaseRefresher, 'listLeaseKeysOf' | 'getLease'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class LeaderWatch {
  private watched: WatchedLeader | undefined;

  constructor(private readonly options: LeaderWatchOptions) {}

  /** What is known of the leader, if it is still the same one and holds the lease. */
  of(workerId: string | undefined): WatchedLeader | undefined {
    return this.watched?.workerId === workerId ? this.watched : undefined;
  }

  /** One request, and one more where the leader is new. Never throws: without it a successor watches for itself. */
  async look(leader: string | undefined): Promise<void> {
    const { refresher, clock, log } = this.options;
    const before = this.of(leader);
    this.watched = undefined;
    if (leader === undefined) return;
    try {
      // Of split shards the youngest is the one that is still read.
      const leaseKey = before?.leaseKey ?? [...(await refresher.listLeaseKeysOf(leader))].sort().at(-1);
      const lease = leaseKey === undefined ? undefined : await refresher.getLease(leaseKey);
      if (lease === undefined || actualOwner(lease) !== leader || isFinished(lease)) return;
      const { leaseKey: key, leaseCounter } = lease;
      const since = clock.monotonic();
      this.watched =
        before?.leaseCounter === leaseCounter ? before : { workerId: leader, leaseKey: key, leaseCounter, since };
    } catch (error) {
      log('debug', 'a lease of the leader could not be read', { error: describeError(error) });
    }
  }
}
