/**
 * Enhanced fan-out: SubscribeToShard as a stream of events, pushed when records arrive.
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
 */
import { AwsError } from '../../gateway/service';
import { optionalString, optionalTimestamp, requiredString, structure } from './input';
import type { Input } from './input';
import { consumerStatus, findConsumerByArn } from './operations-consumers';
import { describeRecord, ITERATOR_TYPES, readShard, resolvePosition, SEQUENCE_NUMBER } from './operations-records';
import { describeChildren } from './operations-shards';
import type { KinesisState } from './state';
import type { Shard, Stream } from './stream';
import { READ_BYTES_PER_SECOND } from './throttle';

const SUBSCRIPTION_MS = 300_000;
const CALL_INTERVAL_MS = 1_000;
const TAKE_OVER_AFTER_MS = 5_000;
/** An event without records shows that the subscription lives. */
const IDLE_EVENT_MS = 1_000;
const MAXIMUM_EVENT_BYTES = 1 << 20;
const MAXIMUM_EVENT_RECORDS = 10_000;

/** Wire-shaped. */
export interface SubscribeToShardEvent {
  readonly Records: readonly Record<string, unknown>[];
  /** Where the next subscription goes on, AFTER_SEQUENCE_NUMBER; absent at the end of the shard. */
  readonly ContinuationSequenceNumber?: string;
  readonly MillisBehindLatest: number;
  readonly ChildShards?: readonly Record<string, unknown>[];
}

class Subscription {
  takenOver = false;
  private wakeUp: (() => void) | undefined;

  /** Resolves after `ms`, or at `wake`. */
  wait(state: KinesisState, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = state.clock.after(ms, resolve);
      this.wakeUp = () => {
        cancel();
        resolve();
      };
    });
  }

  wake(): void {
    this.wakeUp?.();
  }
}

interface Seat {
  calledAt: number;
  subscribedAt: number;
  subscription?: Subscription;
}

export class Subscriptions {
  /** By consumer and shard. */
  private readonly seats = new Map<string, Seat>();
  private readonly live = new Map<Subscription, Stream>();

  constructor(private readonly state: KinesisState) {}

  /**
   * Ends after five minutes, or after the event with ChildShards; throws ResourceInUseException once a later
   * subscription takes over.
   * @throws AwsError as the API documents, before the first event.
   */
  subscribe(input: Input): AsyncGenerator<SubscribeToShardEvent, void, void> {
    const consumerArn = requiredString(input, 'ConsumerARN');
    const shardName = requiredString(input, 'ShardId', { min: 1, max: 128 });
    const position = structure(input['StartingPosition'], 'StartingPosition');
    const type = requiredString(position, 'Type', { values: ITERATOR_TYPES });
    const sequenceNumber = optionalString(position, 'SequenceNumber', SEQUENCE_NUMBER);
    const timestamp = optionalTimestamp(position, 'Timestamp');
    const { stream, consumer } = findConsumerByArn(this.state, consumerArn);
    const shard = this.state.shard(stream, shardName);
    const now = this.state.clock.now();
    if (consumerStatus(consumer, now) !== 'ACTIVE') throw inUse(`Consumer ${consumerArn} is not ACTIVE.`);
    const seat = this.seatOf(`${consumerArn} ${shardName}`, now);
    const counter = resolvePosition(this.state, stream, shard, { type, sequenceNumber, timestamp });

    if (seat.subscription !== undefined) {
      seat.subscription.takenOver = true;
      seat.subscription.wake();
    }
    const subscription = new Subscription();
    seat.subscription = subscription;
    seat.subscribedAt = now;
    this.live.set(subscription, stream);
    return this.events(seat, subscription, stream, shard, counter);
  }

  /** Records or shards of the stream changed, durably. */
  notify(stream: Stream): void {
    for (const [subscription, subscribed] of this.live) if (subscribed === stream) subscription.wake();
  }

  /** @throws AwsError LimitExceededException, ResourceInUseException */
  private seatOf(name: string, now: number): Seat {
    const seat = this.seats.get(name) ?? { calledAt: -Infinity, subscribedAt: -Infinity };
    this.seats.set(name, seat);
    const [sinceCall, sinceSubscription] = [now - seat.calledAt, now - seat.subscribedAt];
    if (sinceCall < CALL_INTERVAL_MS && this.state.limits !== 'off') {
      throw new AwsError(
        'LimitExceededException',
        'SubscribeToShard can be called once per second for a consumer and shard.',
      );
    }
    seat.calledAt = now;
    if (sinceSubscription < TAKE_OVER_AFTER_MS && this.state.limits !== 'off') {
      throw inUse(
        `Another active subscription exists for this consumer and shard: ${name}; it can be taken over after 5 seconds.`,
      );
    }
    return seat;
  }

  private async *events(
    seat: Seat,
    subscription: Subscription,
    stream: Stream,
    shard: Shard,
    from: number,
  ): AsyncGenerator<SubscribeToShardEvent, void, void> {
    const { state } = this;
    const end = state.clock.now() + SUBSCRIPTION_MS;
    let counter = from;
    let eventAt = -Infinity;
    try {
      for (;;) {
        if (subscription.takenOver) throw inUse('Another subscription of this consumer to this shard took over.');
        const now = state.clock.now();
        if (now >= end) return;
        const read = readShard(state, stream, shard, counter, MAXIMUM_EVENT_RECORDS, MAXIMUM_EVENT_BYTES);
        const atEnd = read.nextCounter === undefined;
        if (read.records.length === 0 && !atEnd && now - eventAt < IDLE_EVENT_MS) {
          await subscription.wait(state, Math.min(IDLE_EVENT_MS - (now - eventAt), end - now));
          continue;
        }
        eventAt = now;
        counter = read.nextCounter ?? counter;
        yield {
          Records: read.records.map((record) => describeRecord(stream, shard, record)),
          MillisBehindLatest: read.millisBehindLatest,
          ...(atEnd
            ? { ChildShards: describeChildren(stream, shard) }
            : { ContinuationSequenceNumber: stream.sequenceNumber(shard, counter - 1) }),
        };
        if (atEnd) return;
        const pause = state.limits === 'off' ? 0 : Math.floor((read.bytes * 1_000) / READ_BYTES_PER_SECOND);
        for (const until = now + pause; state.clock.now() < until && !subscription.takenOver;) {
          await subscription.wait(state, until - state.clock.now());
        }
      }
    } finally {
      this.live.delete(subscription);
      if (seat.subscription === subscription) delete seat.subscription;
    }
  }
}

function inUse(message: string): AwsError {
  return new AwsError('ResourceInUseException', message);
}
