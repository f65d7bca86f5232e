import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { TelemetryStream } from '../constructs/stream/telemetry-stream';
import { dataRemovalPolicy, type PipelineStackProps } from './stack-props';

/** Readings on their way. */
export class StreamStack extends Stack {
  readonly stream: TelemetryStream;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, { ...props, terminationProtection: props.config.data.deletionProtection });
    this.stream = new TelemetryStream(this, 'Telemetry', {
      ...props.config.stream,
      removalPolicy: dataRemovalPolicy(props.config),
    });
    new CfnOutput(this, 'StreamName', { value: this.stream.stream.streamName });
  }
}
