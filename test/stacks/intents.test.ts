import { environmentNames, resourcesOf, type Resource, synthesize } from './support/synthesize';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource?: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function statements(policy: Resource): Statement[] {
  return policy.Properties.PolicyDocument.Statement;
}

/** Actions that any policy allows the role whose logical id matches. */
function actionsOf(environment: string, role: RegExp): string[] {
  return [...resourcesOf(synthesize(environment), 'AWS::IAM::Policy').values()]
    .filter(({ Properties }) => Properties.Roles.some(({ Ref }: { Ref: string }) => role.test(Ref)))
    .flatMap(statements)
    .flatMap(({ Action }) => list(Action));
}

describe.each([...environmentNames])('%s', (environment) => {
  const all = (type?: string): [string, Resource][] => [...resourcesOf(synthesize(environment), type)];

  test('has no custom resource, no NAT and no internet gateway', () => {
    const types = all().map(([, { Type }]) => Type);
    expect(types.filter((type) => /^Custom::|CustomResource|NatGateway|InternetGateway/.test(type))).toEqual([]);
  });

  test('every log group has a retention', () => {
    expect(all('AWS::Logs::LogGroup').length).toBeGreaterThanOrEqual(4);
    for (const [id, { Properties }] of all('AWS::Logs::LogGroup')) {
      expect([id, Properties.RetentionInDays]).toEqual([id, expect.any(Number)]);
    }
  });

  test('every alarm has an action, and a runbook link unless it scales the service', () => {
    const alarms = all('AWS::CloudWatch::Alarm');
    expect(alarms.length).toBeGreaterThanOrEqual(20);
    for (const [id, { Properties }] of alarms) {
      expect([id, Properties.AlarmActions?.length]).toEqual([id, 1]);
      if (!id.startsWith('Consumer/')) {
        expect(Properties.AlarmDescription).toMatch(/ Runbook: docs\/runbook\.md#[a-z-]+$/);
      }
    }
  });

  test('every queue refuses plain HTTP, is encrypted by SQS and has a dead-letter queue or is one', () => {
    const queues = all('AWS::SQS::Queue');
    expect(queues).toHaveLength(4);
    for (const [id, { Properties }] of queues) {
      expect(Properties.SqsManagedSseEnabled).toBe(true);
      if (!id.includes('DeadLetters')) expect(Properties.RedrivePolicy.maxReceiveCount).toBeGreaterThan(1);
    }
  });

  test('the consumer reads the stream, and can make or drop neither table nor stream, nor delete an object', () => {
    const actions = actionsOf(environment, /^ConsumerTaskTaskRole/);
    expect(actions).toEqual(expect.arrayContaining(['kinesis:GetRecords', 'dynamodb:UpdateItem', 's3:PutObject']));
    expect(
      actions.filter((action) => /Create|DeleteTable|DeleteStream|s3:Delete|UpdateTable|Put(Record)|\*/.test(action)),
    ).toEqual([]);
  });

  test('the partition trigger starts executions and reads partitions; it deletes nothing and passes no role', () => {
    const actions = actionsOf(environment, /^TriggerFunctionRole/);
    expect(actions).toEqual(expect.arrayContaining(['sagemaker:StartPipelineExecution', 'glue:UpdatePartition']));
    expect(actions.filter((action) => /Delete(?!Message)|PassRole|PutItem|\*/.test(action))).toEqual([]);
  });

  test('only SageMaker can be passed a role, and only the pipeline role itself', () => {
    const passes = all('AWS::IAM::Policy').flatMap(([, policy]) =>
      statements(policy).filter(({ Action }) => list(Action).includes('iam:PassRole')),
    );
    expect(passes).toHaveLength(3);
    for (const { Resource, Condition } of passes) {
      expect(Resource).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^Pipeline.*Role/), 'Arn'] });
      expect(Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } });
    }
  });

  test('readings and features are create-only, completed multipart uploads included', () => {
    const policies = all('AWS::S3::BucketPolicy').flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
    const [createOnly, ...others] = policies.filter(({ Sid }: { Sid?: string }) => Sid === 'CreateOnly');
    expect(others).toEqual([]);
    expect(createOnly).toMatchObject({
      Effect: 'Deny',
      Action: 's3:PutObject',
      Principal: { AWS: '*' },
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    });
    const keys = createOnly.Resource.map((resource: object) => JSON.stringify(resource).match(/\/[a-z]+\/\*/)?.[0]);
    expect(keys.sort()).toEqual(['/features/*', '/readings/*']);
  });

  test('the lake bucket tells EventBridge, the artifact bucket does not', () => {
    const notifying = all('AWS::S3::Bucket').filter(([, { Properties }]) => Properties.NotificationConfiguration);
    expect(notifying.map(([id]) => id)).toEqual([expect.stringMatching(/^Lake\/Lake[0-9A-F]+$/)]);
    expect(notifying[0]![1].Properties.NotificationConfiguration).toEqual({
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    });
  });

  test('tables recover to a point in time and are billed by request', () => {
    const tables = all('AWS::DynamoDB::Table');
    expect(tables).toHaveLength(2);
    for (const [, { Properties }] of tables) {
      expect(Properties.PointInTimeRecoverySpecification).toEqual({ PointInTimeRecoveryEnabled: true });
      expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
    }
  });

  test('features tables have registered partitions, readings tables computed ones', () => {
    const tables = all('AWS::Glue::Table').map(([, { Properties }]) => Properties.TableInput);
    expect(tables).toHaveLength(6);
    for (const { Name, Parameters, PartitionKeys } of tables) {
      expect(PartitionKeys.map((key: { Name: string }) => key.Name)).toEqual(['dt', 'hour']);
      expect([Name, Parameters['projection.enabled']]).toEqual([
        Name,
        Name.startsWith('readings_') ? 'true' : undefined,
      ]);
    }
  });

  test('references between stacks are strong', () => {
    const templates = JSON.stringify(
      [...synthesize(environment).templates.values()].map((template) => template.toJSON()),
    );
    expect(templates).toContain('Fn::ImportValue');
    expect(templates).not.toContain('Fn::GetStackOutput');
  });
});

test('prod keeps what holds data and refuses to drop it', () => {
  const prod = synthesize('prod');
  for (const type of ['AWS::S3::Bucket', 'AWS::DynamoDB::Table', 'AWS::Kinesis::Stream']) {
    for (const [id, { DeletionPolicy }] of resourcesOf(prod, type))
      expect([id, DeletionPolicy]).toEqual([id, 'Retain']);
  }
  for (const [, { Properties }] of resourcesOf(prod, 'AWS::DynamoDB::Table')) {
    expect(Properties.DeletionProtectionEnabled).toBe(true);
  }
  const { stream, lake, consumer } = prod.stage;
  expect([stream, lake, consumer].map((stack) => stack.terminationProtection)).toEqual([true, true, true]);
});

test('the outputs that the command line reads', () => {
  const outputs = [...synthesize('local').templates.values()].flatMap((template) =>
    Object.keys(template.toJSON().Outputs ?? {}).filter((id) => !id.startsWith('Exports')),
  );
  expect(outputs).toEqual(
    expect.arrayContaining([
      'StreamName',
      'LakeBucketName',
      'ArtifactBucketName',
      'RegistryTableName',
      'LeaseTableName',
      'DevicePolicyName',
      'PipelineNamesensormonitoring',
      'ModelPackageGroupNamesensormonitoring',
    ]),
  );
});
