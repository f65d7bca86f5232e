import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { UseCase } from '../../use-cases/define-use-case';
import { DeviceIdentity } from '../constructs/iot/device-identity';
import { ErrorRedrive } from '../constructs/iot/error-redrive';
import { FleetProvisioning } from '../constructs/iot/fleet-provisioning';
import { TelemetryRule } from '../constructs/iot/telemetry-rule';
import type { TelemetryStream } from '../constructs/stream/telemetry-stream';
import type { PipelineStackProps } from './stack-props';

export interface IngestStackProps extends PipelineStackProps {
  readonly useCases: readonly UseCase[];
  readonly stream: TelemetryStream;
}

/** From the devices to the stream. */
export class IngestStack extends Stack {
  readonly rules: readonly TelemetryRule[];
  readonly errorRedrive: ErrorRedrive;
  readonly identity: DeviceIdentity;

  constructor(scope: Construct, id: string, props: IngestStackProps) {
    super(scope, id, props);
    const { config, stream } = props;
    this.errorRedrive = new ErrorRedrive(this, 'ErrorRedrive', {
      stream,
      logRetention: config.operations.logRetention,
    });
    this.rules = props.useCases.map(
      ({ name }) =>
        new TelemetryRule(this, `Rule-${name}`, {
          useCase: name,
          namePrefix: `telemetry_${config.name}`,
          stream,
          errorQueue: this.errorRedrive.queue,
        }),
    );
    this.identity = new DeviceIdentity(this, 'Devices', { rules: this.rules });
    if (config.provisionByClaim) {
      const provisioning = new FleetProvisioning(this, 'Provisioning', {
        templateName: `telemetry_${config.name}`,
        identity: this.identity,
        logRetention: config.operations.logRetention,
      });
      new CfnOutput(this, 'ProvisioningTemplateName', { value: provisioning.template.ref });
      new CfnOutput(this, 'ClaimPolicyName', { value: provisioning.claimPolicy.ref });
    }
    new CfnOutput(this, 'DevicePolicyName', { value: this.identity.policy.ref });
    for (const [useCase, thingType] of this.identity.thingTypes) {
      new CfnOutput(this, `ThingTypeName-${useCase}`, { value: thingType.ref });
    }
  }
}
