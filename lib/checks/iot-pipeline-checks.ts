import { type CfnResource, Stack } from 'aws-cdk-lib';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnService, CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { CfnPolicy as CfnIamPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnPolicy, CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { CfnStream } from 'aws-cdk-lib/aws-kinesis';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { NagMessageLevel, NagPack, NagRuleCompliance, type NagRuleResult } from 'cdk-nag';
import type { IConstruct } from 'constructs';

/** A rule: the properties of the resources it looks at, resolved, and what it finds wrong in them. */
interface Rule {
  readonly id: string;
  readonly info: string;
  readonly explanation: string;
  /** Undefined where the rule does not apply to the resource. */
  readonly complies: (resource: CfnResource) => boolean | undefined;
}

/** Resolved CloudFormation properties; intrinsics stand as objects. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a template's shape is what the rules check
type Properties = any;

interface Statement {
  readonly Effect?: string;
  readonly Action?: string | readonly string[];
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const THING_NAME = '${iot:Connection.Thing.ThingName}';
/** What a certificate needs that is only there to be exchanged for another. */
const OF_CLAIMS =
  /:(client\/claim-\*|topic(filter)?\/\$aws\/(certificates\/create|provisioning-templates\/[\w-]+\/provision)\/\*)(?=["\]]|$)/;
const isOfClaims = (text: string): boolean => OF_CLAIMS.test(text);

/** What cdk-nag has no rules for: AWS IoT, and the promises that this pipeline makes to its operators. */
const RULES: readonly Rule[] = [
  {
    id: 'IOT1',
    info: 'The IoT rule has no error action.',
    explanation: 'A message that an action fails to deliver is lost without one.',
    complies: ifA(CfnTopicRule, ({ topicRulePayload }) => topicRulePayload.errorAction !== undefined),
  },
  {
    id: 'IOT2',
    info: 'The IoT rule does not pin SQL version 2016-03-23.',
    explanation: 'The default is 2015-10-08, which treats arrays and binary payloads differently.',
    complies: ifA(CfnTopicRule, ({ topicRulePayload }) => topicRulePayload.awsIotSqlVersion === '2016-03-23'),
  },
  {
    id: 'IOT3',
    info: 'A Kinesis action of the IoT rule has no partition key.',
    explanation: "Without one a device's readings lose their order over the shards.",
    complies: ifA(CfnTopicRule, ({ topicRulePayload }) =>
      topicRulePayload.actions.every(({ kinesis }: Properties) => !kinesis || Boolean(kinesis.partitionKey)),
    ),
  },
  {
    id: 'IOT4',
    info: "The device policy allows more than the device's own client id and topics, or a claim's more than to be exchanged.",
    explanation:
      'Every resource must hold the thing name variable and no wildcard, or be of provisioning: a stolen certificate speaks for one device.',
    complies: ifA(CfnPolicy, ({ policyDocument }) =>
      allowed(policyDocument).every(({ Resource }) =>
        texts(Resource).every((text) => (text.includes(THING_NAME) && !text.includes('*')) || isOfClaims(text)),
      ),
    ),
  },
  {
    id: 'IOT5',
    info: 'The device policy allows a connection whose certificate has no thing attached.',
    explanation: 'iot:Connect must be conditioned on iot:Connection.Thing.IsAttached.',
    complies: ifA(CfnPolicy, ({ policyDocument }) =>
      allowed(policyDocument)
        .filter(({ Action, Resource }) => list(Action).includes('iot:Connect') && !texts(Resource).every(isOfClaims))
        .every(({ Condition }) => String(Condition?.Bool?.['iot:Connection.Thing.IsAttached']) === 'true'),
    ),
  },
  {
    id: 'IOT6',
    info: 'The role of an IoT rule trusts the service for any rule of any account.',
    explanation: 'Trust must be conditioned on aws:SourceArn and aws:SourceAccount (confused deputy).',
    complies: ifA(CfnRole, ({ assumeRolePolicyDocument }) =>
      allowed(assumeRolePolicyDocument)
        .filter((statement) => JSON.stringify(statement).includes('iot.amazonaws.com'))
        .every(({ Condition }) => {
          const keys = Object.values(Condition ?? {}).flatMap((test) => Object.keys(test));
          return keys.includes('aws:SourceArn') && keys.includes('aws:SourceAccount');
        }),
    ),
  },
  {
    id: 'KDS1',
    info: 'The stream is not encrypted with a key of its own.',
    explanation: 'A customer key can be withheld, and its use is logged.',
    complies: ifA(
      CfnStream,
      ({ streamEncryption }) =>
        streamEncryption?.encryptionType === 'KMS' && streamEncryption.keyId !== 'alias/aws/kinesis',
    ),
  },
  {
    id: 'ECS1',
    info: 'A container may write its root file system, runs as root, or keeps Linux capabilities.',
    explanation: 'readonlyRootFilesystem, a numeric user other than 0, and drop ALL.',
    complies: ifA(CfnTaskDefinition, ({ containerDefinitions }) =>
      containerDefinitions.every(
        ({ readonlyRootFilesystem, user, linuxParameters }: Properties) =>
          readonlyRootFilesystem === true &&
          /^[1-9]\d*(:\d+)?$/.test(user ?? '') &&
          linuxParameters?.capabilities?.drop?.includes('ALL'),
      ),
    ),
  },
  {
    id: 'ECS2',
    info: 'The service allows ECS Exec, or does not roll a failed deployment back.',
    explanation: 'Nobody needs a shell in a task; a bad build must not replace a good one.',
    complies: ifA(
      CfnService,
      ({ enableExecuteCommand, deploymentConfiguration }) =>
        enableExecuteCommand !== true && deploymentConfiguration?.deploymentCircuitBreaker?.rollback === true,
    ),
  },
  {
    id: 'IAM1',
    info: 'A policy lets its role create or delete tables or streams, or pass any role.',
    explanation: 'CloudFormation makes what the pipeline needs; iam:PassRole names the role that is passed.',
    complies: ifA(CfnIamPolicy, ({ policyDocument }) =>
      allowed(policyDocument).every(
        ({ Action, Resource }) =>
          !list(Action).some((action) => /^(dynamodb|kinesis):(\*|(Create|Delete)(Table|Stream))$/.test(action)) &&
          !(list(Action).includes('iam:PassRole') && list(Resource).includes('*')),
      ),
    ),
  },
  {
    id: 'CW1',
    info: 'The alarm has no action.',
    explanation: 'An alarm that tells nobody is a graph.',
    complies: ifA(CfnAlarm, ({ alarmActions }) => alarmActions?.length > 0),
  },
  {
    id: 'CW2',
    info: 'The alarm does not name its heading in the runbook.',
    explanation: 'Whoever is woken must know what to do. Alarms that scale a service are not meant for people.',
    complies: ifA(
      CfnAlarm,
      ({ alarmDescription, node }) =>
        node.path.includes('/TaskCount/') || /docs\/runbook\.md#[a-z-]+$/.test(alarmDescription ?? ''),
    ),
  },
  {
    id: 'LOG1',
    info: 'The log group keeps its events for ever.',
    explanation: 'Set a retention.',
    complies: ifA(CfnLogGroup, ({ retentionInDays }) => retentionInDays > 0),
  },
  {
    id: 'CFN1',
    info: 'The stack has a custom resource.',
    explanation: 'It brings code and a role that nobody reviews, and the local run cannot provision it.',
    complies: ({ cfnResourceType }) =>
      !cfnResourceType.startsWith('Custom::') && cfnResourceType !== 'AWS::CloudFormation::CustomResource',
  },
];

/** This pipeline's own rules. */
export class IotPipelineChecks extends NagPack {
  readonly name = 'IotPipeline';

  constructor(scope?: IConstruct) {
    super(scope);
    this.packName = this.name;
  }

  protected checkResource(node: CfnResource): void {
    for (const { id, info, explanation, complies } of RULES) {
      this.applyRule({
        ruleSuffixOverride: id,
        info,
        explanation,
        level: NagMessageLevel.ERROR,
        node,
        rule: (resource): NagRuleResult => {
          const holds = complies(resource);
          if (holds === undefined) return NagRuleCompliance.NOT_APPLICABLE;
          return holds ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
        },
      });
    }
  }
}

/** A rule for resources of one L1 class. Its properties are resolved, member by member, when the rule reads them. */
function ifA(
  type: abstract new (...args: never[]) => CfnResource,
  complies: (properties: Properties) => boolean,
): Rule['complies'] {
  return (resource) => {
    if (!(resource instanceof type)) return undefined;
    const stack = Stack.of(resource);
    return complies(
      new Proxy(resource as Properties, {
        get: (target, name) => (name === 'node' ? target.node : stack.resolve(target[name])),
      }),
    );
  };
}

function list<T>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value as T];
}

function allowed(document: { Statement?: readonly Statement[] }): readonly Statement[] {
  return list(document.Statement).filter(({ Effect }) => Effect === 'Allow');
}

/** Each resource as text; the parts of a Fn::Join stand side by side. */
function texts(resources: unknown): string[] {
  return list(resources).map((resource) => (typeof resource === 'string' ? resource : JSON.stringify(resource)));
}
