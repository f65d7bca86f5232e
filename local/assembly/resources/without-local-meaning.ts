/**
 * Resource types that change nothing about the way of a reading on one machine. They are not provisioned; `Ref` and
 * `Fn::GetAtt` give values of the shape that AWS would give, the same in every run.
 */
import { ACCOUNT_ID, arn, digest, physicalName, uuidOf } from '../names';
import { optionalText } from '../provisioner';
import type { Provisioned, Provisioner, ResourceRequest } from '../provisioner';

type Synthesize = (resource: ResourceRequest, name: string) => Provisioned;

/** `vpc-0123456789abcdef0` */
function id(prefix: string, { stack, logicalId }: ResourceRequest): string {
  return `${prefix}-${digest('id', stack, logicalId).slice(0, 17)}`;
}

const named: Synthesize = (_resource, name) => ({ physicalId: name });

function ec2(prefix: string, attribute: string): Synthesize {
  return (resource) => ({ physicalId: id(prefix, resource), attributes: { [attribute]: id(prefix, resource) } });
}

function withArn(service: string, resourcePath: (name: string) => string): Synthesize {
  return (_resource, name) => ({ physicalId: name, attributes: { Arn: arn(service, resourcePath(name)) } });
}

/** Type, why it needs nothing here, and its values. The table of docs/architecture.md is this one. */
export const WITHOUT_LOCAL_MEANING: Readonly<
  Record<string, { readonly why: string; readonly synthesize: Synthesize }>
