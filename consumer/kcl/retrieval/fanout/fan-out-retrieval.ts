/** Enhanced fan-out as a way of retrieval: what makes a publisher for a shard, and the look at the consumer before that. */
import { errorName, InvalidStateError } from '../../common/errors';
import { withTimeout } from '../../common/timing';
import type { SchedulerConfig } from '../../config';
import type { Clock, KinesisApi } from '../../dependencies';
import type { PollingContext } from '../polling/polling-retrieval';
import type { RecordsPublisher } from '../records-publisher';
import type { FanOutApi } from './fan-out-api';
import { FanOutRecordsPublisher } from './fan-out-records-publisher';
import { SubscriptionPacer } from './subscription-pacer';

function fanOutOf(kinesis: KinesisApi): FanOutApi {
  if (kinesis.fanOut) return kinesis.fanOut;
  throw new InvalidStateError(
    'config.consumerArn asks for enhanced fan-out, but dependencies.kinesis has no fanOut; adapters.kinesisFromSdk makes one.',
  );
}

/**
 * The consumer is infrastructure, as the stream is: it is looked at, never registered.
 * @throws InvalidStateError where there is no such consumer, or it is being deleted; Error while it is being created
 */
export async function verifyConsumer(
  kinesis: KinesisApi,
  clock: Clock,
  { consumerArn, kinesisRequestTimeoutMillis }: SchedulerConfig,
): Promise<void> {
  if (consumerArn === undefined) return;
  const fanOut = fanOutOf(kinesis);
  const advice = 'register one (AWS::Kinesis::StreamConsumer) and give its ARN as config.consumerArn';
  try {
    const { status } = await withTimeout(
      clock,
      kinesisRequestTimeoutMillis,
      'Kinesis DescribeStreamConsumer',
      (signal) => fanOut.describeStreamConsumer({ consumerArn }, signal),
    );
    if (status === 'ACTIVE') return;
    if (status === 'CREATING') throw new Error(`Consumer ${consumerArn} is still being created.`);
    throw new InvalidStateError(`Consumer ${consumerArn} is ${status}; ${advice}.`);
  } catch (error) {
    if (errorName(error) !== 'ResourceNotFoundException') throw error;
    throw new InvalidStateError(`There is no consumer ${consumerArn}; ${advice}.`, { cause: error });
  }
}

/** @param onProgress called at every event */
export function fanOutPublisher(
  context: PollingContext,
  consumerArn: string,
  shardId: string,
  onProgress: () => void,
): RecordsPublisher {
  const { config, dependencies, shardDetector, budget, log } = context;
  const { clock, random, metrics, kinesis } = dependencies;
  return new FanOutRecordsPublisher({
    fanOut: fanOutOf(kinesis),
    consumerArn,
    shardId,
    pacer: new SubscriptionPacer(config.failoverTimeMillis, random),
    budget,
    shardDetector,
    clock,
    log,
    metrics,
    inactivityTimeout: config.kinesisRequestTimeoutMillis,
    onProgress,
  });
}
