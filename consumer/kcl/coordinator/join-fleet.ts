/** Reads what {@link decideFleetMode} needs, and does what follows from it. */
import type { Clock, DynamoDbApi, Item, Log } from '../dependencies';
import { errorName, InvalidStateError } from '../common/errors';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { Lease } from '../leases/lease';
import { isMultiStreamItem } from '../leases/lease-serializer';
import { CoordinatorTable } from './coordinator-table';
import {
  clientVersionOf,
  decideFleetMode,
  isAssignedByLeader,
  MIGRATION_ENTITY,
  MIGRATION_KEY,
  type ClientVersionConfig,
  type FleetMode,
  type TableChoice,
} from './fleet-mode';
import { statsFromItem, WORKER_METRIC_STATS, type WorkerMetricStats } from './worker-metric-stats';

export interface JoinFleetOptions {
  readonly dynamodb: DynamoDbApi;
  readonly refresher: LeaseRefresher;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: {
    readonly applicationName: string;
    readonly leaseTableName: string;
    readonly workerId: string;
    readonly failoverTimeMillis: number;
    readonly clientVersionConfig: ClientVersionConfig;
  };
  /** Milliseconds. */
  readonly requestTimeout: number;
}

export interface FleetTables {
  readonly leases: CoordinatorTable;
  /** Those of KCL 3.0 to 3.4, where they exist. */
  readonly legacyMetrics: CoordinatorTable | undefined;
  readonly legacyStates: CoordinatorTable | undefined;
}

export interface JoinedFleet {
  readonly mode: Extract<FleetMode, { mode: 'COUNT_BASED' | 'LEADER_ASSIGNED' }>;
  readonly tables: FleetTables;
}

/** Rows of worker metrics among these. */
export function metricStats(rows: readonly Item[], keyAttribute: string): WorkerMetricStats[] {
  return rows
    .filter((item) => keyAttribute !== 'leaseKey' || item['entityType']?.S === WORKER_METRIC_STATS)
    .flatMap((item) => statsFromItem(item, keyAttribute) ?? []);
}

export const stateTable = (tables: FleetTables, choice: TableChoice): CoordinatorTable =>
  (choice === 'LEGACY' ? tables.legacyStates : undefined) ?? tables.leases;

export const metricsTable = (tables: FleetTables, choice: TableChoice): CoordinatorTable =>
  (choice === 'LEGACY' ? tables.legacyMetrics : undefined) ?? tables.leases;

/**
 * @throws InvalidStateError with the reason, where this worker cannot join the fleet as it is configured
 * @throws the service's error
 */
export async function joinFleet(options: JoinFleetOptions): Promise<JoinedFleet> {
  const { config, clock, refresher, log } = options;
  const tables = await findTables(options);
  let movingOwners: ReadonlySet<string> | undefined;
  for (;;) {
    const { leases, others } = await refresher.readTable();
    checkModality(config.leaseTableName, others);
    const legacyStates = await tables.legacyStates?.list();
    const legacyMetrics = (await tables.legacyMetrics?.list()) ?? [];
    const mode = decideFleetMode({
      ...config,
      leases,
      others,
      legacyStates,
      workers: [...metricStats(others, 'leaseKey'), ...metricStats(legacyMetrics, 'wid')],
      movingOwners,
      now: clock.now(),
    });
    if (mode.mode === 'REFUSED') throw new InvalidStateError(mode.reason);
    if (mode.mode !== 'WATCH') {
      if (mode.mode === 'LEADER_ASSIGNED' && clientVersionOf({ others, legacyStates }) === undefined) {
        await markTable(options, stateTable(tables, mode.stateIn));
      }
      return { mode, tables };
    }
    log('info', 'watches the leases for a failover time to learn whether their owners are at work', {});
    await clock.sleep(config.failoverTimeMillis);
    movingOwners = ownersThatMoved(leases, await refresher.listLeases());
  }
}

/** Whether the fleet still assigns by a leader. @throws the service's error */
export async function isStillAssignedByLeader(table: CoordinatorTable): Promise<boolean> {
  return isAssignedByLeader((await table.get(MIGRATION_KEY))?.['cv']?.S);
}

/** In one mode a worker does not see the rows of the other: it would read everything again, into rows beside them. */
function checkModality(tableName: string, rows: readonly Item[]): void {
  const count = rows.filter(isMultiStreamItem).length;
  if (count === 0) return;
  throw new InvalidStateError(
    `The lease table ${tableName} holds ${count} leases of KCL's multi-stream mode, which this library does not read. Use another application name; its leases begin at initialPosition.`,
  );
}

function ownersThatMoved(before: readonly Lease[], after: readonly Lease[]): Set<string> {
  const counters = new Map(before.map((lease) => [lease.leaseKey, lease.leaseCounter]));
  return new Set(
    after.flatMap(({ leaseKey, leaseCounter, leaseOwner }) =>
      leaseOwner === undefined || counters.get(leaseKey) === leaseCounter ? [] : leaseOwner,
    ),
  );
}

/** The first worker of a new application writes how its leases are assigned, as KCL does, so that a worker of the other kind refuses. */
async function markTable({ clock, config }: JoinFleetOptions, table: CoordinatorTable): Promise<void> {
  await table.create(MIGRATION_KEY, {
    entityType: { S: MIGRATION_ENTITY },
    cv: { S: 'CLIENT_VERSION_3X' },
    mb: { S: config.workerId },
    mts: { N: String(clock.now()) },
    h: { L: [] },
  });
}

async function findTables(options: JoinFleetOptions): Promise<FleetTables> {
  const { applicationName, leaseTableName } = options.config;
  const table = (tableName: string, keyAttribute: string): CoordinatorTable =>
    new CoordinatorTable({ ...options, tableName, keyAttribute });
  const legacy = async (suffix: string, keyAttribute: string): Promise<CoordinatorTable | undefined> => {
    const name = `${applicationName}-${suffix}`;
    return (await exists(options, name)) ? table(name, keyAttribute) : undefined;
  };
  return {
    leases: table(leaseTableName, 'leaseKey'),
    legacyMetrics: await legacy('WorkerMetricStats', 'wid'),
    legacyStates: await legacy('CoordinatorState', 'key'),
  };
}

async function exists({ dynamodb, log }: JoinFleetOptions, tableName: string): Promise<boolean> {
  try {
    await dynamodb.describeTable({ TableName: tableName });
    return true;
  } catch (error) {
    if (errorName(error) === 'ResourceNotFoundException') return false;
    if (errorName(error) !== 'AccessDeniedException') throw error;
    // A role for this application alone need not know of tables that it never had.
    log('info', `the role may not describe ${tableName}, a table of KCL 3.0 to 3.4; it is taken not to exist`, {});
    return false;
  }
}
