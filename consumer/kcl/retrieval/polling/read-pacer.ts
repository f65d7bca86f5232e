/**
 * When a shard may be read next. Kinesis allows 5 GetRecords and 2 MB a second per shard, for all its consumers together;
 * a read of 10 MB makes the following ones fail for 5 s.
 */
import { backoffMillis } from '../../common/timing';

const MIN_SPACING_MILLIS = 200;
const BYTES_PER_MILLI = 2_000;
const MAX_PENALTY_MILLIS = 10_000;

export class ReadPacer {
  private penalty = 0;
  private failures = 0;

  constructor(
    /** Milliseconds after a read that reached the tip. */
    private readonly idleTime: number,
    private readonly random: () => number,
  ) {}

  /** Milliseconds to wait after a read that gave `bytes`. A throttled shard recovers its pace step by step. */
  afterRead(bytes: number, atTip: boolean): number {
    this.failures = 0;
    this.penalty = this.penalty < MIN_SPACING_MILLIS ? 0 : this.penalty * 0.75;
    const fair = Math.max(MIN_SPACING_MILLIS, bytes / BYTES_PER_MILLI) + this.penalty;
    return atTip ? Math.max(fair, this.idleTime) : fair;
  }

  /** Milliseconds to wait after a throttled read: others read the shard too, so the spacing grows. */
  afterThrottle(): number {
    this.penalty = Math.min(MAX_PENALTY_MILLIS, Math.max(2 * MIN_SPACING_MILLIS, this.penalty * 2));
    return this.penalty / 2 + (this.penalty / 2) * this.random();
  }

  /** Milliseconds to wait after another failure. */
  afterFailure(): number {
    return backoffMillis(this.failures++, MIN_SPACING_MILLIS, MAX_PENALTY_MILLIS, this.random);
  }
}
