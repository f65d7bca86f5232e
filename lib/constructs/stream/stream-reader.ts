import { Duration } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { StreamConsumer } from 'aws-cdk-lib/aws-kinesis';
import { Construct } from 'constructs';
import type { TelemetryStream } from './telemetry-stream';

/** One way to read the shards: what it needs, and what the service tells of it. */
export interface StreamReader {
  /** Undefined where shards are polled. */
  readonly consumerArn?: string;
  /** What a KCL worker calls, and no more. */
  grantRead(grantee: IGrantable): Grant;
  /** How far the slowest reader is behind, milliseconds. */
  metricLag(): Metric;
  metricRecords(): Metric;
  /** Reads refused by the service's limits. */
  metricThrottled(): Metric;
}

/** What both ways call: the shards are listed, the stream's retention is looked up. */
function grantDescribe(stream: TelemetryStream, grantee: IGrantable, ...actions: string[]): Grant {
  stream.key.grantDecrypt(grantee);
  return Grant.addToPrincipal({
    grantee,
    actions: ['kinesis:DescribeStreamSummary', 'kinesis:ListShards', ...actions],
    resourceArns: [stream.stream.streamArn],
  });
}

/** GetRecords: every application shares a shard's five calls and 2 MB a second with all others that poll it. */
export class PollingReader implements StreamReader {
  constructor(private readonly stream: TelemetryStream) {}

  grantRead(grantee: IGrantable): Grant {
    return grantDescribe(this.stream, grantee, 'kinesis:GetRecords', 'kinesis:GetShardIterator');
  }

  metricLag(): Metric {
    return this.stream.stream.metricGetRecordsIteratorAgeMilliseconds({
      statistic: Stats.MAXIMUM,
      period: Duration.minutes(1),
    });
  }

  metricRecords(): Metric {
    return this.stream.stream.metricGetRecords({ statistic: Stats.SUM, period: Duration.minutes(1) });
  }

  metricThrottled(): Metric {
    return this.stream.stream.metricReadProvisionedThroughputExceeded({
      statistic: Stats.SUM,
      period: Duration.minutes(5),
    });
  }
}

/** Unique on its stream. */
const CONSUMER_NAME = 'training-pipeline';

/**
 * Enhanced fan-out: the consumer is registered with the stream and has 2 MB a second of every shard to itself.
 * @see https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
 */
export class FanOutReader extends Construct implements StreamReader {
  private readonly consumer: StreamConsumer;

  constructor(
    scope: Construct,
    id: string,
    private readonly stream: TelemetryStream,
  ) {
    super(scope, id);
    this.consumer = new StreamConsumer(this, 'Resource', { stream: stream.stream, streamConsumerName: CONSUMER_NAME });
  }

  get consumerArn(): string {
    return this.consumer.streamConsumerArn;
  }

  grantRead(grantee: IGrantable): Grant {
    return grantDescribe(this.stream, grantee).combine(
      Grant.addToPrincipal({
        grantee,
        actions: ['kinesis:DescribeStreamConsumer', 'kinesis:SubscribeToShard'],
        resourceArns: [this.consumerArn],
      }),
    );
  }

  metricLag(): Metric {
    return this.metric('SubscribeToShardEvent.MillisBehindLatest', Stats.MAXIMUM, Duration.minutes(1));
  }

  metricRecords(): Metric {
    return this.metric('SubscribeToShardEvent.Records', Stats.SUM, Duration.minutes(1));
  }

  metricThrottled(): Metric {
    return this.metric('SubscribeToShard.RateExceeded', Stats.SUM, Duration.minutes(5));
  }

  private metric(metricName: string, statistic: string, period: Duration): Metric {
    return new Metric({
      namespace: 'AWS/Kinesis',
      metricName,
      dimensionsMap: { StreamName: this.stream.stream.streamName, ConsumerName: CONSUMER_NAME },
      statistic,
      period,
    });
  }
}
