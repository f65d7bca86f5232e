/** The audit: the rows of unfinished leases must cover the key space at all times. What shows a hole again and again is mended. */
import type { Log, MetricsFactory } from '../dependencies';
import { shardSyncLeader } from '../coordinator/leader-decider';
import { findHole, type HashKeyHole } from '../common/hash-key-range';
import { isFinished, type Lease } from '../leases/lease';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { ShardDetector } from './shard-detector';

/** Looks at the table see it in motion: only the same hole so many times in a row is one. */
const CONFIRMATIONS = 3;

/** Counts how often the same hole was seen in a row. */
export class HoleTracker {
  private last: HashKeyHole | undefined;
  private times = 0;

  /** @returns true when the hole is confirmed */
  see(hole: HashKeyHole | undefined): boolean {
    const same = hole !== undefined && hole.from === this.last?.from && hole.to === this.last.to;
    this.times = hole === undefined ? 0 : same ? this.times + 1 : 1;
    this.last = hole;
    return this.times >= CONFIRMATIONS;
  }
}

export interface PeriodicShardSyncOptions {
  readonly refresher: LeaseRefresher;
  readonly shardDetector: ShardDetector;
  readonly workerId: string;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  readonly syncShards: () => Promise<void>;
  /** Of a fleet with a leader: whether this worker is it. @default by KCL 2.x's algorithm, from the rows */
  readonly isLeader?: () => boolean | undefined;
}

export class PeriodicShardSyncManager {
  private readonly holes = new HoleTracker();

  constructor(private readonly options: PeriodicShardSyncOptions) {}

  /**
   * One audit; only the leader's does anything.
   * @throws the service's error
   */
  async audit(): Promise<void> {
    const { refresher, workerId, log, metrics, syncShards } = this.options;
    const isLeader = this.options.isLeader?.();
    if (isLeader === false) return;
    const leases = await refresher.listLeases();
    const leader = shardSyncLeader(leases);
    if (isLeader === undefined && leader !== undefined && leader !== workerId) return;
    const hole = leases.length === 0 ? undefined : findHole(await this.rangesOf(leases));
    const due = this.holes.see(hole) || leases.length === 0;
    const scope = metrics.scope('PeriodicShardSyncManager');
    scope.add('NumStreamsWithPartialLeases', hole ? 1 : 0, 'Count');
    scope.add('NumStreamsToSync', due ? 1 : 0, 'Count');
    scope.end();
    if (hole) log('warn', 'no lease covers a part of the key space', { reason: `${hole.from} to ${hole.to}` });
    if (due) await syncShards();
  }

  /** Ranges of the unfinished leases; rows of older programs get theirs from the stream first. */
  private async rangesOf(leases: readonly Lease[]): Promise<{ startingHashKey: string; endingHashKey: string }[]> {
    const { refresher, shardDetector } = this.options;
    const unfinished = leases.filter((lease) => !isFinished(lease));
    const without = unfinished.filter((lease) => !lease.hashKeyRange);
    const shards = new Map(
      without.length === 0 ? [] : (await shardDetector.listShards()).map((shard) => [shard.shardId, shard]),
    );
    for (const { leaseKey } of without) {
      const hashKeyRange = shards.get(leaseKey)?.hashKeyRange;
      if (hashKeyRange) await refresher.updateLeaseWithMetaInfo(leaseKey, { hashKeyRange });
    }
    return unfinished.flatMap((lease) => lease.hashKeyRange ?? shards.get(lease.leaseKey)?.hashKeyRange ?? []);
  }
}
