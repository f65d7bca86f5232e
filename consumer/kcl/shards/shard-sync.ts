/** Brings the lease table up to the stream's shards. Any worker may do it at any time: rows are only created where there are none. */
import type { Clock, Log } from '../dependencies';
import { describeError, errorName, InvalidStateError } from '../common/errors';
import type { InitialPosition } from '../config';
import type { Lease } from '../leases/lease';
import type { LeaseRefresher } from '../leases/lease-refresher';
import { leasesForEmptyTable, leasesToCreate } from './hierarchical-shard-syncer';
import type { ShardDetector } from './shard-detector';

export interface ShardSyncOptions {
  readonly refresher: LeaseRefresher;
  readonly shardDetector: ShardDetector;
  readonly clock: Clock;
  readonly log: Log;
  readonly streamName: string;
  readonly initialPosition: InitialPosition;
  readonly ignoreUnexpectedChildShards: boolean;
  /** Rows of finished shards stay for this long at least. */
  readonly completedLeaseCleanupIntervalMillis: number;
}

const EMPTY_TABLE_ATTEMPTS = 4;
const EMPTY_TABLE_BACKOFF_MILLIS = 1_000;

/**
 * One shard sync. What was read is good for half the time that a finished shard's row stays; a worker that was stopped or kept waiting for longer
 * reads again, or it would make a row anew that was there, done with and deleted meanwhile, and its shard would be read twice.
 * @returns the number of rows made
 * @throws InvalidStateError for a missing stream, or a listing that cannot be used
 * @throws the service's error
 */
export async function syncShards(options: ShardSyncOptions): Promise<number> {
  const { refresher, clock, log, completedLeaseCleanupIntervalMillis } = options;
  let made = 0;
  for (;;) {
    const readAt = clock.monotonic();
    const isStale = (): boolean => clock.monotonic() - readAt > completedLeaseCleanupIntervalMillis / 2;
    // Rows before shards: a row that goes away meanwhile is then still counted, and nothing that was done is made again.
    const leases = await refresher.listLeases();
    const missing = [...(await missingLeases(options, leases))];
    while (missing.length > 0 && !isStale()) {
      const lease = missing.shift() as Lease;
      if (!(await refresher.createLeaseIfNotExists(lease))) continue;
      made++;
      log('info', 'made the lease of a shard', {
        shardId: lease.leaseKey,
        sequenceNumber: lease.checkpoint.sequenceNumber,
      });
    }
    if (missing.length === 0) return made;
    log('warn', 'a shard sync took too long and begins again', { count: missing.length });
  }
}

async function missingLeases(options: ShardSyncOptions, leases: readonly Lease[]): Promise<readonly Lease[]> {
  const { shardDetector, initialPosition, ignoreUnexpectedChildShards, streamName } = options;
  try {
    if (leases.length === 0) return await initialLeases(options);
    const shards = await shardDetector.listShards();
    return leasesToCreate({ shards, leases, initialPosition: initialPosition.type, ignoreUnexpectedChildShards });
  } catch (error) {
    if (errorName(error) !== 'ResourceNotFoundException') throw error;
    throw new InvalidStateError(`The stream ${streamName} does not exist in this account and region.`);
  }
}

async function initialLeases(options: ShardSyncOptions): Promise<readonly Lease[]> {
  const { shardDetector, initialPosition, clock, log } = options;
  const filter = initialPosition.type === 'TRIM_HORIZON' ? ({ type: 'AT_TRIM_HORIZON' } as const) : initialPosition;
  for (let attempt = 1; ; attempt++) {
    try {
      return leasesForEmptyTable(await shardDetector.listShards(filter), initialPosition.type);
    } catch (error) {
      if (!(error instanceof InvalidStateError) || attempt >= EMPTY_TABLE_ATTEMPTS) throw error;
      log('warn', 'the shard list has a hole and is read again', { attempt, error: describeError(error) });
      await clock.sleep(EMPTY_TABLE_BACKOFF_MILLIS);
    }
  }
}
