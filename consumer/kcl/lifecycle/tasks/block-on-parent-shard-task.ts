/** Parent before child: a shard is read only once all its parents were read to their end. */
import type { LeaseRefresher } from '../../leases/lease-refresher';
import { isFinished, type Lease } from '../../leases/lease';

/**
 * True once every parent's row is at SHARD_END or gone (it is deleted only after its end).
 * @throws the service's error
 */
export async function parentsAreFinished(
  refresher: Pick<LeaseRefresher, 'getLease'>,
  lease: Pick<Lease, 'parentShardIds'>,
): Promise<boolean> {
  for (const parent of lease.parentShardIds) {
    const row = await refresher.getLease(parent);
    if (row && !isFinished(row)) return false;
  }
  return true;
}
