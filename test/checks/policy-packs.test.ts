import { App, CfnResource, Stack } from 'aws-cdk-lib';
import { CfnAlarm, type CfnAlarmProps } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnService, CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { CfnPolicy as CfnIamPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnPolicy, CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { CfnStream } from 'aws-cdk-lib/aws-kinesis';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { acknowledgements } from '../../lib/checks/acknowledgements';
import { AcknowledgedAwsSolutionsChecks } from '../../lib/checks/aws-solutions';
import { IotPipelineChecks } from '../../lib/checks/iot-pipeline-checks';
import { loadConfig } from '../../lib/config/environments';
import { buildStage, environmentNames, synthesize } from '../stacks/support/synthesize';

describe.each([...environmentNames])('%s', (environment) => {
  const { app } = synthesize(environment);

  test('the AwsSolutions pack has no finding without a reason', () => {
    expect(new AcknowledgedAwsSolutionsChecks().validateScope(app).violations).toEqual([]);
  });

  test("the pipeline's own rules hold", () => {
    expect(new IotPipelineChecks().validateScope(app).violations).toEqual([]);
  });
});

/** With everything that an environment has only where it is told to. */
function everything(): App {
  const prod = loadConfig('prod');
  const consumer = { ...prod.consumer, retrieval: 'fan-out' as const };
  return buildStage({ ...prod, consumer, iotAccount: { logLevel: 'ERROR' }, provisionByClaim: true }).app;
}

test('both packs hold for what is optional, too', () => {
  const app = everything();
  expect(new AcknowledgedAwsSolutionsChecks().validateScope(app).violations).toEqual([]);
  expect(new IotPipelineChecks().validateScope(app).violations).toEqual([]);
});

test('every acknowledgement still accepts something', () => {
  const pack = new AcknowledgedAwsSolutionsChecks();
  pack.validateScope(everything());
  expect(acknowledgements.filter((entry) => !pack.used.has(entry))).toEqual([]);
});

test('an acknowledgement accepts nothing beside its own resource', () => {
  const app = new App();
  const stack = new Stack(app, 'Other');
  new CfnStream(stack, 'Stream', { streamEncryption: { encryptionType: 'KMS', keyId: 'alias/own' } });
  const { violations } = new AcknowledgedAwsSolutionsChecks().validateScope(app);
  expect(violations.map(({ ruleName }) => ruleName)).toEqual(['AwsSolutions-KDS3']);
});

/** Rule → a resource that breaks it and no other. */
const offenders: Record<string, (stack: Stack) => CfnResource> = {
  IOT1: (stack) => rule(stack, { errorAction: undefined }),
  IOT2: (stack) => rule(stack, { awsIotSqlVersion: '2015-10-08' }),
  IOT3: (stack) => rule(stack, { actions: [{ kinesis: { streamName: 's', roleArn: 'r' } }] }),
  IOT4: (stack) => devicePolicy(stack, 'iot:Publish', 'arn:aws:iot:eu-west-1:1:topic/dt/sensor-monitoring/*'),
  IOT5: (stack) => devicePolicy(stack, 'iot:Connect', 'client/${iot:Connection.Thing.ThingName}'),
  IOT6: (stack) =>
    new CfnRole(stack, 'Resource', {
      assumeRolePolicyDocument: {
        Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'iot.amazonaws.com' } }],
      },
    }),
  KDS1: (stack) =>
    new CfnStream(stack, 'Resource', { streamEncryption: { encryptionType: 'KMS', keyId: 'alias/aws/kinesis' } }),
  ECS1: (stack) =>
    new CfnTaskDefinition(stack, 'Resource', {
      containerDefinitions: [
        {
          name: 'c',
          image: 'i',
          readonlyRootFilesystem: true,
          user: '0',
          linuxParameters: { capabilities: { drop: ['ALL'] } },
        },
      ],
    }),
  ECS2: (stack) =>
    new CfnService(stack, 'Resource', {
      enableExecuteCommand: true,
      deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
    }),
  IAM1: (stack) =>
    new CfnIamPolicy(stack, 'Resource', {
      policyName: 'p',
      policyDocument: { Statement: [{ Effect: 'Allow', Action: ['dynamodb:CreateTable'], Resource: '*' }] },
    }),
  CW1: (stack) => alarm(stack, { alarmActions: [] }),
  CW2: (stack) => alarm(stack, { alarmDescription: 'Something is wrong.' }),
  LOG1: (stack) => new CfnLogGroup(stack, 'Resource'),
  CFN1: (stack) => new CfnResource(stack, 'Resource', { type: 'Custom::Anything' }),
};

test.each(Object.keys(offenders))('%s finds its offender, and only its own', (id) => {
  const app = new App();
  offenders[id]!(new Stack(app, 'Stack'));
  const { violations } = new IotPipelineChecks().validateScope(app);
  expect(violations.map(({ ruleName }) => ruleName)).toEqual([`IotPipeline-${id}`]);
});

function rule(stack: Stack, change: Partial<CfnTopicRule.TopicRulePayloadProperty>): CfnTopicRule {
  return new CfnTopicRule(stack, 'Resource', {
    topicRulePayload: {
      sql: "SELECT * FROM 'a'",
      awsIotSqlVersion: '2016-03-23',
      actions: [{ kinesis: { streamName: 's', roleArn: 'r', partitionKey: 'k' } }],
      errorAction: { sqs: { queueUrl: 'q', roleArn: 'r' } },
      ...change,
    },
  });
}

function devicePolicy(stack: Stack, Action: string, Resource: string): CfnPolicy {
  return new CfnPolicy(stack, 'Resource', { policyDocument: { Statement: [{ Effect: 'Allow', Action, Resource }] } });
}

function alarm(stack: Stack, change: Partial<CfnAlarmProps>): CfnAlarm {
  return new CfnAlarm(stack, 'Resource', {
    comparisonOperator: 'GreaterThanThreshold',
    evaluationPeriods: 1,
    metricName: 'm',
    namespace: 'n',
    alarmActions: ['arn'],
    alarmDescription: 'Something is wrong. Runbook: docs/runbook.md#something',
    ...change,
  });
}
