/** What a user of the library writes: a record processor, one instance per shard. */
import type { ExtendedSequenceNumber } from './common/extended-sequence-number';

/** A user record: a Kinesis record, or one of those that the KPL packed into it. */
export interface KinesisClientRecord {
  /** Decimal digits, up to 56. */
  readonly sequenceNumber: string;
  /** Index inside a KPL aggregate; 0 where the record is not aggregated. */
  readonly subSequenceNumber: number;
  readonly aggregated: boolean;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  /** Epoch milliseconds. */
  readonly approximateArrivalTimestamp: number;
  readonly data: Uint8Array;
  /** True for a record inside an aggregate whose hash key is not the shard's (KCL would drop the aggregate). */
  readonly outsideHashKeyRange?: boolean;
}

/** A place in a shard: after a record, or a sentinel. */
export type StartingPosition =
  | { readonly type: 'AFTER'; readonly position: ExtendedSequenceNumber }
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: number };

export interface ShardInfo {
  readonly shardId: string;
  readonly parentShardIds: readonly string[];
  /** Inclusive, decimal 0…2^128−1. */
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** Tells a sink which ownership it writes under, and until when it may. */
export interface LeaseFence {
  /** leaseCounter at acquisition. */
  readonly leaseCounter: number;
  /** Monotonic milliseconds left before the lease may have passed to another; 0 once it is lost. */
  remaining(): number;
}

export interface InitializationInput {
  readonly shard: ShardInfo;
  /** Where the lease's checkpoint stands. */
  readonly checkpoint: ExtendedSequenceNumber;
  readonly pendingCheckpoint?: ExtendedSequenceNumber;
  readonly pendingCheckpointState?: Uint8Array;
  readonly fence: LeaseFence;
}

export interface ProcessRecordsInput {
  /** May be empty when `callProcessRecordsEvenForEmptyRecordList` is set. */
  readonly records: readonly KinesisClientRecord[];
  readonly millisBehindLatest: number;
  /** The service's clock at the read (its Date header), epoch milliseconds; undefined where the response had none. */
  readonly serviceTime: number | undefined;
  /**
   * True where the read reached the tip of an open shard: nothing that arrived before `serviceTime` is still unread after
   * this batch. The read that ends a closed shard is none such.
   */
  readonly atTip: boolean;
  readonly checkpointer: Checkpointer;
}

export interface Checkpointer {
  /** Records that everything up to `position` (default: the largest delivered) is processed. Throws ShutdownError once the lease is lost. */
  checkpoint(position?: ExtendedSequenceNumber): Promise<void>;
  /** Two-phase: stores the position and an application blob; `commit` makes it the checkpoint. */
  prepareCheckpoint(position?: ExtendedSequenceNumber, state?: Uint8Array): Promise<{ commit(): Promise<void> }>;
}

export interface ShardRecordProcessor {
  /** Called once, before any record. May name another start than the lease's checkpoint. */
  initialize(input: InitializationInput): Promise<StartingPosition | void>;
  /** A throw is retried with the same batch, with backoff; a batch is never skipped. */
  processRecords(input: ProcessRecordsInput): Promise<void>;
  /** Another worker owns the shard now; nothing can be checkpointed any more. */
  leaseLost(): Promise<void>;
  /** Every record of the shard was delivered; must checkpoint. */
  shardEnded(input: { readonly checkpointer: Checkpointer }): Promise<void>;
  /** The worker stops or hands the shard over: last chance to flush and checkpoint. */
  shutdownRequested(input: { readonly checkpointer: Checkpointer }): Promise<void>;
}

/** What becomes of records that keep failing. Without a policy a batch is delivered until it succeeds. */
export interface FailurePolicy {
  /** Deliveries of the same records before they are split in two, down to single records; at least 1. */
  readonly maxAttempts: number;
  /**
   * Takes over a record that failed alone, say to a dead-letter queue. Once it resolves, the record counts as processed; if it
   * throws it is called again.
   */
  onPoison(input: {
    readonly shardId: string;
    readonly record: KinesisClientRecord;
    readonly error: unknown;
  }): Promise<void>;
}

export interface ShardRecordProcessorFactory {
  (shardId: string): ShardRecordProcessor;
}
