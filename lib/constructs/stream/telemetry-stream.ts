import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { type Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { Construct } from 'constructs';
import type { StreamConfig } from '../../config/schema';

export interface TelemetryStreamProps extends StreamConfig {
  /** What becomes of stream and key when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
}

/** The stream that every use case's readings pass through, encrypted with a key of its own. */
export class TelemetryStream extends Construct {
  readonly stream: Stream;
  readonly key: IKey;

  constructor(scope: Construct, id: string, props: TelemetryStreamProps) {
    super(scope, id);
    this.key = new Key(this, 'Key', {
      description: 'Telemetry on its way: the Kinesis stream',
      enableKeyRotation: true,
      removalPolicy: props.removalPolicy,
    });
    this.stream = new Stream(this, 'Resource', {
      ...(props.capacity.mode === 'on-demand'
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: props.capacity.shards }),
      retentionPeriod: props.retention,
      encryption: StreamEncryption.KMS,
      encryptionKey: this.key,
      removalPolicy: props.removalPolicy,
    });
  }

  /** Put records, as IoT rules and the redrive function do. */
  grantPut(grantee: IGrantable): Grant {
    this.key.grant(grantee, 'kms:GenerateDataKey');
    return Grant.addToPrincipal({
      grantee,
      actions: ['kinesis:PutRecord', 'kinesis:PutRecords'],
      resourceArns: [this.stream.streamArn],
    });
  }

  metricIncomingRecords(): Metric {
    return this.stream.metricIncomingRecords({ statistic: Stats.SUM, period: Duration.minutes(1) });
  }

  metricIncomingBytes(): Metric {
    return this.stream.metricIncomingBytes({ statistic: Stats.SUM, period: Duration.minutes(1) });
  }

  /** Puts refused because a shard was full. */
  metricWriteThrottled(): Metric {
    return this.stream.metricWriteProvisionedThroughputExceeded({ statistic: Stats.SUM, period: Duration.minutes(5) });
  }
}
