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
  flushInterval: 'FLUSH_INTERVAL_MS',
  flushBytes: 'FLUSH_BYTES',
  /** Overrides every use case's own lateness; empty = none. */
  lateness: 'LATENESS_MS',
  maxEventAge: 'MAX_EVENT_AGE_MS',
  maxEventAhead: 'MAX_EVENT_AHEAD_MS',
  metricsNamespace: 'METRICS_NAMESPACE',
} as const;

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
