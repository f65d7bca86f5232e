/** A lease: the right to process one shard, one row of the lease table. Rows are never edited in memory, only replaced. */
import { Sentinel, type ExtendedSequenceNumber } from '../common/extended-sequence-number';
import type { HashKeyRange } from '../common/hash-key-range';

export interface Lease {
  /** The shard's id (single-stream mode). */
  readonly leaseKey: string;
  /** Worker id; absent while nobody owns it. */
  readonly leaseOwner?: string;
  /** Moves with every renewal, take, eviction and checkpoint: heartbeat and optimistic lock in one. */
  readonly leaseCounter: number;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly checkpoint: ExtendedSequenceNumber;
  readonly pendingCheckpoint?: ExtendedSequenceNumber;
  /** The application's blob beside the prepared checkpoint. */
  readonly pendingCheckpointState?: Uint8Array;
  readonly parentShardIds: readonly string[];
  readonly childShardIds: readonly string[];
  readonly hashKeyRange?: HashKeyRange;
  readonly throughputKBps?: number;
  /** Present during a graceful handoff of KCL 3: the old owner, while `leaseOwner` is already the new one. */
  readonly checkpointOwner?: string;
}

export function newLease(
  shardId: string,
  checkpoint: ExtendedSequenceNumber,
  parentShardIds: readonly string[],
  hashKeyRange: HashKeyRange | undefined,
): Lease {
  return {
    leaseKey: shardId,
    leaseCounter: 0,
    ownerSwitchesSinceCheckpoint: 0,
    checkpoint,
    parentShardIds,
    childShardIds: [],
    hashKeyRange,
  };
}

/** True once every record of the shard was processed. */
export function isFinished(lease: Lease): boolean {
  return lease.checkpoint.sequenceNumber === Sentinel.SHARD_END;
}

/** Who may process the shard now: during a handoff still the old owner. */
export function actualOwner(lease: Lease): string | undefined {
  return lease.checkpointOwner ?? lease.leaseOwner;
}
