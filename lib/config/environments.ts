import { Duration, Size } from 'aws-cdk-lib';
import type { EnvironmentConfig } from './schema';
import { validate } from './validate';

/** One machine, no account: everything small and quick, and readings of any age welcome. */
const local: EnvironmentConfig = {
  name: 'local',
  production: false,
  data: {
    removal: 'destroy',
    deletionProtection: false,
    quarantineExpiry: Duration.days(30),
    datasetExpiry: Duration.days(30),
  },
  stream: { capacity: { mode: 'provisioned', shards: 2 }, retention: Duration.hours(24) },
  consumer: {
    cpu: 1024,
    memory: Size.gibibytes(2),
    tasks: { mode: 'fixed', count: 4 },
    spotShare: 0,
    failoverTime: Duration.seconds(8),
    initialPosition: 'TRIM_HORIZON',
    // There is nothing that would take them out of the logs.
    metricsLevel: 'NONE',
    flushInterval: Duration.seconds(2),
    flushSize: Size.mebibytes(64),
    lateness: Duration.seconds(8),
    maxEventAge: Duration.days(30 * 365),
    maxEventAhead: Duration.minutes(5),
  },
  training: {
    processingInstanceType: 'ml.m5.large',
    trainingInstanceType: 'ml.m5.large',
    spot: false,
    maxRuntime: Duration.minutes(30),
    trigger: { newPartitions: 24, minimumRows: 100, cooldown: 60_000, datasetHours: 24 * 7 },
  },
  operations: { logRetention: Duration.days(1), maxLag: Duration.minutes(30) },
};

const dev: EnvironmentConfig = {
  name: 'dev',
  production: false,
  data: {
    removal: 'destroy',
    deletionProtection: false,
    readingsExpiry: Duration.days(90),
    quarantineExpiry: Duration.days(30),
    datasetExpiry: Duration.days(30),
  },
  stream: { capacity: { mode: 'provisioned', shards: 1 }, retention: Duration.hours(24) },
  consumer: {
    cpu: 512,
    memory: Size.gibibytes(1),
    tasks: { mode: 'fixed', count: 1 },
    spotShare: 0,
    failoverTime: Duration.seconds(10),
    initialPosition: 'TRIM_HORIZON',
    flushInterval: Duration.seconds(60),
    flushSize: Size.mebibytes(64),
    maxEventAge: Duration.days(7),
    maxEventAhead: Duration.minutes(5),
  },
  // New accounts have no quota for spot training instances.
  training: {
    processingInstanceType: 'ml.m5.large',
    trainingInstanceType: 'ml.m5.large',
    spot: false,
    maxRuntime: Duration.minutes(30),
  },
  operations: { logRetention: Duration.days(7), maxLag: Duration.hours(1) },
};

const staging: EnvironmentConfig = {
  ...dev,
  name: 'staging',
  data: { ...dev.data, removal: 'retain', readingsExpiry: Duration.days(180) },
  stream: { capacity: { mode: 'on-demand' }, retention: Duration.hours(72) },
  consumer: {
    ...dev.consumer,
    cpu: 1024,
    memory: Size.gibibytes(4),
    tasks: { mode: 'scale-on-lag', minimum: 2, maximum: 8, targetLag: Duration.minutes(5) },
    spotShare: 0.5,
  },
  training: { ...dev.training, spot: true, maxRuntime: Duration.hours(1) },
  operations: { logRetention: Duration.days(30), maxLag: Duration.minutes(30) },
};

const prod: EnvironmentConfig = {
  ...staging,
  name: 'prod',
  production: true,
  data: {
    removal: 'retain',
    deletionProtection: true,
    readingsExpiry: Duration.days(730),
    quarantineExpiry: Duration.days(180),
    datasetExpiry: Duration.days(90),
  },
  stream: { capacity: { mode: 'on-demand' }, retention: Duration.days(7) },
  consumer: {
    ...staging.consumer,
    cpu: 2048,
    memory: Size.gibibytes(8),
    tasks: { mode: 'scale-on-lag', minimum: 2, maximum: 64, targetLag: Duration.minutes(5) },
    maxEventAge: Duration.days(30),
  },
  operations: { logRetention: Duration.days(90), maxLag: Duration.minutes(15) },
};

const environments: ReadonlyMap<string, EnvironmentConfig> = new Map(
  [local, dev, staging, prod].map((config) => [config.name, config]),
);

/** Names that `-c env=` takes. */
export const environmentNames: readonly string[] = [...environments.keys()];

/**
 * The configuration of an environment.
 * @throws Error that lists the known environments, or every problem of the one asked for.
 */
export function loadConfig(name: string): EnvironmentConfig {
  const config = environments.get(name);
  if (!config) throw new Error(`unknown environment "${name}": use -c env=<one of ${environmentNames.join(', ')}>`);
  return checked(config);
}

/** The configuration itself. @throws Error with all problems at once. */
export function checked(config: EnvironmentConfig): EnvironmentConfig {
  const problems = validate(config);
  if (problems.length > 0) throw new Error(['the configuration is invalid:', ...problems].join('\n  '));
  return config;
}
