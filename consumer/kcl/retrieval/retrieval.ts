/** Which way a shard's records come. */
import { fanOutPublisher } from './fanout/fan-out-retrieval';
import { pollingPublisher, type PollingContext } from './polling/polling-retrieval';
import type { RecordsPublisher } from './records-publisher';

/**
 * Enhanced fan-out where the configuration names a consumer, else polling.
 * @param onProgress called at every sign of life of the reader
 */
export function recordsPublisher(context: PollingContext, shardId: string, onProgress: () => void): RecordsPublisher {
  const { consumerArn } = context.config;
  if (consumerArn === undefined) return pollingPublisher(context, shardId, onProgress);
  return fanOutPublisher(context, consumerArn, shardId, onProgress);
}
