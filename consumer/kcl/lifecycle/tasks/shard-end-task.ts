/** What happens in the table when a shard was read to its end, before its processor is told. */
import type { ChildShard } from '../../dependencies';
import { Sentinel } from '../../common/extended-sequence-number';
import { newLease } from '../../leases/lease';
import type { LeaseRefresher } from '../../leases/lease-refresher';

type Refresher = Pick<LeaseRefresher, 'getLease' | 'createLeaseIfNotExists' | 'updateLeaseWithMetaInfo'>;

/**
 * Makes the children's rows, at TRIM_HORIZON, and names them in the parent's row. It comes before the parent's SHARD_END, so
 * at no time do the unfinished rows leave a part of the key space out. Doing it again does no harm.
 *
 * @param checkHeld throws once the lease of the shard is lost: a row made then could be one that others are done with
 * @returns false where a merged child cannot be made yet, since the row of its other parent is missing: without that row the
 * child would start before the other parent was read
 * @throws the service's error
 */
export async function createChildLeases(
  refresher: Refresher,
  shardId: string,
  children: readonly ChildShard[],
  checkHeld: () => void,
): Promise<boolean> {
  for (const child of children) {
    if (await refresher.getLease(child.shardId)) continue;
    for (const parent of child.parentShards) {
      if (parent !== shardId && !(await refresher.getLease(parent))) return false;
    }
    checkHeld();
    await refresher.createLeaseIfNotExists(
      newLease(
        child.shardId,
        { sequenceNumber: Sentinel.TRIM_HORIZON, subSequenceNumber: 0 },
        child.parentShards,
        child.hashKeyRange,
      ),
    );
  }
  if (children.length > 0) {
    await refresher.updateLeaseWithMetaInfo(shardId, { childShardIds: children.map(({ shardId: id }) => id) });
  }
  return true;
}
