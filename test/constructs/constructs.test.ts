import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import cdkJson from '../../cdk.json';
import { loadConfig } from '../../lib/config/environments';
import { LeaseTable } from '../../lib/constructs/compute/lease-table';
import { PartitionLake } from '../../lib/constructs/lake/partition-lake';
import { PartitionRegistry } from '../../lib/constructs/lake/partition-registry';
import { AlarmSet } from '../../lib/constructs/operations/alarm-set';
import { TelemetryStream } from '../../lib/constructs/stream/telemetry-stream';
import { xgboostImageUri } from '../../lib/constructs/training/xgboost-image';
import { buildStage, synthesize, templatesOf } from '../stacks/support/synthesize';

function stack(region?: string): Stack {
  return new Stack(
    new App({ context: cdkJson.context, builtinCloudFormationValidation: false }),
    'Stack',
    region ? { env: { account: '123456789012', region } } : {},
  );
}

const removalPolicy = RemovalPolicy.DESTROY;

describe('TelemetryStream', () => {
  test('takes a number of shards only where it is provisioned', () => {
    const scope = stack();
    const retention = Duration.hours(48);
    new TelemetryStream(scope, 'A', { capacity: { mode: 'provisioned', shards: 3 }, retention, removalPolicy });
    new TelemetryStream(scope, 'B', { capacity: { mode: 'on-demand' }, retention, removalPolicy });
    const template = Template.fromStack(scope);
    template.hasResourceProperties('AWS::Kinesis::Stream', {
      ShardCount: 3,
      RetentionPeriodHours: 48,
      StreamModeDetails: { StreamMode: 'PROVISIONED' },
      StreamEncryption: { EncryptionType: 'KMS', KeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AKey'), 'Arn'] } },
    });
    template.hasResourceProperties('AWS::Kinesis::Stream', {
      ShardCount: Match.absent(),
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
    });
    template.allResourcesProperties('AWS::KMS::Key', { EnableKeyRotation: true });
  });
});

describe('PartitionLake', () => {
  const rules = (readingsExpiry?: Duration): unknown[] => {
    const scope = stack();
    new PartitionLake(scope, 'Lake', {
      readingsExpiry,
      quarantineExpiry: Duration.days(30),
      datasetExpiry: Duration.days(10),
      removalPolicy,
    });
    const buckets = Object.values(Template.fromStack(scope).findResources('AWS::S3::Bucket'));
    return buckets.flatMap(({ Properties }) => Properties.LifecycleConfiguration.Rules);
  };

  test('expires quarantine, datasets and, where told, readings; never features or models', () => {
    const prefixes = (found: unknown[]): unknown[] =>
      found.map((rule) => (rule as { Prefix?: string }).Prefix).filter((prefix) => prefix !== undefined);
    expect(prefixes(rules())).toEqual(['quarantine/', 'datasets/', 'training/', 'evaluations/', 'athena/']);
    expect(rules(Duration.days(90))).toContainEqual({ Prefix: 'readings/', ExpirationInDays: 90, Status: 'Enabled' });
  });
});

test('LeaseTable has the key and the index of KCL 3, and lets a worker do what KCL does on each of its tables', () => {
  const scope = stack();
  const role = new Role(scope, 'Worker', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  new LeaseTable(scope, 'Leases', { deletionProtection: true, removalPolicy }).grantWorker(role);
  const [policy] = Object.values(Template.fromStack(scope).findResources('AWS::IAM::Policy'));
  const table = { 'Fn::GetAtt': [expect.stringMatching(/^Leases/), 'Arn'] };
  const beside = (suffix: string): object => ({ 'Fn::Join': ['', [table, suffix]] });
  const actions = (...names: string[]): unknown =>
    names.length === 1 ? `dynamodb:${names[0]}` : names.map((name) => `dynamodb:${name}`);
  expect(policy!.Properties.PolicyDocument.Statement).toEqual(
    (
      [
        [table, 'DeleteItem', 'DescribeTable', 'GetItem', 'PutItem', 'Scan', 'UpdateItem'],
        [beside('/index/LeaseOwnerToLeaseKeyIndex'), 'Query'],
        [beside('-WorkerMetricStats'), 'DeleteItem', 'DescribeTable', 'Scan', 'UpdateItem'],
        [beside('-CoordinatorState'), 'DescribeTable', 'GetItem', 'PutItem', 'Scan', 'UpdateItem'],
      ] as [object, ...string[]][]
    ).map(([Resource, ...names]) => ({ Effect: 'Allow', Action: actions(...names), Resource })),
  );
  Template.fromStack(scope).hasResourceProperties('AWS::DynamoDB::Table', {
    KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'LeaseOwnerToLeaseKeyIndex',
        KeySchema: [
          { AttributeName: 'leaseOwner', KeyType: 'HASH' },
          { AttributeName: 'leaseKey', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    DeletionProtectionEnabled: true,
  });
});

test('Athena writes its results under a prefix of the artifact bucket, encrypted, whatever a client asks for', () => {
  const template = synthesize('prod').templates.get('Lake')!;
  template.hasResourceProperties('AWS::Athena::WorkGroup', {
    Name: 'telemetry_prod',
    RecursiveDeleteOption: false,
    WorkGroupConfiguration: {
      EnforceWorkGroupConfiguration: true,
      BytesScannedCutoffPerQuery: 100 * 1024 ** 3,
      ResultConfiguration: {
        OutputLocation: { 'Fn::Join': ['', ['s3://', { Ref: Match.stringLikeRegexp('^LakeArtifacts') }, '/athena/']] },
        EncryptionConfiguration: { EncryptionOption: 'SSE_KMS' },
      },
    },
  });
});

test('PartitionRegistry has the keys and the sparse index of the contract', () => {
  const scope = stack();
  new PartitionRegistry(scope, 'Registry', { deletionProtection: false, removalPolicy });
  Template.fromStack(scope).hasResourceProperties('AWS::DynamoDB::Table', {
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      Match.objectLike({
        IndexName: 'UnfoldedIndex',
        KeySchema: [
          { AttributeName: 'unfolded', KeyType: 'HASH' },
          { AttributeName: 'unfoldedPartition', KeyType: 'RANGE' },
        ],
      }),
    ],
  });
});

describe('IsolatedNetwork', () => {
  test('reaches AWS services by endpoints only', () => {
    const template = synthesize('prod').templates.get('Network')!;
    const endpoints = Object.values(template.findResources('AWS::EC2::VPCEndpoint'));
    const services = endpoints.map(({ Properties }) => serviceOf(Properties.ServiceName));
    expect(services.sort()).toEqual(['dynamodb', 'ecr.api', 'ecr.dkr', 'kinesis-streams', 'logs', 's3']);
  });

  test('takes zones from the configuration, so that a concrete account needs no look-up', () => {
    const config = {
      ...loadConfig('prod'),
      target: {
        account: '123456789012',
        region: 'eu-central-1',
        availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
      },
    };
    const { app, stage } = buildStage(config);
    const subnets = templatesOf(stage).get('Network')!.findResources('AWS::EC2::Subnet');
    expect(Object.values(subnets).map(({ Properties }) => Properties.AvailabilityZone)).toEqual([
      'eu-central-1a',
      'eu-central-1b',
    ]);
    expect(app.synth().manifest.missing ?? []).toEqual([]);
  });
});

/** `kinesis-streams` of `com.amazonaws.<region>.kinesis-streams`, given as text or as a join with the region. */
function serviceOf(name: { 'Fn::Join': [string, unknown[]] }): string {
  return String(name['Fn::Join'][1].at(-1)).replace(/^\./, '');
}

describe('the XGBoost image', () => {
  test('comes from the registry of the region, known or chosen at deployment', () => {
    const concrete = stack('eu-central-1');
    expect(concrete.resolve(xgboostImageUri(concrete))).toEqual({
      'Fn::Join': ['', ['492215442770.dkr.ecr.eu-central-1.', { Ref: 'AWS::URLSuffix' }, '/sagemaker-xgboost:3.0-5']],
    });
    const agnostic = stack();
    expect(JSON.stringify(agnostic.resolve(xgboostImageUri(agnostic)))).toContain(
      '{"Fn::FindInMap":["XgboostRegistry",{"Ref":"AWS::Region"},"account"]}',
    );
  });
});

describe('PartitionTrigger', () => {
  const template = synthesize('dev').templates.get('Training')!;

  test('wakes at manifests of the lake bucket only, by one wildcard', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: {
          bucket: { name: [{ 'Fn::ImportValue': Match.stringLikeRegexp('ExportsOutputRefLake') }] },
          object: { key: [{ wildcard: 'features/*/_manifest.json' }] },
        },
      },
    });
  });

  test('wakes when an execution of one of its pipelines ends', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.sagemaker'],
        'detail-type': ['SageMaker Model Building Pipeline Execution Status Change'],
        detail: { currentPipelineExecutionStatus: ['Succeeded', 'Failed', 'Stopped'] },
      },
    });
  });

  test('is held to two invocations by its event source, without reserved concurrency', () => {
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 2 },
    });
    template.allResourcesProperties('AWS::Lambda::Function', { ReservedConcurrentExecutions: Match.absent() });
  });

  test('refuses a policy under which nothing would ever start', () => {
    const dev = loadConfig('dev');
    const config = { ...dev, training: { ...dev.training, trigger: { newPartitions: 24, datasetHours: 12 } } };
    expect(() => buildStage(config)).toThrow(/newPartitions 24 is more than a dataset of datasetHours 12 can hold/);
  });
});

test('AlarmSet: CloudWatch may publish to the topic for alarms of the account and use its key, and every alarm notifies when it rings and when it is over', () => {
  const scope = stack();
  const set = new AlarmSet(scope, 'Alarms', { email: 'people@example.com' });
  const metric = new TelemetryStream(scope, 'S', {
    capacity: { mode: 'on-demand' },
    retention: Duration.hours(24),
    removalPolicy,
  }).metricIncomingRecords();
  set.add('Lag', { metric, threshold: 1, evaluationPeriods: 1, description: 'It lags.', runbook: 'lag' });
  const template = Template.fromStack(scope);
  template.hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        }),
      ]),
    },
  });
  template.hasResourceProperties('AWS::SNS::TopicPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Effect: 'Allow',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Action: 'sns:Publish',
          Condition: Match.objectLike({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }),
        }),
      ]),
    },
  });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: 'It lags. Runbook: docs/runbook.md#lag',
    AlarmActions: [{ Ref: Match.stringLikeRegexp('^AlarmsTopic') }],
    OKActions: [{ Ref: Match.stringLikeRegexp('^AlarmsTopic') }],
  });
  template.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'people@example.com' });
});
