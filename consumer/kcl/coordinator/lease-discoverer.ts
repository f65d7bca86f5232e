/** Finds the leases that a leader has given to this worker (KCL's DynamoDBLeaseDiscoverer). Reads its own rows only, by the owner index. */
import type { Clock, Log, MetricsFactory } from '../dependencies';
import { describeError } from '../common/errors';
import { forEachConcurrent } from '../common/timing';
import type { LeaseHolder } from '../leases/lease-holder';
import type { LeaseRefresher } from '../leases/lease-refresher';

export interface LeaseDiscovererOptions {
  readonly refresher: LeaseRefresher;
  readonly holder: LeaseHolder;
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** Leases that this worker must not begin now, since an earlier consumer of theirs still runs. */
  readonly isBlocked: (leaseKey: string) => boolean;
  readonly onDiscovered: () => void;
}

const READS_AT_ONCE = 20;

export class LeaseDiscoverer {
  constructor(private readonly options: LeaseDiscovererOptions) {}

  /**
   * Begins to hold what is new. A row in a handoff is its old owner's until that is over.
   * @throws the service's error
   */
  async discover(): Promise<void> {
    const { refresher, holder, workerId, clock, log, metrics, isBlocked, onDiscovered } = this.options;
    const scope = metrics.scope('LeaseDiscovery');
    let discovered = 0;
    let mismatched = 0;
    const started = clock.monotonic();
    const fresh = (await refresher.listLeaseKeysOf(workerId)).filter((key) => !holder.held(key) && !isBlocked(key));
    await forEachConcurrent(fresh, READS_AT_ONCE, async (key) => {
      const lease = await refresher.getLease(key);
      if (lease?.leaseOwner !== workerId || lease.checkpointOwner !== undefined) return void mismatched++;
      // KCL begins at once. The renewal makes sure that the lease is still ours, and that all watchers see it alive.
      const sentAt = clock.monotonic();
      const outcome = await refresher.renewLease(lease);
      if (!outcome.written || outcome.lease.leaseOwner !== workerId) return void mismatched++;
      log('info', 'was given a lease', { shardId: key, leaseCounter: outcome.lease.leaseCounter });
      holder.hold(outcome.lease, sentAt);
      discovered++;
      onDiscovered();
    });
    scope.add('NewLeasesDiscovered', discovered, 'Count');
    scope.add('OwnerMismatch', mismatched, 'Count');
    scope.add('FetchNewLeases.Time', clock.monotonic() - started, 'Milliseconds');
    scope.end();
  }

  /**
   * For a worker that leaves: what was given to it and not begun is free again at once, or stays with who was to hand it over. Never
   * throws: it would expire.
   */
  async giveBack(): Promise<void> {
    const { refresher, holder, workerId, log } = this.options;
    try {
      for (const key of await refresher.listLeaseKeysOf(workerId)) {
        if (holder.held(key)) continue;
        const lease = await refresher.getLease(key);
        if (lease?.leaseOwner !== workerId) continue;
        if (lease.checkpointOwner === undefined) await refresher.evictLease(lease);
        else await refresher.startHandoff(lease, lease.checkpointOwner);
      }
    } catch (error) {
      log('warn', 'leases that were not begun could not be given back; they expire', { error: describeError(error) });
    }
  }
}
