import { parseConsumerConfig } from '../../consumer/config';
import { ConsumerEnv } from '../../lib/contracts/environment';

const environment: Record<string, string> = {
  [ConsumerEnv.streamName]: 'telemetry',
  [ConsumerEnv.applicationName]: 'consumer',
  [ConsumerEnv.registryTable]: 'registry',
  [ConsumerEnv.lakeBucket]: 'lake',
  [ConsumerEnv.codeVersion]: 'abc',
  [ConsumerEnv.failoverTime]: '10000',
  [ConsumerEnv.initialPosition]: 'TRIM_HORIZON',
  [ConsumerEnv.consumerArn]: '',
  [ConsumerEnv.clientVersionConfig]: 'CLIENT_VERSION_CONFIG_3X',
  [ConsumerEnv.metricsLevel]: 'SUMMARY',
  [ConsumerEnv.flushInterval]: '60000',
  [ConsumerEnv.flushBytes]: '67108864',
  [ConsumerEnv.lateness]: '',
  [ConsumerEnv.maxEventAge]: '604800000',
  [ConsumerEnv.maxEventAhead]: '300000',
  [ConsumerEnv.metricsNamespace]: 'Telemetry',
};

test('a whole environment is read', () => {
  expect(parseConsumerConfig(environment)).toMatchObject({
    streamName: 'telemetry',
    initialPosition: 'TRIM_HORIZON',
    flushBytes: 67_108_864,
    clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X',
    metricsLevel: 'SUMMARY',
    maximumEventAge: 604_800_000,
  });
  expect(parseConsumerConfig(environment)).not.toHaveProperty('lateness');
  expect(parseConsumerConfig(environment)).not.toHaveProperty('consumerArn');
  const consumerArn = 'arn:aws:kinesis:eu-central-1:123456789012:stream/telemetry/consumer/consumer:1700000000';
  expect(parseConsumerConfig({ ...environment, [ConsumerEnv.consumerArn]: consumerArn })).toMatchObject({
    consumerArn,
  });
  const local = { ...environment, [ConsumerEnv.lateness]: '8000', [ConsumerEnv.initialPosition]: '1772582400000' };
  expect(parseConsumerConfig(local)).toMatchObject({ lateness: 8000, initialPosition: 1_772_582_400_000 });
});

test('every problem is told at once, by name and limit', () => {
  const wrong = {
    ...environment,
    [ConsumerEnv.streamName]: '',
    [ConsumerEnv.failoverTime]: '10s',
    [ConsumerEnv.flushBytes]: '1',
    [ConsumerEnv.initialPosition]: 'LATEST',
    [ConsumerEnv.lateness]: '-1',
    [ConsumerEnv.clientVersionConfig]: '3X',
    [ConsumerEnv.metricsLevel]: 'ALL',
  };
  let message = '';
  try {
    parseConsumerConfig(wrong);
  } catch (error) {
    message = (error as Error).message;
  }
  for (const name of ['STREAM_NAME', 'KCL_FAILOVER_TIME_MS', 'FLUSH_BYTES', 'KCL_INITIAL_POSITION', 'LATENESS_MS'])
    expect(message).toContain(name);
  expect(message).toContain('KCL_METRICS_LEVEL must be one of NONE, SUMMARY, DETAILED, got "ALL"');
  expect(message).toContain('KCL_CLIENT_VERSION_CONFIG must be one of CLIENT_VERSION_CONFIG_3X');
  expect(message).toContain('from 65536 to 1073741824, got "1"');
  expect(message).not.toContain('MAX_EVENT_AGE_MS');
});

test('settings that change what becomes of a record change the version that intents are written under', () => {
  const version = (overrides: object): string => parseConsumerConfig({ ...environment, ...overrides }).codeVersion;
  expect(version({})).toBe(version({ [ConsumerEnv.flushInterval]: '1000' }));
  expect(version({})).not.toBe(version({ [ConsumerEnv.maxEventAge]: '604800001' }));
  expect(version({})).not.toBe(version({ [ConsumerEnv.codeVersion]: 'abd' }));
});
