/**
 * One fold task: the readings of one bucket of devices, each once, in order, as feature rows. A function of the
 * frozen inputs and the build alone.
 */
import type { GenerationInputs, SegmentReference } from '../../../lib/contracts/documents';
import { partitionEnd, partitionStart } from '../../../lib/contracts/lake-layout';
import type { UseCase } from '../../../use-cases/define-use-case';
import { ColumnSeries, computeFeatureRows, featureColumns, type FeatureRows } from '../../features/windows';
import { bucketOf, hashDevice } from '../../readings/hash';
import { readingSchema } from '../../readings/schema';
import { compareSequenceNumbers } from '../../kcl/common/extended-sequence-number';
import { writeParquet, type ParquetColumn } from '../parquet';
import { partitionAt, segmentShard } from '../registry-items';
import { hashColumns } from '../segment-file';
import type { ObjectStore } from '../stores/object-store';
import { tailLength } from './freeze';
import { loadRows, type FoldRows } from './rows';

/** Per field over the folded readings of a task; tasks add up. */
export interface FieldQuality {
  readonly nulls: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface FoldedBucket {
  /** Undefined where the bucket has no row: it has no part either. */
  readonly part?: { readonly body: Uint8Array; readonly rows: number; readonly contentHash: string };
  /** `registered = folded + duplicates`, over the buckets of the generation. */
  readonly registered: number;
  readonly folded: number;
  readonly duplicates: number;
  readonly quality: Readonly<Record<string, FieldQuality>>;
}

/**
 * @throws Error naming the segment where one is missing or has another number of rows than registered.
 */
export async function foldBucket(
  objects: Pick<ObjectStore, 'get'>,
  useCase: UseCase,
  inputs: GenerationInputs,
  bucket: number,
): Promise<FoldedBucket> {
  const partition = partitionAt(inputs.useCase, inputs.hour);
  const hourStart = partitionStart(partition);
  const hourEnd = partitionEnd(partition);
  const inBucket = (device: string): boolean => bucketOf(hashDevice(device), inputs.buckets) === bucket;
  const rows = await loadRows(objects, readingSchema(useCase), [...inputs.segments, ...inputs.tailSegments], {
    hashes: bucketHashes(bucket, inputs.buckets),
    accept: (device, eventTime) => eventTime >= hourStart - tailLength(useCase.windows) && inBucket(device),
  });
  const order = distinct(rows, inputs.segments.concat(inputs.tailSegments));
  const registered = countIn(rows, rows.all(), hourStart, hourEnd);
  const folded = countIn(rows, order, hourStart, hourEnd);
  return {
    ...featurePart(useCase, rows, order, hourStart, hourEnd),
    registered,
    folded,
    duplicates: registered - folded,
    quality: quality(useCase, rows, order, hourStart, hourEnd),
  };
}

/** Device hashes [first, last] of a bucket, for choosing row groups. */
function bucketHashes(bucket: number, buckets: number): { first: number; last: number } {
  const space = 0x1_0000_0000;
  return { first: Math.floor((bucket * space) / buckets), last: Math.ceil(((bucket + 1) * space) / buckets) };
}

function countIn(rows: FoldRows, order: ArrayLike<number>, from: number, to: number): number {
  let count = 0;
  for (let at = 0; at < order.length; at++) {
    const time = rows.eventTime[order[at]!]!;
    if (time >= from && time < to) count++;
  }
  return count;
}

/**
 * Row numbers of the distinct readings by device and event time. Two rows are one reading where device and message id
 * agree, or, without a message id, device, event time and content hash. The first in the total order of arrival,
 * shard, sequence number, sub-sequence number and element stays.
 */
function distinct(rows: FoldRows, segments: readonly SegmentReference[]): Uint32Array {
  const shards = segments.map(({ key }) => segmentShard(key));
  const arrivedBefore = (a: number, b: number): number => {
    const shardA = shards[rows.segment[a]!]!;
    const shardB = shards[rows.segment[b]!]!;
    return (
      rows.arrival[a]! - rows.arrival[b]! ||
      (shardA < shardB ? -1 : shardA > shardB ? 1 : 0) ||
      compareSequenceNumbers(rows.sequence[a]!, rows.sequence[b]!) ||
      rows.sub[a]! - rows.sub[b]! ||
      rows.element[a]! - rows.element[b]!
    );
  };
  const winners = new Map<string, number>();
  for (let row = 0; row < rows.count; row++) {
    const id = rows.messageId[row];
    const identity =
      id === null
        ? `${rows.device[row]}\n=${rows.eventTime[row]}\n${rows.contentHash[row]}`
        : `${rows.device[row]}\n#${id}`;
    const winner = winners.get(identity);
    if (winner === undefined || arrivedBefore(row, winner) < 0) winners.set(identity, row);
  }
  return Uint32Array.from(winners.values()).sort((a, b) => {
    const deviceA = rows.device[a]!;
    const deviceB = rows.device[b]!;
    if (deviceA !== deviceB) return deviceA < deviceB ? -1 : 1;
    return rows.eventTime[a]! - rows.eventTime[b]! || arrivedBefore(a, b);
  });
}

/** Series of one device: rows [from, to) of the order. */
function seriesOf(useCase: UseCase, rows: FoldRows, order: Uint32Array, from: number, to: number): ColumnSeries {
  const take = (column: ArrayLike<number>): Float64Array => {
    const values = new Float64Array(to - from);
    for (let at = from; at < to; at++) values[at - from] = column[order[at]!]!;
    return values;
  };
  const columns = Object.fromEntries(Object.keys(useCase.schema).map((field, at) => [field, take(rows.values[at]!)]));
  return ColumnSeries.of(take(rows.eventTime), columns);
}

function featurePart(
  useCase: UseCase,
  rows: FoldRows,
  order: Uint32Array,
  hourStart: number,
  hourEnd: number,
): Pick<FoldedBucket, 'part'> {
  const devices: FeatureRows[] = [];
  for (let from = 0, to = 0; from < order.length; from = to) {
    const device = rows.device[order[from]!]!;
    while (to < order.length && rows.device[order[to]!] === device) to++;
    const series = seriesOf(useCase, rows, order, from, to);
    const features = computeFeatureRows(useCase, device, series, hourStart, hourEnd);
    if (features.length > 0) devices.push(features);
  }
  if (devices.length === 0) return {};
  const columns = partColumns(useCase, devices);
  const count = devices.reduce((sum, { length }) => sum + length, 0);
  return { part: { body: writeParquet(columns).bytes, rows: count, contentHash: hashColumns(columns) } };
}

function partColumns(useCase: UseCase, devices: readonly FeatureRows[]): ParquetColumn[] {
  const total = devices.reduce((sum, { length }) => sum + length, 0);
  const joined = <Column extends Float64Array | Int32Array>(
    into: Column,
    of: (rows: FeatureRows) => Column,
  ): Column => {
    let at = 0;
    for (const rows of devices) {
      into.set(of(rows), at);
      at += rows.length;
    }
    return into;
  };
  const data = (index: number): ParquetColumn['data'] => {
    switch (index) {
      case 0:
        return devices.flatMap(({ device, length }) => new Array<string>(length).fill(device));
      case 1:
        return joined(new Float64Array(total), ({ windowStart }) => windowStart);
      case 2:
        return joined(new Float64Array(total), ({ windowEnd }) => windowEnd);
      case 3:
        return joined(new Int32Array(total), ({ readings }) => readings);
      default:
        return joined(new Float64Array(total), ({ features }) => features[index - 4]!);
    }
  };
  return featureColumns(useCase).map(({ name, parquetType, nullable }, index) => ({
    name,
    type: parquetType,
    nullable,
    data: data(index),
  }));
}

function quality(
  useCase: UseCase,
  rows: FoldRows,
  order: Uint32Array,
  hourStart: number,
  hourEnd: number,
): Record<string, FieldQuality> {
  const fields = Object.keys(useCase.schema).map((field, at): [string, FieldQuality] => {
    const column = rows.values[at]!;
    let nulls = 0;
    let minimum = Infinity;
    let maximum = -Infinity;
    for (const row of order) {
      const time = rows.eventTime[row]!;
      if (time < hourStart || time >= hourEnd) continue;
      const value = column[row]!;
      if (value !== value) nulls++;
      else {
        minimum = Math.min(minimum, value);
        maximum = Math.max(maximum, value);
      }
    }
    return [field, { nulls, ...(minimum <= maximum ? { minimum, maximum } : {}) }];
  });
  return Object.fromEntries(fields);
}
