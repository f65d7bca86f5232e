/**
 * How the workers on a lease table come by their leases, and whether this one can join them. Each for itself by count, as in KCL 2.x, and
 * by a leader, as in KCL 3, do not go together: a leader's assignments are conditional on owners, a taker's writes on counters.
 */
import type { Item } from '../dependencies';
import type { Lease } from '../leases/lease';
import { isLive, type WorkerMetricStats } from './worker-metric-stats';

/** KCL's ClientVersionConfig. */
export type ClientVersionConfig = 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X' | 'CLIENT_VERSION_CONFIG_3X';

export const MIGRATION_KEY = 'Migration3.0';
export const MIGRATION_ENTITY = 'CLIENT_VERSION_MIGRATION';
const TABLE_MIGRATION_KEY = 'TableMigration3.5';

/** Of the `Migration3.0` row: the fleet's leases are assigned by a leader. */
export function isAssignedByLeader(version: string | undefined): boolean {
  return version === 'CLIENT_VERSION_3X' || version === 'CLIENT_VERSION_3X_WITH_ROLLBACK';
}

/** What the tables show at a worker's start. */
export interface FleetSnapshot {
  readonly clientVersionConfig: ClientVersionConfig;
  readonly workerId: string;
  readonly leases: readonly Lease[];
  /** Of the lease table: rows that are no leases. */
  readonly others: readonly Item[];
  /** Rows of the application's CoordinatorState table (KCL 3.0 to 3.4); undefined where there is none. */
  readonly legacyStates: readonly Item[] | undefined;
  /** From wherever they are. */
  readonly workers: readonly WorkerMetricStats[];
  /** Owners whose leases' counters have moved within a failover time; undefined: nobody has watched yet. */
  readonly movingOwners: ReadonlySet<string> | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
}

export type TableChoice = 'LEASE_TABLE' | 'LEGACY';

export type FleetMode =
  | { readonly mode: 'COUNT_BASED' }
  | {
      readonly mode: 'LEADER_ASSIGNED';
      /** False where the leader has a migration to drive, which only Java workers do. */
      readonly standsForLeader: boolean;
      readonly metricsIn: TableChoice;
      /** Of the leader lock and the `Migration3.0` row. */
      readonly stateIn: TableChoice;
    }
  /** Look at the leases for a failover time, and decide again with `movingOwners`. */
  | { readonly mode: 'WATCH' }
  | { readonly mode: 'REFUSED'; readonly reason: string };

const valueOf = (
  rows: readonly Item[] | undefined,
  key: string,
  keyAttribute: string,
  name: string,
): string | undefined => rows?.find((item) => item[keyAttribute]?.S === key)?.[name]?.S;

const refuse = (reason: string): FleetMode => ({ mode: 'REFUSED', reason });

/** The fleet's client version. Java workers keep it in the table of its own until their tables' migration is complete. */
export function clientVersionOf({
  others,
  legacyStates,
}: Pick<FleetSnapshot, 'others' | 'legacyStates'>): string | undefined {
  return valueOf(legacyStates, MIGRATION_KEY, 'key', 'cv') ?? valueOf(others, MIGRATION_KEY, 'leaseKey', 'cv');
}

export function decideFleetMode(snapshot: FleetSnapshot): FleetMode {
  const { clientVersionConfig, workerId, workers, now } = snapshot;
  const version = clientVersionOf(snapshot);
  const live = workers.filter((stats) => stats.workerId !== workerId && isLive(stats, now));
  if (clientVersionConfig === 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X') {
    if (!isAssignedByLeader(version) || live.length === 0) return { mode: 'COUNT_BASED' };
    return refuse(
      `${live.length} workers of a KCL 3 fleet (${version}) are at work on this lease table and assign leases by a leader; this worker takes them by count. Set clientVersionConfig CLIENT_VERSION_CONFIG_3X to join them, or stop that fleet, or run it with CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X.`,
    );
  }
  if (version === undefined || version === 'CLIENT_VERSION_INIT') return joinUnmarkedTable(snapshot, live);
  if (!isAssignedByLeader(version)) {
    return refuse(
      `The fleet on this lease table takes leases by count (row ${MIGRATION_KEY}: ${version}). Let it finish its migration to KCL 3, or start this worker with CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X; after a fleet that is stopped for good, delete that row.`,
    );
  }
  const joined = leaderAssigned(snapshot, version);
  if (joined.mode === 'LEADER_ASSIGNED' && !joined.standsForLeader && live.length === 0) {
    return refuse(
      `The fleet on this lease table is in the middle of a migration (${version}) that a Java worker has to lead, and none is at work. Start it, or complete the migration first.`,
    );
  }
  return joined;
}

function leaderAssigned({ others, legacyStates }: FleetSnapshot, version: string | undefined): FleetMode {
  const tables = valueOf(others, TABLE_MIGRATION_KEY, 'leaseKey', 'tm');
  const oneTable = legacyStates === undefined || tables === 'TABLE_MIGRATION_STATUS_COMPLETE';
  const migratingTables = tables !== undefined && tables !== 'TABLE_MIGRATION_STATUS_COMPLETE';
  const isPending = tables === 'TABLE_MIGRATION_STATUS_PENDING';
  return {
    mode: 'LEADER_ASSIGNED',
    standsForLeader: version !== 'CLIENT_VERSION_3X_WITH_ROLLBACK' && !migratingTables,
    metricsIn: oneTable || isPending ? 'LEASE_TABLE' : 'LEGACY',
    stateIn: oneTable ? 'LEASE_TABLE' : 'LEGACY',
  };
}

/** No row says how the fleet works: then whoever renews a lease without reporting metrics takes leases by count. */
function joinUnmarkedTable(snapshot: FleetSnapshot, live: readonly WorkerMetricStats[]): FleetMode {
  const reporting = new Set([snapshot.workerId, ...live.map((stats) => stats.workerId)]);
  const silent = new Set(
    snapshot.leases.flatMap(({ leaseOwner }) =>
      leaseOwner === undefined || reporting.has(leaseOwner) ? [] : leaseOwner,
    ),
  );
  if (silent.size === 0) return leaderAssigned(snapshot, undefined);
  if (snapshot.movingOwners === undefined) return { mode: 'WATCH' };
  const atWork = [...silent].filter((owner) => snapshot.movingOwners?.has(owner));
  if (atWork.length === 0) return leaderAssigned(snapshot, undefined);
  return refuse(
    `${atWork.length} workers on this lease table take leases by count, as KCL 2.x does. Stop them, or start this worker with CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X.`,
  );
}
