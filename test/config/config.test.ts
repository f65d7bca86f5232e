import { Duration, Size } from 'aws-cdk-lib';
import { checked, environmentNames, loadConfig } from '../../lib/config/environments';
import type { EnvironmentConfig } from '../../lib/config/schema';
import { validate } from '../../lib/config/validate';

const prod = loadConfig('prod');
const dev = loadConfig('dev');

test.each([...environmentNames])('%s is valid', (name) => {
  expect(loadConfig(name).name).toBe(name);
});

test('an unknown environment lists the known ones', () => {
  expect(() => loadConfig('production')).toThrow(
    'unknown environment "production": use -c env=<one of local, dev, staging, prod>',
  );
});

test('all problems are told at once, each with its path', () => {
  const broken: EnvironmentConfig = {
    ...dev,
    stream: { capacity: { mode: 'provisioned', shards: 0 }, retention: Duration.hours(12) },
    consumer: { ...dev.consumer, spotShare: 2, failoverTime: Duration.seconds(1) },
    training: { ...dev.training, trainingInstanceType: 'm5.large', maxRuntime: Duration.hours(2) },
  };
  expect(validate(broken).map((problem) => problem.split(':').slice(0, 2).join(':'))).toEqual([
    'dev: stream.capacity.shards',
    'dev: stream.retention (hours)',
    'dev: consumer.spotShare',
    'dev: consumer.failoverTime',
    'dev: training.trainingInstanceType',
    'dev: training.maxRuntime',
  ]);
  expect(() => checked(broken)).toThrow(/^the configuration is invalid:\n {2}dev: stream\.capacity\.shards: 0 must be/);
});

test.each<[string, Partial<EnvironmentConfig>]>([
  ['data.removal', { data: { ...prod.data, removal: 'destroy' } }],
  ['data.deletionProtection', { data: { ...prod.data, deletionProtection: false } }],
  ['stream.retention', { stream: { ...prod.stream, retention: Duration.hours(24) } }],
])('production refuses %s that loses data', (path, change) => {
  expect(validate({ ...prod, ...change })).toEqual([expect.stringContaining(`prod: ${path}: `)]);
  // The same is allowed where nothing is lost.
  expect(validate({ ...dev, name: 'dev', ...change, production: false })).toEqual([]);
});

test.each<[string, Partial<EnvironmentConfig>]>([
  ['name', { name: 'Dev_1' }],
  [
    'target.account',
    { target: { account: '12', region: 'eu-west-1', availabilityZones: ['eu-west-1a', 'eu-west-1b'] } },
  ],
  [
    'target.availabilityZones',
    { target: { account: '123456789012', region: 'eu-west-1', availabilityZones: ['eu-west-1a', 'us-east-1a'] } },
  ],
  ['data.readingsExpiry', { data: { ...dev.data, readingsExpiry: Duration.days(7) } }],
  ['consumer.memory', { consumer: { ...dev.consumer, cpu: 512, memory: Size.gibibytes(8) } }],
  ['consumer.memory', { consumer: { ...dev.consumer, cpu: 512, memory: Size.mebibytes(1500) } }],
  ['consumer.initialPosition (epoch milliseconds)', { consumer: { ...dev.consumer, initialPosition: -1 } }],
  ['consumer.flushSize', { consumer: { ...dev.consumer, flushSize: Size.mebibytes(512) } }],
  [
    'consumer.tasks.maximum',
    {
      consumer: {
        ...dev.consumer,
        tasks: { mode: 'scale-on-lag', minimum: 3, maximum: 2, targetLag: Duration.minutes(1) },
      },
    },
  ],
  ['operations.logRetention', { operations: { ...dev.operations, logRetention: Duration.days(8) } }],
  ['operations.maxLag', { operations: { ...dev.operations, maxLag: Duration.hours(24) } }],
  ['operations.alarmEmail', { operations: { ...dev.operations, alarmEmail: 'nobody' } }],
  ['training.trigger.newPartitions', { training: { ...dev.training, trigger: { newPartitions: 0 } } }],
])('%s is checked', (path, change) => {
  const problems = validate({ ...dev, ...change });
  expect(problems).toEqual([expect.stringMatching(new RegExp(`^[^:]+: ${path.replace(/[.()]/g, '\\$&')}: .+`))]);
});
