/** FanOutApi over @aws-sdk/client-kinesis, which Kinesis answers over HTTP/2 only: the client's default handler. */
import {
  DescribeStreamConsumerCommand,
  SubscribeToShardCommand,
  type KinesisClient,
  type SubscribeToShardEventStream,
} from '@aws-sdk/client-kinesis';
import type { FanOutApi, FanOutEvent } from '../retrieval/fanout/fan-out-api';
import { captureDate, fromSdkChildShard, fromSdkRecord, sdkPosition } from './kinesis-shapes';

/** Exceptions in the stream are thrown by the client. Other events are ones that the service may send one day. */
async function* eventsOf(
  stream: AsyncIterable<SubscribeToShardEventStream>,
): AsyncGenerator<FanOutEvent, void, undefined> {
  for await (const { SubscribeToShardEvent: event } of stream) {
    if (!event) continue;
    yield {
      records: (event.Records ?? []).map(fromSdkRecord),
      millisBehindLatest: event.MillisBehindLatest ?? 0,
      // At the end of the shard the member is absent, null or empty.
      ...(event.ContinuationSequenceNumber ? { continuationSequenceNumber: event.ContinuationSequenceNumber } : {}),
      childShards: (event.ChildShards ?? []).map(fromSdkChildShard),
    };
  }
}

export function fanOutFromSdk(client: KinesisClient): FanOutApi {
  return {
    describeStreamConsumer: async ({ consumerArn }, abortSignal) => {
      const command = new DescribeStreamConsumerCommand({ ConsumerARN: consumerArn });
      const { ConsumerDescription } = await client.send(command, { abortSignal });
      return { status: ConsumerDescription?.ConsumerStatus ?? '' };
    },
    subscribeToShard: async ({ consumerArn, shardId, position }, abortSignal) => {
      const { ShardIteratorType, StartingSequenceNumber, Timestamp } = sdkPosition(position);
      const command = new SubscribeToShardCommand({
        ConsumerARN: consumerArn,
        ShardId: shardId,
        StartingPosition: { Type: ShardIteratorType, SequenceNumber: StartingSequenceNumber, Timestamp },
      });
      const captured = captureDate(command);
      const { EventStream } = await client.send(command, { abortSignal });
      if (!EventStream) throw new Error(`SubscribeToShard gave no event stream for shard ${shardId}.`);
      return { events: eventsOf(EventStream), ...captured };
    },
  };
}
