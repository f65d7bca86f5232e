/** Items of the registry that only the lake writes; the rest is in lib/contracts/registry. */
import type { SegmentReference } from '../../lib/contracts/documents';
import type { Partition } from '../../lib/contracts/lake-layout';
import {
  SEGMENT_SK_PREFIX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
  partitionPk,
  type LedgerItem,
  ledgerPk,
} from '../../lib/contracts/registry';
import type { Pending, PendingSegment } from './append/head';
import { paddedPosition } from './position';
import type { Item, Key } from './stores/registry-store';

/** The partition of a registry hour `<dt>T<hour>`. */
export function partitionAt(useCase: string, hour: string): Partition {
  return { useCase, dt: hour.slice(0, 10), hour: hour.slice(11, 13) };
}

/** Item `segment`: registered by the commit that made its rows part of the log. */
export interface SegmentItem extends Key, SegmentReference {
  /** Epoch milliseconds over the segment's records. */
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly newestEvent: number;
  /** The use case, until a sealed generation contains the segment; then absent. */
  readonly unfolded?: string;
  readonly unfoldedPartition?: string;
}

/** Item `tail mark`: sk prefix; the hour before was folded with readings that this hour's windows reach back to. */
export const TAIL_SK_PREFIX = 'TAIL#';

/** Hash of UnfoldedIndex under which open fold tasks stand; no use case can have this name. */
export const TASKS_HASH = '#tasks';

/** Written at the seal of the hour before, one for each of its generations that brought such readings. */
export interface TailMark extends Key {
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly unfolded: string;
  readonly unfoldedPartition: string;
}

/** `<shard>-<start>-<end>-<id>` of an object key. */
export function segmentName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1, key.lastIndexOf('.'));
}

/** The shard in a segment's name; start, end and id hold no hyphen. */
export function segmentShard(key: string): string {
  return segmentName(key).split('-').slice(0, -3).join('-');
}

export function segmentItem(segment: PendingSegment): Item {
  const { useCase, hour, ...registered } = segment;
  return {
    pk: partitionPk(partitionAt(useCase, hour)),
    sk: `${SEGMENT_SK_PREFIX}${segmentName(segment.key)}`,
    ...registered,
    [UNFOLDED_INDEX_HASH]: useCase,
    [UNFOLDED_INDEX_RANGE]: hour,
  };
}

export function ledgerItem(shardId: string, pending: Pending): Item {
  const counts = Object.values(pending.byUseCase);
  const item: LedgerItem = {
    pk: ledgerPk(shardId),
    sk: paddedPosition(pending.start),
    shardId,
    start: pending.start,
    end: pending.end,
    records: pending.records,
    readings: counts.reduce((sum, { readings }) => sum + readings, 0),
    quarantined: counts.reduce((sum, { quarantined }) => sum + quarantined, 0),
    byUseCase: pending.byUseCase,
    ...(pending.gap ? { gap: true } : {}),
  };
  return { ...item };
}
