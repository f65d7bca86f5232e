/** The scheduler's configuration: KCL 3's names and defaults, validated at once. */
import { ConfigurationError } from './common/errors';
import type { ClientVersionConfig } from './coordinator/fleet-mode';
import type { LeaseAssignmentStrategy } from './coordinator/fleet-view';

/**
 * Where a stream that has no leases yet is read from. LATEST is not offered: the place it means is known only to the
 * worker that opened it, so a successor that starts before the first checkpoint would open another place and lose
 * the records between. `AT_TIMESTAMP` with the present time is the reproducible form.
 */
export type InitialPosition =
  | { readonly type: 'TRIM_HORIZON' }
  /** `timestamp` in epoch milliseconds. Every worker of the application must be given the same. */
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: number };

/** Durations are whole milliseconds, sizes bytes. */
export interface SchedulerConfig {
  /** KCL's application name; the lease table has this name unless `leaseTableName` is set. */
  readonly applicationName: string;
  readonly streamName: string;
  /** Unique among all running workers of the application. A restart under the same id takes its leases up again at once. */
  readonly workerId: string;
  readonly initialPosition: InitialPosition;
  /** @default applicationName */
  readonly leaseTableName: string;
  /**
   * ARN of a consumer that is registered with the stream, for this application alone: the shards are read by enhanced fan-out.
   * @default the shards are polled
   */
  readonly consumerArn: string | undefined;
  /**
   * A lease whose counter has not moved for longer than this is free to take. It is not stored in the table: every
   * worker of the application, Java ones too, must use the same value. @default 10000
   */
  readonly failoverTimeMillis: number;
  /** Renewals come every failover/3 − epsilon. @default 25 */
  readonly epsilonMillis: number;
  /**
   * Time between two looks at the lease table. KCL's is 2 × (failover + epsilon), which makes a failover last up to three
   * failover times. Default here: a tenth of the failover time, at most 0.8 s, but so rarely that a
   * worker reads at most about 1,000 rows a second, and all workers together 100,000. How often a worker looks is its own affair: the rows and their
   * conditions are the same. @default derived as said
   */
  readonly leaseTakerIntervalMillis: number | undefined;
  /**
   * How the workers of the application come by their leases; the same for all. `…_COMPATIBLE_WITH_2X`: each takes its share, as in KCL 2.x.
   * `…_3X`: a leader among them assigns the leases by load and moves them by graceful handoffs; for joining a fleet of KCL 3 too.
   * @default CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X
   */
  readonly clientVersionConfig: ClientVersionConfig;
  /** What a leader goes by. @default WORKER_UTILIZATION_AWARE */
  readonly leaseAssignmentStrategy: LeaseAssignmentStrategy;
  /**
   * Time between two runs of the leader (KCL: 20000). Default here: as for `leaseTakerIntervalMillis`, with 5,000 rows a second; loads are levelled every six
   * failover times as in KCL. @default derived as said
   */
  readonly leaseAssignmentIntervalMillis: number | undefined;
  /** How long a worker that has to hand a lease over may go on with its batch. @default 30000 */
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  /** KB/s; a worker that reads more is given no further lease. @default unlimited */
  readonly maxThroughputPerHostKBps: number;
  /** @default unlimited */
  readonly maxLeasesForWorker: number;
  /** @default 1 */
  readonly maxLeasesToStealAtOneTime: number;
  /** Leases idle for more than three failover times are taken at once, beyond a fair share. @default true */
  readonly enablePriorityLeaseAssignment: boolean;
  /** Renewals under way at once; KCL's `maxLeaseRenewalThreads`. @default 20 */
  readonly maxLeaseRenewalConcurrency: number;
  /**
   * A lease whose consumer gave no sign of life (a read, a batch done, a retry) for this long is not renewed: a hung
   * processor must not keep its shard for ever. Must exceed the longest batch. @default 300000
   */
  readonly consumerLivenessTimeoutMillis: number;
  /** @default 60000 */
  readonly dynamoDbRequestTimeoutMillis: number;
  /** Records per GetRecords, 1…10000. @default 10000 */
  readonly maxRecords: number;
  /** Pause after a read that reached the tip. Behind the tip a shard is read as fast as its limits allow. @default 1500 */
  readonly idleTimeBetweenReadsMillis: number;
  /** @default 30000 */
  readonly kinesisRequestTimeoutMillis: number;
  /** Batches read ahead per shard. @default 4 */
  readonly maxPendingProcessRecordsInput: number;
  /** Bytes read ahead per shard. @default 8388608 */
  readonly maxPrefetchBytes: number;
  /** Bytes of record data held across all shards, read ahead or being processed; at least 10 MiB. @default 134217728 */
  readonly memoryBudgetBytes: number;
  /** @default false */
  readonly callProcessRecordsEvenForEmptyRecordList: boolean;
  /** How often a child asks after its parents. A look at the table that shows them finished ends the wait sooner. @default 10000 */
  readonly parentShardPollIntervalMillis: number;
  /** First pause after a failed task; doubles up to 30 times this. @default 500 */
  readonly taskBackoffTimeMillis: number;
  /** @default 20 */
  readonly maxInitializationAttempts: number;
  /** @default 1000 */
  readonly initializationBackoffMillis: number;
  /** @default 50 */
  readonly maxListShardsRetryAttempts: number;
  /** @default 1500 */
  readonly listShardsBackoffTimeMillis: number;
  /** Children of open parents in ListShards: skip them instead of failing the shard sync. @default false */
  readonly ignoreUnexpectedChildShards: boolean;
  /** How long `shutdown` waits for the processors before it leaves the rest of the leases to expire. @default 60000 */
  readonly gracefulShutdownTimeoutMillis: number;
  /** Rows of finished shards are deleted once their children are under way. @default true */
  readonly cleanupLeasesUponShardCompletion: boolean;
  /** @default 300000 */
  readonly completedLeaseCleanupIntervalMillis: number;
  /** Rows of finished shards that the stream lists no more. @default 1800000 */
  readonly garbageLeaseCleanupIntervalMillis: number;
  /** Audit of the rows' hash key ranges by the shard-sync leader. @default 120000 */
  readonly leasesRecoveryAuditorExecutionFrequencyMillis: number;
}

