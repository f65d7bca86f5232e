/**
 * Leases from the heads, when the lease table is lost: a lease for every shard whose log has begun, at the place that
 * is committed, and for the children that only a parent's end would make. Rows that are there stay as they are.
 */
import type { Head } from '../consumer/lake/append/head';
import { parsePosition } from '../consumer/lake/position';
import { Sentinel, type ExtendedSequenceNumber } from '../consumer/kcl/common/extended-sequence-number';
import { newLease, type Lease } from '../consumer/kcl/leases/lease';
import type { ListedShard } from './rebuild-registry';

/** Pure. Shards that have no head and no parent with one are left to shard sync, which knows the initial position. */
export function leasesFromHeads(heads: readonly Head[], shards: readonly ListedShard[]): Lease[] {
  const byShard = new Map(heads.map((head) => [head.shardId, head]));
  return shards.flatMap((shard): Lease[] => {
    const head = byShard.get(shard.shardId);
    if (head === undefined && !shard.parentShardIds.some((parent) => byShard.has(parent))) return [];
    const { shardId, parentShardIds, startingHashKey, endingHashKey } = shard;
    const lease = newLease(shardId, checkpointOf(head), parentShardIds, { startingHashKey, endingHashKey });
    const childShardIds = shards
      .filter((other) => other.parentShardIds.includes(shardId))
      .map((other) => other.shardId)
      .sort();
    return [head?.finished === true ? { ...lease, childShardIds } : lease];
  });
}

/** At most what is committed: inside a record that was cut, what is before it. */
function checkpointOf(head: Head | undefined): ExtendedSequenceNumber {
  if (head?.finished === true) return { sequenceNumber: Sentinel.SHARD_END, subSequenceNumber: 0 };
  const end = head === undefined ? undefined : parsePosition(head.end);
  if (end === undefined || (head!.partial && end.sub === 0)) {
    return { sequenceNumber: Sentinel.TRIM_HORIZON, subSequenceNumber: 0 };
  }
  return { sequenceNumber: end.sequence, subSequenceNumber: head!.partial ? end.sub - 1 : end.sub };
}
