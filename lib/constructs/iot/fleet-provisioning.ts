import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Effect, ManagedPolicy, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnPolicy, CfnProvisioningTemplate } from 'aws-cdk-lib/aws-iot';
import { Construct } from 'constructs';
import { nodeFunction } from '../compute/node-function';
import type { DeviceIdentity } from './device-identity';
import { iotService } from './iot-service';

export interface FleetProvisioningProps {
  /** Lower-case letters, digits, hyphens and underscores, at most 36: devices spell it out in topics. */
  readonly templateName: string;
  readonly identity: DeviceIdentity;
  readonly logRetention: Duration;
}

/** Client ids of devices that have only a claim: apart from thing names, so that a stolen claim disconnects no device. */
const CLAIM_CLIENT_PREFIX = 'claim-';

/**
 * Provisioning by claim: a device that left the factory with a shared claim certificate exchanges it for one of its own. The
 * hook lets it have only the name of a thing that was registered ahead and has no certificate yet; of two that ask in the
 * same moment both may be answered, which the audit finds (CONFLICTING_CLIENT_IDS_CHECK).
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/provision-wo-cert.html#claim-based
 */
export class FleetProvisioning extends Construct {
  readonly template: CfnProvisioningTemplate;
  /** Attach it to claim certificates, and to nothing else. */
  readonly claimPolicy: CfnPolicy;

  constructor(scope: Construct, id: string, props: FleetProvisioningProps) {
    super(scope, id);
    const { templateName } = props;
    const hook = nodeFunction(this, 'Hook', {
      description: 'Decides whether a device may be provisioned by claim',
      folder: 'provisioning-hook',
      environment: {},
      // AWS IoT waits for five seconds.
      timeout: Duration.seconds(5),
      logRetention: props.logRetention,
    });
    hook.addToRolePolicy(
      new PolicyStatement({
        actions: ['iot:DescribeThing', 'iot:ListThingPrincipals'],
        resources: [this.iotArn('thing', '*')],
      }),
    );

    const role = new Role(this, 'Role', {
      description: 'AWS IoT registers devices by claim',
      assumedBy: iotService(this),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSIoTThingsRegistration')],
    });
    this.template = new CfnProvisioningTemplate(this, 'Template', {
      templateName,
      description: 'Devices by claim',
      enabled: true,
      templateType: 'FLEET_PROVISIONING',
      provisioningRoleArn: role.roleArn,
      preProvisioningHook: { payloadVersion: '2020-04-01', targetArn: hook.functionArn },
      templateBody: Stack.of(this).toJsonString(templateBody(props.identity.policy.ref)),
    });
    hook.addPermission('Provisioning', {
      principal: new ServicePrincipal('iot.amazonaws.com'),
      sourceAccount: Stack.of(this).account,
      sourceArn: this.iotArn('provisioningtemplate', templateName),
    });

    const reserved = [`$aws/certificates/create/*`, `$aws/provisioning-templates/${templateName}/provision/*`];
    const allow = (sid: string, actions: string[], resources: string[]): PolicyStatement =>
      new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources });
    this.claimPolicy = new CfnPolicy(this, 'ClaimPolicy', {
      policyDocument: new PolicyDocument({
        statements: [
          allow('ConnectToClaim', ['iot:Connect'], [this.iotArn('client', `${CLAIM_CLIENT_PREFIX}*`)]),
          allow(
            'AskAndBeAnswered',
            ['iot:Publish', 'iot:Receive'],
            reserved.map((topic) => this.iotArn('topic', topic)),
          ),
          allow(
            'WaitForTheAnswer',
            ['iot:Subscribe'],
            reserved.map((topic) => this.iotArn('topicfilter', topic)),
          ),
        ],
      }),
    });
  }

  private iotArn(resource: string, resourceName: string): string {
    return Stack.of(this).formatArn({
      service: 'iot',
      resource,
      resourceName,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }
}

/** The thing is there already, with what the operator gave it: the device gets its certificate and the device policy. */
function templateBody(devicePolicyName: string): object {
  return {
    Parameters: { ThingName: { Type: 'String' }, 'AWS::IoT::Certificate::Id': { Type: 'String' } },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: { ThingName: { Ref: 'ThingName' } },
        OverrideSettings: { AttributePayload: 'MERGE', ThingTypeName: 'DO_NOTHING', ThingGroups: 'DO_NOTHING' },
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'Active' },
      },
      policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: devicePolicyName } },
    },
  };
}
