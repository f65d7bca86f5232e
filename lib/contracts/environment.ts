/** Environment variables of the consumer's container and the functions: names shared by lib/ and the code that reads them. */

/** Fargate consumer. All durations in whole milliseconds, sizes in bytes. */
export const ConsumerEnv = {
  streamName: 'STREAM_NAME',
  /** KCL's application name, which is the lease table's name. */
  applicationName: 'KCL_APPLICATION_NAME',
  registryTable: 'REGISTRY_TABLE_NAME',
  lakeBucket: 'LAKE_BUCKET_NAME',
  /** A hash of the bundle: intents and generations record which build made their bytes. */
  codeVersion: 'CODE_VERSION',
  failoverTime: 'KCL_FAILOVER_TIME_MS',
  /** TRIM_HORIZON or an epoch-millisecond timestamp. */
  initialPosition: 'KCL_INITIAL_POSITION',
  /** ARN of the registered consumer by which the shards are read; empty = they are polled. */
  consumerArn: 'KCL_CONSUMER_ARN',
  /** One of {@link CLIENT_VERSION_CONFIGS}. */
  clientVersionConfig: 'KCL_CLIENT_VERSION_CONFIG',
  /** One of {@link METRICS_LEVELS}. */
  metricsLevel: 'KCL_METRICS_LEVEL',
  flushInterval: 'FLUSH_INTERVAL_MS',
  flushBytes: 'FLUSH_BYTES',
  /** Overrides every use case's own lateness; empty = none. */
  lateness: 'LATENESS_MS',
  maxEventAge: 'MAX_EVENT_AGE_MS',
  maxEventAhead: 'MAX_EVENT_AHEAD_MS',
  metricsNamespace: 'METRICS_NAMESPACE',
} as const;

/** How workers come by their leases: a leader assigns them by load, or each takes its share. */
export const CLIENT_VERSION_CONFIGS = ['CLIENT_VERSION_CONFIG_3X', 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X'] as const;
export type ClientVersionConfig = (typeof CLIENT_VERSION_CONFIGS)[number];

/** Which of KCL's metrics are published. */
export const METRICS_LEVELS = ['NONE', 'SUMMARY', 'DETAILED'] as const;
export type MetricsLevel = (typeof METRICS_LEVELS)[number];

/** Function `partition-trigger`. */
export const PartitionTriggerEnv = {
  registryTable: 'REGISTRY_TABLE_NAME',
  lakeBucket: 'LAKE_BUCKET_NAME',
  artifactBucket: 'ARTIFACT_BUCKET_NAME',
  glueDatabase: 'GLUE_DATABASE_NAME',
  /** JSON: use case name → {@link import('./training').TrainingTarget}. */
  targets: 'TRAINING_TARGETS',
} as const;

/** Function `error-redrive`. */
export const ErrorRedriveEnv = {
  streamName: 'STREAM_NAME',
} as const;
