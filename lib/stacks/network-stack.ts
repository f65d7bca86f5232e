import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { IsolatedNetwork } from '../constructs/compute/isolated-network';
import type { PipelineStackProps } from './stack-props';

/** Where the consumer's tasks run. */
export class NetworkStack extends Stack {
  readonly network: IsolatedNetwork;
  private readonly zones: readonly string[] | undefined;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, props);
    this.zones = props.config.target?.availabilityZones;
    this.network = new IsolatedNetwork(this, 'Network', { logRetention: props.config.operations.logRetention });
  }

  /** From the configuration: with an account and region given, CDK would look the zones up, which needs credentials. */
  override get availabilityZones(): string[] {
    return this.zones ? [...this.zones] : super.availabilityZones;
  }
}