> = {
  'AWS::CDK::Metadata': { why: 'usage statistics of the CDK', synthesize: named },

  // Everything here is on loopback.
  'AWS::EC2::VPC': {
    why: 'no network between processes of one machine',
    synthesize: (resource) => ({
      physicalId: id('vpc', resource),
      attributes: {
        VpcId: id('vpc', resource),
        CidrBlock: resource.properties['CidrBlock'],
        DefaultSecurityGroup: id('sg', resource),
        DefaultNetworkAcl: id('acl', resource),
      },
    }),
  },
  'AWS::EC2::Subnet': {
    why: 'as the VPC',
    synthesize: (resource) => ({
      physicalId: id('subnet', resource),
      attributes: {
        SubnetId: id('subnet', resource),
        VpcId: resource.properties['VpcId'],
        AvailabilityZone: resource.properties['AvailabilityZone'],
        CidrBlock: resource.properties['CidrBlock'],
      },
    }),
  },
  'AWS::EC2::RouteTable': { why: 'as the VPC', synthesize: ec2('rtb', 'RouteTableId') },
  'AWS::EC2::Route': { why: 'as the VPC', synthesize: named },
  'AWS::EC2::SubnetRouteTableAssociation': { why: 'as the VPC', synthesize: ec2('rtbassoc', 'Id') },
  'AWS::EC2::SecurityGroup': { why: 'as the VPC', synthesize: ec2('sg', 'GroupId') },
  'AWS::EC2::SecurityGroupIngress': { why: 'as the VPC', synthesize: ec2('sgr', 'Id') },
  'AWS::EC2::SecurityGroupEgress': { why: 'as the VPC', synthesize: ec2('sgr', 'Id') },
  'AWS::EC2::VPCEndpoint': { why: 'as the VPC', synthesize: ec2('vpce', 'Id') },
  'AWS::EC2::FlowLog': { why: 'as the VPC', synthesize: ec2('fl', 'Id') },
  'AWS::EC2::InternetGateway': { why: 'as the VPC', synthesize: ec2('igw', 'InternetGatewayId') },
  'AWS::EC2::VPCGatewayAttachment': { why: 'as the VPC', synthesize: named },
  'AWS::EC2::EIP': { why: 'as the VPC', synthesize: ec2('eipalloc', 'AllocationId') },
  'AWS::EC2::NatGateway': { why: 'as the VPC', synthesize: ec2('nat', 'NatGatewayId') },

  // Nothing is encrypted on one's own disk.
  'AWS::KMS::Key': {
    why: 'state is on the own disk, unencrypted',
    synthesize: ({ stack, logicalId }) => {
      const keyId = uuidOf('key', stack, logicalId);
      return { physicalId: keyId, attributes: { KeyId: keyId, Arn: arn('kms', `key/${keyId}`) } };
    },
  },
  'AWS::KMS::Alias': {
    why: 'as the key',
    synthesize: ({ properties }, name) => ({ physicalId: optionalText(properties, 'AliasName') ?? `alias/${name}` }),
  },

  // Who may call what is not enforced yet; the request log names the role of each call.
  'AWS::IAM::Policy': { why: 'permissions are not enforced', synthesize: named },
  'AWS::IAM::ManagedPolicy': {
    why: 'permissions are not enforced',
    synthesize: (_resource, name) => {
      const policyArn = `arn:aws:iam::${ACCOUNT_ID}:policy/${name}`;
      return { physicalId: policyArn, attributes: { PolicyArn: policyArn } };
    },
  },
  'AWS::SQS::QueuePolicy': { why: 'permissions are not enforced', synthesize: named },
  'AWS::SNS::TopicPolicy': { why: 'permissions are not enforced', synthesize: named },
  'AWS::Lambda::Permission': { why: 'permissions are not enforced', synthesize: named },
  'AWS::Kinesis::ResourcePolicy': { why: 'permissions are not enforced', synthesize: named },
  'AWS::LakeFormation::PrincipalPermissions': { why: 'permissions are not enforced', synthesize: named },

  // Logs are files in the state directory; there are no metrics to watch.
  'AWS::Logs::LogGroup': {
    why: 'logs are files in the state directory',
    synthesize: ({ properties }, name) => {
      const group = optionalText(properties, 'LogGroupName') ?? name;
      return { physicalId: group, attributes: { Arn: `${arn('logs', `log-group:${group}`)}:*` } };
    },
  },
  'AWS::Logs::MetricFilter': { why: 'no metrics', synthesize: named },
  'AWS::CloudWatch::Alarm': { why: 'no metrics', synthesize: withArn('cloudwatch', (name) => `alarm:${name}`) },
  'AWS::CloudWatch::CompositeAlarm': {
    why: 'no metrics',
    synthesize: withArn('cloudwatch', (name) => `alarm:${name}`),
  },
  'AWS::CloudWatch::Dashboard': {
    why: 'no metrics',
    synthesize: ({ properties }, name) => ({ physicalId: optionalText(properties, 'DashboardName') ?? name }),
  },

  // The desired count stays what the template says.
  'AWS::ApplicationAutoScaling::ScalableTarget': {
    why: 'no scaling on one machine',
    synthesize: ({ properties }) => {
      const parts = ['ResourceId', 'ScalableDimension', 'ServiceNamespace'].map(
        (part) => optionalText(properties, part) ?? '',
      );
      return { physicalId: parts.join('|'), attributes: { Id: parts.join('|') } };
    },
  },
  'AWS::ApplicationAutoScaling::ScalingPolicy': {
    why: 'no scaling on one machine',
    synthesize: ({ stack, logicalId }, name) => {
      const policyArn = arn('autoscaling', `scalingPolicy:${uuidOf('scaling', stack, logicalId)}:policyName/${name}`);
      return { physicalId: policyArn, attributes: { Arn: policyArn } };
    },
  },
  'AWS::ECS::ClusterCapacityProviderAssociations': { why: 'one machine is the only capacity', synthesize: named },

  // Queries and device fleets' care are an account's.
  'AWS::Athena::WorkGroup': {
    why: 'query the Parquet files with any tool',
    synthesize: ({ properties }, name) => ({ physicalId: optionalText(properties, 'Name') ?? name }),
  },
  'AWS::IoT::Logging': { why: 'an account-wide setting', synthesize: () => ({ physicalId: ACCOUNT_ID }) },
  'AWS::IoT::AccountAuditConfiguration': {
    why: 'an account-wide setting',
    synthesize: () => ({ physicalId: ACCOUNT_ID }),
  },
  'Custom::S3AutoDeleteObjects': { why: 'acts only when a stack is deleted', synthesize: named },
  'Custom::VpcRestrictDefaultSG': { why: 'as the VPC', synthesize: named },
};

export function withoutLocalMeaning(type: string): Provisioner | undefined {
  const entry = WITHOUT_LOCAL_MEANING[type];
  if (entry === undefined) return undefined;
  return async (resource) =>
    entry.synthesize(resource, physicalName(resource.stack, resource.logicalId, { maximumLength: 128 }));
}
