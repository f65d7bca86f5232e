/** Where a shard's records come from: polling, or another way of retrieval behind the same interface. */
import type { ChildShard, KinesisRecord } from '../dependencies';
import type { StartingPosition } from '../processor';

/** What one read gave; records are as Kinesis has them, aggregates whole. */
export interface RetrievedBatch {
  readonly records: readonly KinesisRecord[];
  readonly bytes: number;
  readonly millisBehindLatest: number;
  /** Epoch milliseconds by the service's clock, not later than the read itself. */
  readonly serviceTime: number | undefined;
  /** Nothing that arrived before `serviceTime` follows after these records. */
  readonly atTip: boolean;
  /** Present on the shard's last batch; empty where the shard is gone without children. */
  readonly childShards?: readonly ChildShard[];
}

export interface RecordsPublisher {
  /** Begins to read. Called once. Records at or before an `AFTER` position may come again and are left out by the reader. */
  start(position: StartingPosition): void;
  /** The next batch in order; undefined once `signal` aborts or the publisher is stopped. */
  next(signal: AbortSignal): Promise<RetrievedBatch | undefined>;
  /** The batch is done with, its memory free. */
  release(batch: RetrievedBatch): void;
  stop(): void;
}
