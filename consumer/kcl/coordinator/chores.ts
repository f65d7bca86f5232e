/** What a worker does now and then: the audit of the shards, and the cleanup of finished ones. */
import type { Clock, Log, MetricsFactory } from '../dependencies';
import { describeError } from '../common/errors';
import type { SchedulerConfig } from '../config';
import { LeaseCleanupManager } from '../leases/lease-cleanup-manager';
import type { LeaseHolder } from '../leases/lease-holder';
import type { LeaseRefresher } from '../leases/lease-refresher';
import { PeriodicShardSyncManager } from '../shards/periodic-shard-sync-manager';
import type { ShardDetector } from '../shards/shard-detector';

export interface ChoresOptions {
  readonly config: SchedulerConfig;
  readonly refresher: LeaseRefresher;
  readonly shardDetector: ShardDetector;
  readonly holder: LeaseHolder;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  readonly syncShards: () => Promise<void>;
  readonly isLeader: () => boolean | undefined;
}

/** Resolves once the signal aborted and what was under way is done. A failed chore is logged, and due again at its next time. */
export async function runChores(options: ChoresOptions, signal: AbortSignal): Promise<void> {
  const { config, clock, log } = options;
  const auditor = new PeriodicShardSyncManager({ ...options, workerId: config.workerId });
  const cleanup = new LeaseCleanupManager({ ...options, minimumAge: config.completedLeaseCleanupIntervalMillis });
  const every = async (interval: number, what: string, run: () => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(interval, signal);
      if (signal.aborted) return;
      await run().catch((error: unknown) => log('warn', `${what} failed`, { error: describeError(error) }));
    }
  };
  const chores = [
    every(config.leasesRecoveryAuditorExecutionFrequencyMillis, 'the audit of the shards', () => auditor.audit()),
  ];
  if (config.cleanupLeasesUponShardCompletion) {
    chores.push(
      every(config.completedLeaseCleanupIntervalMillis, 'a lease cleanup', () => cleanup.deleteCompleted()),
      every(config.garbageLeaseCleanupIntervalMillis, 'a lease cleanup', () => cleanup.deleteGarbage()),
    );
  }
  await Promise.all(chores);
}
