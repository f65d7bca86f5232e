/**
 * Whether this worker can join the fleet that works on the lease table. It takes leases by count, as KCL 2.x does; beside a
 * leader of KCL 3.x that assigns leases the two would fight, since assignments are conditional on owners, not on counters.
 */
import type { Item } from '../dependencies';
import { InvalidStateError } from '../common/errors';

/** Of KCL's `Migration3.0` row: the fleet assigns by leader, or is about to. */
const ASSIGNED_BY_LEADER: ReadonlySet<string> = new Set(['CLIENT_VERSION_3X', 'CLIENT_VERSION_3X_WITH_ROLLBACK']);

/** Worker metrics are written every 30 s; a worker that missed two has gone. */
const LIVE_SECONDS = 60;

/**
 * @param entities the rows of the lease table that are no leases (KCL 3.5 keeps coordinator state and worker metrics there)
 * @param now epoch milliseconds
 * @throws InvalidStateError while a KCL 3.x fleet is at work. One that has stopped (cold migration) is no obstacle.
 */
export function checkFleet(entities: readonly Item[], now: number): void {
  const version = entities.find((item) => item['leaseKey']?.S === 'Migration3.0')?.['cv']?.S;
  if (version === undefined || !ASSIGNED_BY_LEADER.has(version)) return;
  const live = entities.filter(
    (item) =>
      item['entityType']?.S === 'WORKER_METRIC_STATS' && now / 1_000 - Number(item['lut']?.N ?? 0) <= LIVE_SECONDS,
  );
  if (live.length === 0) return;
  throw new InvalidStateError(
    `${live.length} workers of a Java KCL 3 fleet (${version}) are at work on this lease table and assign leases by a leader; this worker takes them by count. Stop that fleet, or run it with CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X.`,
  );
}
