/**
 * When a shard may be subscribed to again. For a consumer and a shard Kinesis allows one SubscribeToShard a second, and a new
 * subscription in the place of another one only five seconds after that began.
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
 */
import { errorName } from '../../common/errors';
import { backoffMillis } from '../../common/timing';

const CALL_INTERVAL_MILLIS = 1_000;
const SUBSCRIPTION_INTERVAL_MILLIS = 5_000;
const JITTER_MILLIS = 1_000;
const MAX_BACKOFF_MILLIS = 30_000;

/** All times are of one monotonic clock, in milliseconds. */
export class SubscriptionPacer {
  private notBefore = -Infinity;
  private failures = 0;

  constructor(
    /** How long a worker may go on that has lost its lease without knowing. */
    private readonly failoverTime: number,
    private readonly random: () => number,
  ) {}

  /** Milliseconds to wait before the next call. */
  delay(now: number): number {
    return Math.max(0, this.notBefore - now);
  }

  /** A call was answered with a subscription. */
  subscribed(now: number): void {
    this.waitUntil(now + SUBSCRIPTION_INTERVAL_MILLIS);
  }

  /** An event came: the subscription works. */
  received(): void {
    this.failures = 0;
  }

  /** A call failed, or was given up. */
  callFailed(now: number, error: unknown): void {
    const inUse = errorName(error) === 'ResourceInUseException';
    this.waitUntil(
      now +
        (inUse
          ? SUBSCRIPTION_INTERVAL_MILLIS + JITTER_MILLIS * this.random()
          : Math.max(CALL_INTERVAL_MILLIS, this.backoff())),
    );
  }

  /**
   * A subscription broke off. Where another one took its place, that is most likely the shard's new owner, and this worker is
   * about to hear of it: taking the place back at once would stop the one that has the lease.
   */
  subscriptionFailed(now: number, error: unknown): void {
    const takenOver = errorName(error) === 'ResourceInUseException';
    this.waitUntil(now + (takenOver ? this.failoverTime + JITTER_MILLIS * this.random() : this.backoff()));
  }

  private backoff(): number {
    return backoffMillis(this.failures++, CALL_INTERVAL_MILLIS, MAX_BACKOFF_MILLIS, this.random);
  }

  private waitUntil(time: number): void {
    this.notBefore = Math.max(this.notBefore, time);
  }
}
