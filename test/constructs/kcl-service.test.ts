import type { Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { loadConfig } from '../../lib/config/environments';
import { buildStage, synthesize } from '../stacks/support/synthesize';

function consumerEnvironment(template: Template): Record<string, unknown> {
  const [task] = Object.values(template.findResources('AWS::ECS::TaskDefinition'));
  const variables: { Name: string; Value: unknown }[] = task!.Properties.ContainerDefinitions[0].Environment;
  return Object.fromEntries(variables.map(({ Name, Value }) => [Name, Value]));
}

function actionsOnStream(template: Template): string[] {
  return Object.values(template.findResources('AWS::IAM::Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Action }: { Action: string | string[] }) => Action)
    .filter((action) => action.startsWith('kinesis:'))
    .sort();
}

describe('KclService', () => {
  test('follows the lag where it scales, with no count that a deployment would reset', () => {
    const template = synthesize('prod').templates.get('Consumer')!;
    template.hasResourceProperties('AWS::ECS::Service', {
      DesiredCount: Match.absent(),
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 1, Weight: 50 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 50 },
      ],
    });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 2, MaxCapacity: 64 });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'GetRecords.IteratorAgeMilliseconds',
      Threshold: 300_000,
    });
  });

  test('runs a fixed number of tasks where told, as locally', () => {
    const template = synthesize('local').templates.get('Consumer')!;
    template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 4 });
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  });

  test('polls its shards where nothing else is said', () => {
    const template = synthesize('prod').templates.get('Consumer')!;
    template.resourceCountIs('AWS::Kinesis::StreamConsumer', 0);
    expect(consumerEnvironment(template)).toMatchObject({ KCL_CONSUMER_ARN: '' });
    expect(actionsOnStream(template)).toEqual([
      'kinesis:DescribeStreamSummary',
      'kinesis:GetRecords',
      'kinesis:GetShardIterator',
      'kinesis:ListShards',
    ]);
  });

  test('registers a consumer for enhanced fan-out where told, may subscribe by it alone, and scales on its lag', () => {
    const prod = loadConfig('prod');
    const { stage } = buildStage({ ...prod, consumer: { ...prod.consumer, retrieval: 'fan-out' } });
    const template = Template.fromStack(stage.consumer);
    const [[consumerId] = []] = Object.entries(template.findResources('AWS::Kinesis::StreamConsumer'));
    const consumerArn = { 'Fn::GetAtt': [consumerId, 'ConsumerARN'] };
    expect(consumerEnvironment(template)).toMatchObject({ KCL_CONSUMER_ARN: consumerArn });
    expect(actionsOnStream(template)).toEqual([
      'kinesis:DescribeStreamConsumer',
      'kinesis:DescribeStreamSummary',
      'kinesis:ListShards',
      'kinesis:SubscribeToShard',
    ]);
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          {
            Effect: 'Allow',
            Action: ['kinesis:DescribeStreamConsumer', 'kinesis:SubscribeToShard'],
            Resource: consumerArn,
          },
        ]),
      },
    });
    const lag = { Namespace: 'AWS/Kinesis', MetricName: 'SubscribeToShardEvent.MillisBehindLatest' };
    template.hasResourceProperties('AWS::CloudWatch::Alarm', { ...lag, Threshold: 300_000 });
    Template.fromStack(stage.observability).hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...lag,
      AlarmDescription: Match.stringLikeRegexp('#iterator-age$'),
    });
  });

  test("publishes KCL's metrics under its names, and the dashboard shows them, unless they are turned off", () => {
    const dashboard = ({ observability }: { observability: Stack }): string =>
      JSON.stringify(Template.fromStack(observability).findResources('AWS::CloudWatch::Dashboard'));
    expect(consumerEnvironment(synthesize('prod').templates.get('Consumer')!)).toMatchObject({
      KCL_METRICS_LEVEL: 'SUMMARY',
      KCL_CLIENT_VERSION_CONFIG: 'CLIENT_VERSION_CONFIG_3X',
    });
    expect(dashboard(synthesize('prod').stage)).toContain(',Operation,ShardId} MetricName=\\\\\\"MillisBehindLatest');
    expect(consumerEnvironment(synthesize('local').templates.get('Consumer')!)).toMatchObject({
      KCL_METRICS_LEVEL: 'NONE',
    });
    expect(dashboard(synthesize('local').stage)).not.toContain('MillisBehindLatest');
  });

  test('has time to hand over its shards, on arm64, without root or a writable disk', () => {
    synthesize('prod')
      .templates.get('Consumer')!
      .hasResourceProperties('AWS::ECS::TaskDefinition', {
        RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
        Volumes: Match.absent(),
        ContainerDefinitions: [
          Match.objectLike({
            StopTimeout: 120,
            User: '1000:1000',
            ReadonlyRootFilesystem: true,
            PortMappings: Match.absent(),
            LinuxParameters: { Capabilities: { Drop: ['ALL'] }, InitProcessEnabled: true },
            HealthCheck: Match.objectLike({ Command: ['CMD', 'node', '/app/main.js', 'health'] }),
          }),
        ],
      });
  });

  test('tells the consumer everything by environment, in milliseconds and bytes', () => {
    expect(consumerEnvironment(synthesize('local').templates.get('Consumer')!)).toMatchObject({
      KCL_APPLICATION_NAME: { Ref: expect.stringMatching(/^Leases/) },
      KCL_FAILOVER_TIME_MS: '8000',
      KCL_INITIAL_POSITION: 'TRIM_HORIZON',
      FLUSH_INTERVAL_MS: '2000',
      FLUSH_BYTES: '67108864',
      LATENESS_MS: '8000',
      CODE_VERSION: 'code-version',
    });
    expect(JSON.stringify(synthesize('prod').templates.get('Consumer')!.toJSON())).toContain(
      '{"Name":"LATENESS_MS","Value":""}',
    );
  });
});
