/** What the library calls of Kinesis for enhanced fan-out. Only infrastructure registers consumers; here they are looked at. */
import type { ChildShard, IteratorPosition, KinesisRecord } from '../../dependencies';

export interface FanOutEvent {
  readonly records: readonly KinesisRecord[];
  readonly millisBehindLatest: number;
  /** Where the next subscription goes on, AFTER_SEQUENCE_NUMBER; absent at the end of the shard. */
  readonly continuationSequenceNumber?: string;
  readonly childShards: readonly ChildShard[];
}

export interface FanOutSubscription {
  /**
   * An event is fetched when it is asked for, so that a reader that does not ask is one that the service waits for. Done after
   * five minutes, or at the end of the shard; rejects with the service's error.
   */
  readonly events: AsyncIterator<FanOutEvent, unknown, undefined>;
  /** The response's Date header, epoch milliseconds (whole seconds). */
  readonly date?: number;
}

/** Errors carry the service's error name in `name` (`ResourceInUseException`, `LimitExceededException`, …). */
export interface FanOutApi {
  /** `status` as the service has it: CREATING, ACTIVE or DELETING. */
  describeStreamConsumer(
    input: { readonly consumerArn: string },
    signal?: AbortSignal,
  ): Promise<{ readonly status: string }>;
  /** The signal ends the subscription, also after it began. */
  subscribeToShard(
    input: { readonly consumerArn: string; readonly shardId: string; readonly position: IteratorPosition },
    signal: AbortSignal,
  ): Promise<FanOutSubscription>;
}