type Required4 = 'applicationName' | 'streamName' | 'workerId' | 'initialPosition';

/** What a user writes: four members, and any of the rest. */
export type SchedulerConfigInput = Pick<SchedulerConfig, Required4> & Partial<Omit<SchedulerConfig, Required4>>;

const DEFAULTS: Omit<SchedulerConfig, Required4 | 'leaseTableName'> = {
  consumerArn: undefined,
  failoverTimeMillis: 10_000,
  epsilonMillis: 25,
  leaseTakerIntervalMillis: undefined,
  clientVersionConfig: 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X',
  leaseAssignmentStrategy: 'WORKER_UTILIZATION_AWARE',
  leaseAssignmentIntervalMillis: undefined,
  gracefulLeaseHandoffTimeoutMillis: 30_000,
  maxThroughputPerHostKBps: Number.MAX_SAFE_INTEGER,
  maxLeasesForWorker: Number.MAX_SAFE_INTEGER,
  maxLeasesToStealAtOneTime: 1,
  enablePriorityLeaseAssignment: true,
  maxLeaseRenewalConcurrency: 20,
  consumerLivenessTimeoutMillis: 300_000,
  dynamoDbRequestTimeoutMillis: 60_000,
  maxRecords: 10_000,
  idleTimeBetweenReadsMillis: 1_500,
  kinesisRequestTimeoutMillis: 30_000,
  maxPendingProcessRecordsInput: 4,
  maxPrefetchBytes: 8 * 1024 * 1024,
  memoryBudgetBytes: 128 * 1024 * 1024,
  callProcessRecordsEvenForEmptyRecordList: false,
  parentShardPollIntervalMillis: 10_000,
  taskBackoffTimeMillis: 500,
  maxInitializationAttempts: 20,
  initializationBackoffMillis: 1_000,
  maxListShardsRetryAttempts: 50,
  listShardsBackoffTimeMillis: 1_500,
  ignoreUnexpectedChildShards: false,
  gracefulShutdownTimeoutMillis: 60_000,
  cleanupLeasesUponShardCompletion: true,
  completedLeaseCleanupIntervalMillis: 300_000,
  garbageLeaseCleanupIntervalMillis: 1_800_000,
  leasesRecoveryAuditorExecutionFrequencyMillis: 120_000,
};

