/** Items of the registry that only the lake writes; the rest is in lib/contracts/registry. */
import type { SegmentReference } from '../../lib/contracts/documents';
import type { Partition } from '../../lib/contracts/lake-layout';
import {
  SEGMENT_SK_PREFIX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
  partitionHour,
  partitionPk,
  type LedgerItem,
  ledgerPk,
} from '../../lib/contracts/registry';
import type { Pending, PendingSegment } from './append/head';
import { paddedPosition, type PositionText } from './position';
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

/** Item `refold request`: an operator asks for a generation by another build than the one that made the newest. */
export const REFOLD_SK = 'REFOLD';

/** Stands until a build other than `replaces` seals the partition; in the index, so that the coordinator finds it. */
export interface RefoldRequest extends Key {
  /** Code version of the newest generation when it was asked for. */
  readonly replaces: string;
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly unfolded: string;
  readonly unfoldedPartition: string;
}

export function refoldRequest(partition: Partition, replaces: string): RefoldRequest {
  return {
    pk: partitionPk(partition),
    sk: REFOLD_SK,
    replaces,
    // Nothing to be quiet about: the readings are all in the generation that is there.
    oldestArrival: 0,
    newestArrival: 0,
    unfolded: partition.useCase,
    unfoldedPartition: partitionHour(partition),
  };
}

/** Item `generation mark`: sk prefix; the generation follows. */
export const GENERATION_SK_PREFIX = 'GENERATION#';

/**
 * Written before a generation is opened past one that another build opened: its worker may publish the manifest and end
 * before the registry knows, and the seal of the older generation takes the segments' marks with it. Stands until a
 * generation at least as new is sealed; in the index, so that the coordinator finds it.
 */
export interface GenerationMark extends Key {
  readonly generation: number;
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly unfolded: string;
  readonly unfoldedPartition: string;
}

export function generationMark(partition: Partition, generation: number): GenerationMark {
  return {
    pk: partitionPk(partition),
    sk: `${GENERATION_SK_PREFIX}${generation}`,
    generation,
    // Nothing to be quiet about, as in a refold.
    oldestArrival: 0,
    newestArrival: 0,
    unfolded: partition.useCase,
    unfoldedPartition: partitionHour(partition),
  };
}

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

/**
 * A ledger row that counts nothing: what followed `start` was trimmed before it was read. The next commit begins there
 * too and takes the plain key.
 */
export function gapItem(shardId: string, start: PositionText, end: PositionText): Item {
  const gap: LedgerItem = {
    pk: ledgerPk(shardId),
    sk: `${paddedPosition(start)}#gap`,
    shardId,
    start,
    end,
    records: 0,
    readings: 0,
    quarantined: 0,
    byUseCase: {},
    gap: true,
  };
  return { ...gap };
}

export function ledgerItem(
  shardId: string,
  pending: Pick<Pending, 'start' | 'end' | 'records' | 'byUseCase' | 'gap'>,
): Item {
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
