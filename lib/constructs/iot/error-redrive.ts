import { Duration } from 'aws-cdk-lib';
import { type Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { ErrorRedriveEnv } from '../../contracts/environment';
import { nodeFunction } from '../compute/node-function';
import { BufferQueue } from '../operations/buffer-queue';
import type { TelemetryStream } from '../stream/telemetry-stream';

export interface ErrorRedriveProps {
  readonly stream: TelemetryStream;
  readonly logRetention: Duration;
}

/** The rules' error queue, and the function that puts its messages on the stream after all. */
export class ErrorRedrive extends Construct {
  private readonly buffer: BufferQueue;
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: ErrorRedriveProps) {
    super(scope, id);
    this.function = nodeFunction(this, 'Function', {
      description: 'Puts readings whose rule action failed on the stream, in the same envelope',
      folder: 'error-redrive',
      environment: { [ErrorRedriveEnv.streamName]: props.stream.stream.streamName },
      timeout: Duration.seconds(30),
      logRetention: props.logRetention,
    });
    props.stream.grantPut(this.function);

    // A throttled or absent stream is the usual cause, so there is time: 12 hours of retries before the dead-letter queue.
    this.buffer = new BufferQueue(this, 'Queue', { consumerTimeout: Duration.seconds(30), maxReceiveCount: 240 });
    this.function.addEventSource(
      new SqsEventSource(this.buffer.queue, {
        batchSize: 100,
        maxBatchingWindow: Duration.seconds(5),
        reportBatchItemFailures: true,
        maxConcurrency: 2,
      }),
    );
  }

  get queue(): IQueue {
    return this.buffer.queue;
  }

  /** Age of the oldest reading that still waits to be put. */
  metricOldestMessageAge(): Metric {
    return this.buffer.queue.metricApproximateAgeOfOldestMessage({
      statistic: Stats.MAXIMUM,
      period: Duration.minutes(5),
    });
  }

  /** Readings given up. */
  metricDeadLetters(): Metric {
    return this.buffer.metricDeadLetters();
  }
}
