/** Readings of frozen segments as columns in memory: what one fold task works on. */
import type { AsyncBuffer } from 'hyparquet';
import type { SegmentReference } from '../../../lib/contracts/documents';
import type { ReadingSchema } from '../../readings/schema';
import { readSegment, type SegmentRows } from '../segment-file';
import type { ObjectStore } from '../stores/object-store';

export class FoldRows {
  count = 0;
  /** Index of the segment in the list that was loaded. */
  readonly segment: number[] = [];
  readonly device: string[] = [];
  readonly eventTime: number[] = [];
  readonly arrival: number[] = [];
  readonly sequence: string[] = [];
  readonly sub: number[] = [];
  readonly element: number[] = [];
  readonly messageId: (string | null)[] = [];
  readonly contentHash: string[] = [];
  /** In the schema's order; NaN where missing. */
  readonly values: number[][];

  constructor(fields: number) {
    this.values = Array.from({ length: fields }, () => []);
  }

  add(segment: number, rows: SegmentRows, row: number): void {
    this.count++;
    this.segment.push(segment);
    this.device.push(rows.device[row]!);
    this.eventTime.push(rows.eventTime[row]!);
    this.arrival.push(rows.arrival[row]!);
    this.sequence.push(rows.sequence[row]!);
    this.sub.push(rows.sub[row]!);
    this.element.push(rows.element[row]!);
    this.messageId.push(rows.messageId[row]!);
    this.contentHash.push(rows.contentHash[row]!);
    for (let at = 0; at < this.values.length; at++) this.values[at]!.push(rows.values[at]![row] ?? NaN);
  }

  all(): Uint32Array {
    return Uint32Array.from({ length: this.count }, (_, row) => row);
  }
}

export interface RowSelection {
  /** Row groups whose device hashes lie outside are not read. */
  readonly hashes: { readonly first: number; readonly last: number };
  accept(device: string, eventTime: number): boolean;
}

/**
 * Loads the selected rows, one segment after the other, so that one decoded segment is held beside them.
 * @throws Error where a segment is missing
 */
export async function loadRows(
  objects: Pick<ObjectStore, 'get'>,
  schema: ReadingSchema,
  segments: readonly SegmentReference[],
  selection: RowSelection,
): Promise<FoldRows> {
  const loaded = new FoldRows(schema.fields.length);
  for (const [index, segment] of segments.entries()) {
    for (const rows of await readSelected(objects, schema, segment, selection.hashes)) {
      for (let row = 0; row < rows.rows; row++) {
        if (selection.accept(rows.device[row]!, rows.eventTime[row]!)) loaded.add(index, rows, row);
      }
    }
  }
  return loaded;
}

async function readSelected(
  objects: Pick<ObjectStore, 'get'>,
  schema: ReadingSchema,
  segment: SegmentReference,
  hashes: RowSelection['hashes'],
): Promise<SegmentRows[]> {
  const groups = segment.rowGroups ?? [];
  const wanted = groups.filter(({ firstHash, lastHash }) => lastHash >= hashes.first && firstHash <= hashes.last);
  if (groups.length === 0 || wanted.length === groups.length) {
    const bytes = await objects.get(segment.key);
    if (bytes === undefined) throw missing(segment);
    const rows = await readSegment(toArrayBuffer(bytes), schema);
    if (rows.rows !== segment.rows) {
      throw new Error(`segment ${segment.key} has ${rows.rows} rows, registered were ${segment.rows}`);
    }
    return [rows];
  }
  const selected: SegmentRows[] = [];
  let first = 0;
  for (const group of groups) {
    if (wanted.includes(group))
      selected.push(await readSegment(ranged(objects, segment), schema, first, first + group.rows));
    first += group.rows;
  }
  return selected;
}

/** The object as a file of which only the needed ranges are read. */
function ranged(objects: Pick<ObjectStore, 'get'>, segment: SegmentReference): AsyncBuffer {
  return {
    byteLength: segment.bytes,
    slice: async (start, end = segment.bytes) => {
      const bytes = await objects.get(segment.key, { start, end });
      if (bytes === undefined) throw missing(segment);
      return toArrayBuffer(bytes);
    },
  };
}

function missing({ key }: SegmentReference): Error {
  return new Error(`segment ${key} is registered but the bucket does not have it`);
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
