/**
 * Which shards get a row in the lease table: pure functions of the shard list and the rows there are, after KCL's
 * HierarchicalShardSyncer.
 */
import type { KinesisShard } from '../dependencies';
import { compareSequenceNumbers, Sentinel } from '../common/extended-sequence-number';
import { InvalidStateError } from '../common/errors';
import { findHole } from '../common/hash-key-range';
import { isFinished, newLease, type Lease } from '../leases/lease';
import { parentsOf } from './shard-detector';

/** LATEST serves fleets whose Java workers use it. */
export type InitialPositionType = 'TRIM_HORIZON' | 'AT_TIMESTAMP' | 'LATEST';

export interface ShardSyncInput {
  readonly shards: readonly KinesisShard[];
  readonly leases: readonly Lease[];
  readonly initialPosition: InitialPositionType;
  readonly ignoreUnexpectedChildShards: boolean;
}

function leaseFor(shard: KinesisShard, checkpoint: string): Lease {
  return newLease(
    shard.shardId,
    { sequenceNumber: checkpoint, subSequenceNumber: 0 },
    parentsOf(shard),
    shard.hashKeyRange,
  );
}

function sortedByStart(shards: Iterable<readonly [KinesisShard, Lease]>): Lease[] {
  return [...shards]
    .sort(
      ([a], [b]) =>
        compareSequenceNumbers(a.startingSequenceNumber, b.startingSequenceNumber) ||
        (a.shardId < b.shardId ? -1 : a.shardId > b.shardId ? 1 : 0),
    )
    .map(([, lease]) => lease);
}

/**
 * For an empty table: a row for each shard that was open at the initial position.
 * @param shards what ListShards gives with the filter AT_TRIM_HORIZON, AT_TIMESTAMP or AT_LATEST
 * @throws InvalidStateError where they leave a part of the key space out
 */
export function leasesForEmptyTable(
  shards: readonly KinesisShard[],
  initialPosition: InitialPositionType,
): readonly Lease[] {
  const hole = findHole(shards.map((shard) => shard.hashKeyRange));
  if (hole) {
    throw new InvalidStateError(
      `ListShards leaves the hash keys ${hole.from} to ${hole.to} out; the shards are in the middle of a reshard.`,
    );
  }
  return sortedByStart(shards.map((shard) => [shard, leaseFor(shard, initialPosition)] as const));
}

/**
 * For a table with rows: the rows that are missing. A shard with an ancestor that has a row gets none now; it will when that
 * ancestor ends. Ancestors missing beside that one get theirs. A shard without any such ancestor gets one, at LATEST on itself,
 * else on its oldest ancestors that still exist.
 *
 * Beyond KCL: a shard with a finished parent should have a row; where that got lost it is made again, at TRIM_HORIZON.
 *
 * @throws InvalidStateError for a child of an open shard (the list was read in the middle of a reshard) unless such are ignored
 */
export function leasesToCreate(input: ShardSyncInput): readonly Lease[] {
  const shards = new Map(input.shards.map((shard) => [shard.shardId, shard]));
  const leases = new Map(input.leases.map((lease) => [lease.leaseKey, lease]));
  const created = new Map<KinesisShard, Lease>();
  const descendants = new Map<string, boolean>();

  const listedParents = (shard: KinesisShard): KinesisShard[] => parentsOf(shard).flatMap((id) => shards.get(id) ?? []);
  const isOpen = (shard: KinesisShard): boolean => shard.endingSequenceNumber === undefined;
  const create = (shard: KinesisShard, checkpoint: string): void => {
    if (!created.has(shard)) created.set(shard, leaseFor(shard, checkpoint));
  };

  const startReading = (shard: KinesisShard): void => {
    const parents = input.initialPosition === 'LATEST' ? [] : listedParents(shard);
    if (parents.length === 0) create(shard, input.initialPosition);
    else parents.forEach(startReading);
  };

  /** Whether the shard or one of its ancestors has a row. */
  const isDescendant = (shard: KinesisShard): boolean => {
    const known = descendants.get(shard.shardId);
    if (known !== undefined) return known;
    const result = leases.has(shard.shardId) || joinsLeasedAncestors(shard);
    descendants.set(shard.shardId, result);
    return result;
  };

  const joinsLeasedAncestors = (shard: KinesisShard): boolean => {
    const parents = listedParents(shard);
    const without = parents.filter((parent) => !isDescendant(parent));
    if (without.length === parents.length) return false;
    without.forEach(startReading);
    const rows = parents.map((parent) => leases.get(parent.shardId) ?? created.get(parent));
    // A child whose parent has no row would not wait for it.
    if (rows.every((row) => row !== undefined) && rows.some(isFinished)) create(shard, Sentinel.TRIM_HORIZON);
    return true;
  };

  for (const shard of input.shards) {
    if (!isOpen(shard)) continue;
    const openParent = listedParents(shard).find(isOpen);
    if (openParent) {
      if (input.ignoreUnexpectedChildShards) continue;
      throw new InvalidStateError(
        `Shard ${shard.shardId} is listed as a child of ${openParent.shardId}, which is still open; the list was read in the middle of a reshard.`,
      );
    }
    if (!isDescendant(shard)) startReading(shard);
  }
  return sortedByStart(created);
}
