/** Throughput limits of a shard as token buckets on the engine's clock. */

/** Holds one second's worth; a charge may overdraw it once, and then the debt is paid off before the next. */
export class TokenBucket {
  private tokens: number;
  private updated: number;

  constructor(
    private readonly perSecond: number,
    now: number,
  ) {
    this.tokens = perSecond;
    this.updated = now;
  }

  /** Tokens at `now`; negative while a debt is paid off. */
  available(now: number): number {
    this.tokens = Math.min(this.perSecond, this.tokens + (Math.max(0, now - this.updated) * this.perSecond) / 1_000);
    this.updated = Math.max(now, this.updated);
    return this.tokens;
  }

  take(amount: number): void {
    this.tokens -= amount;
  }

  /** As `take`, but what was saved up does not shorten the debt: 10 MB at 2 MB/s block for 5 s. */
  overdraw(amount: number): void {
    this.tokens = amount > this.tokens ? -amount : this.tokens - amount;
  }
}

/** @see https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
export const WRITE_BYTES_PER_SECOND = 1 << 20;
export const WRITE_RECORDS_PER_SECOND = 1_000;
export const READ_BYTES_PER_SECOND = 2 << 20;
export const READS_PER_SECOND = 5;

export class ShardThrottle {
  private readonly writtenBytes: TokenBucket;
  private readonly writtenRecords: TokenBucket;
  private readonly readBytes: TokenBucket;
  private readonly reads: TokenBucket;

  constructor(now: number) {
    this.writtenBytes = new TokenBucket(WRITE_BYTES_PER_SECOND, now);
    this.writtenRecords = new TokenBucket(WRITE_RECORDS_PER_SECOND, now);
    this.readBytes = new TokenBucket(READ_BYTES_PER_SECOND, now);
    this.reads = new TokenBucket(READS_PER_SECOND, now);
  }

  /** False, and nothing taken, where the record exceeds what the shard takes now. A full bucket takes any one record. */
  admitWrite(bytes: number, now: number): boolean {
    const available = this.writtenBytes.available(now);
    if (this.writtenRecords.available(now) < 1 || (available < bytes && available < WRITE_BYTES_PER_SECOND))
      return false;
    this.writtenRecords.take(1);
    this.writtenBytes.take(bytes);
    return true;
  }

  /** False, and nothing taken, beyond 5 reads in a second or while an earlier large read is paid off. */
  admitRead(now: number): boolean {
    if (this.reads.available(now) < 1 || this.readBytes.available(now) <= 0) return false;
    this.reads.take(1);
    return true;
  }

  chargeRead(bytes: number): void {
    this.readBytes.overdraw(bytes);
  }
}
