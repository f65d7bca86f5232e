import type { Duration } from 'aws-cdk-lib';
import { RemovalPolicy } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  type IVpc,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface IsolatedNetworkProps {
  readonly logRetention: Duration;
}

/**
 * What a consumer task calls, the image pull and its logs included; its metrics are log lines. S3 and DynamoDB have
 * gateways, which cost nothing.
 */
const INTERFACE_ENDPOINTS = {
  Kinesis: InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
  EcrApi: InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
};

/** A VPC without a way out: no internet gateway, no NAT; AWS services by endpoints only. */
export class IsolatedNetwork extends Construct {
  readonly vpc: IVpc;
  /** For tasks: nothing comes in, and out goes only HTTPS to the endpoints. */
  readonly taskSecurityGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, props: IsolatedNetworkProps) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'tasks', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 22 }],
      // The flag that is on in cdk.json empties the default group by a custom resource; nothing here uses that group.
      restrictDefaultSecurityGroup: false,
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    });
    vpc.addFlowLog('FlowLog', {
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLogs', {
          retention: props.logRetention.toDays(),
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      ),
    });

    const endpointSecurityGroup = new SecurityGroup(this, 'EndpointSecurityGroup', {
      vpc,
      description: 'Interface endpoints: HTTPS from consumer tasks',
      allowAllOutbound: false,
    });
    this.taskSecurityGroup = new SecurityGroup(this, 'TaskSecurityGroup', {
      vpc,
      description: 'Consumer tasks: HTTPS out, nothing in',
      allowAllOutbound: false,
    });
    // Any address: those of S3 and DynamoDB are public, and beyond the endpoints no route leads out.
    this.taskSecurityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'Endpoints and gateways');
    endpointSecurityGroup.addIngressRule(this.taskSecurityGroup, Port.HTTPS, 'Consumer tasks');

    for (const [name, service] of Object.entries(INTERFACE_ENDPOINTS)) {
      vpc.addInterfaceEndpoint(name, { service, securityGroups: [endpointSecurityGroup], open: false });
    }
    this.vpc = vpc;
  }
}