/** [smallest, largest] of every number. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  failoverTimeMillis: [1_000, 3_600_000],
  epsilonMillis: [0, 1_000],
  leaseTakerIntervalMillis: [50, 3_600_000],
  leaseAssignmentIntervalMillis: [50, 3_600_000],
  gracefulLeaseHandoffTimeoutMillis: [0, 3_600_000],
  maxThroughputPerHostKBps: [1, Number.MAX_SAFE_INTEGER],
  maxLeasesForWorker: [1, Number.MAX_SAFE_INTEGER],
  maxLeasesToStealAtOneTime: [1, 10_000],
  maxLeaseRenewalConcurrency: [1, 1_000],
  consumerLivenessTimeoutMillis: [1_000, 86_400_000],
  dynamoDbRequestTimeoutMillis: [100, 600_000],
  maxRecords: [1, 10_000],
  idleTimeBetweenReadsMillis: [200, 3_600_000],
  kinesisRequestTimeoutMillis: [100, 600_000],
  maxPendingProcessRecordsInput: [1, 1_000],
  maxPrefetchBytes: [1, Number.MAX_SAFE_INTEGER],
  memoryBudgetBytes: [10 * 1024 * 1024, Number.MAX_SAFE_INTEGER],
  parentShardPollIntervalMillis: [100, 3_600_000],
  taskBackoffTimeMillis: [1, 600_000],
  maxInitializationAttempts: [1, 1_000],
  initializationBackoffMillis: [1, 600_000],
  maxListShardsRetryAttempts: [1, 1_000],
  listShardsBackoffTimeMillis: [1, 600_000],
  gracefulShutdownTimeoutMillis: [0, 3_600_000],
  completedLeaseCleanupIntervalMillis: [100, 86_400_000],
  garbageLeaseCleanupIntervalMillis: [100, 86_400_000],
  leasesRecoveryAuditorExecutionFrequencyMillis: [100, 86_400_000],
};

/** The values of what is chosen by name. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  clientVersionConfig: ['CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X', 'CLIENT_VERSION_CONFIG_3X'],
  leaseAssignmentStrategy: ['WORKER_UTILIZATION_AWARE', 'LEASE_COUNT_BASED'],
};

function checkInitialPosition(position: unknown, problems: string[]): void {
  const { type, timestamp } = (position ?? {}) as { type?: unknown; timestamp?: unknown };
  if (type === 'TRIM_HORIZON') return;
  if (type === 'LATEST') {
    problems.push(
      'initialPosition LATEST cannot be reproduced by a successor, which would lose records; use AT_TIMESTAMP with a time that all workers share',
    );
  } else if (type !== 'AT_TIMESTAMP') {
    problems.push('initialPosition.type must be TRIM_HORIZON or AT_TIMESTAMP');
  } else if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp) || timestamp < 0) {
    problems.push('initialPosition.timestamp must be whole epoch milliseconds');
  }
}

function checkConsumer({ consumerArn, streamName }: SchedulerConfig, problems: string[]): void {
  if (consumerArn === undefined) return;
  const stream = typeof consumerArn === 'string' && /:stream\/([^/]+)\/consumer\/[^/:]+:\d+$/.exec(consumerArn)?.[1];
  if (stream === streamName) return;
  problems.push(
    'consumerArn must be the ARN of a consumer of the stream, arn:…:stream/<streamName>/consumer/<name>:<time>',
  );
}

/**
 * Fills in the defaults.
 * @throws ConfigurationError naming every member that cannot be used
 */
export function resolveConfig(input: SchedulerConfigInput): SchedulerConfig {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const config = { ...DEFAULTS, leaseTableName: input.applicationName, ...given } as SchedulerConfig;
  const problems: string[] = [];
  for (const name of ['applicationName', 'streamName', 'workerId', 'leaseTableName'] as const) {
    if (typeof config[name] !== 'string' || config[name] === '') problems.push(`${name} must be a non-empty string`);
  }
  checkInitialPosition(config.initialPosition, problems);
  checkConsumer(config, problems);
  for (const [name, value] of Object.entries(config) as [keyof SchedulerConfig, unknown][]) {
    const choices = CHOICES[name];
    if (choices && !choices.includes(value as string)) problems.push(`${name} must be ${choices.join(' or ')}`);
    const range = RANGES[name];
    if (!range || value === undefined) continue;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < range[0] || value > range[1]) {
      const got = typeof value === 'number' ? String(value) : `a ${typeof value}`;
      problems.push(`${name} must be a whole number from ${range[0]} to ${range[1]}, not ${got}`);
    }
  }
  for (const name of Object.keys(given)) {
    if (!(name in config) || !(name in KNOWN)) problems.push(`${name} is not a member of the configuration`);
  }
  if (problems.length > 0)
    throw new ConfigurationError(`The scheduler's config cannot be used: ${problems.join('; ')}.`);
  return config;
}

const KNOWN: Readonly<Record<string, unknown>> = {
  ...DEFAULTS,
  applicationName: 0,
  streamName: 0,
  workerId: 0,
  initialPosition: 0,
  leaseTableName: 0,
};
