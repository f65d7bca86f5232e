/** Readings of frozen segments as columns in memory: what one fold task works on. */
import type { AsyncBuffer } from 'hyparquet';
import type { SegmentReference } from '../../../lib/contracts/documents';
import type { ReadingSchema } from '../../readings/schema';
import { parallel } from '../parallel';
import { readSegment, type SegmentRows } from '../segment-file';
import type { ObjectStore } from '../stores/object-store';

const INITIAL_ROWS = 256;

function grown<Column extends Float64Array | Int32Array>(column: Column): Column {
  const larger = new (column.constructor as new (length: number) => Column)(column.length * 2);
  larger.set(column);
  return larger;
}

/** Numbers stand in typed columns outside the heap, which may be longer than `count`. */
export class FoldRows {
  count = 0;
  /** Index of the segment in the list that was loaded. */
  segment = new Int32Array(INITIAL_ROWS);
  eventTime = new Float64Array(INITIAL_ROWS);
  arrival = new Float64Array(INITIAL_ROWS);
  sub = new Int32Array(INITIAL_ROWS);
  element = new Int32Array(INITIAL_ROWS);
  /** In the schema's order; NaN where missing. */
  values: Float64Array[];
  readonly device: string[] = [];
  readonly sequence: string[] = [];
  readonly messageId: (string | null)[] = [];
  readonly contentHash: string[] = [];
  private readonly interned = new Map<string, string>();

  constructor(fields: number) {
    this.values = Array.from({ length: fields }, () => new Float64Array(INITIAL_ROWS));
  }

  add(segment: number, rows: SegmentRows, row: number): void {
    const at = this.count++;
    if (at === this.eventTime.length) this.grow();
    this.segment[at] = segment;
    this.eventTime[at] = rows.eventTime[row]!;
    this.arrival[at] = rows.arrival[row]!;
    this.sub[at] = rows.sub[row]!;
    this.element[at] = rows.element[row]!;
    for (let field = 0; field < this.values.length; field++) this.values[field]![at] = rows.values[field]![row] ?? NaN;
    this.device.push(this.intern(rows.device[row]!));
    this.sequence.push(rows.sequence[row]!);
    this.messageId.push(rows.messageId[row]!);
    this.contentHash.push(rows.contentHash[row]!);
  }

  all(): Uint32Array {
    return Uint32Array.from({ length: this.count }, (_, row) => row);
  }

  /** One string per device, whatever number of files named it. */
  private intern(device: string): string {
    const known = this.interned.get(device);
    if (known !== undefined) return known;
    this.interned.set(device, device);
    return device;
  }

  private grow(): void {
    this.segment = grown(this.segment);
    this.eventTime = grown(this.eventTime);
    this.arrival = grown(this.arrival);
    this.sub = grown(this.sub);
    this.element = grown(this.element);
    this.values = this.values.map(grown);
  }
}

export interface RowSelection {
  /** Row groups whose device hashes lie outside are not read. */
  readonly hashes: { readonly first: number; readonly last: number };
  accept(device: string, eventTime: number): boolean;
}

/** Segments that are fetched and decoded together, beside the rows that were selected. */
const PARALLEL_SEGMENTS = 4;

/**
 * Loads the selected rows. Their order is that of the answers: who uses them sorts by a total order of their own.
 * @throws Error where a segment is missing
 */
export async function loadRows(
  objects: Pick<ObjectStore, 'get'>,
  schema: ReadingSchema,
  segments: readonly SegmentReference[],
  selection: RowSelection,
): Promise<FoldRows> {
  const loaded = new FoldRows(schema.fields.length);
  await parallel([...segments.entries()], PARALLEL_SEGMENTS, async ([index, segment]) => {
    for (const rows of await readSelected(objects, schema, segment, selection.hashes)) {
      for (let row = 0; row < rows.rows; row++) {
        if (selection.accept(rows.device[row]!, rows.eventTime[row]!)) loaded.add(index, rows, row);
      }
    }
  });
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
  const last = groups.at(-1)!;
  const footer = segment.bytes - last.offset - last.length;
  const file = ranged(objects, segment);
  const selected: SegmentRows[] = [];
  let first = 0;
  for (const group of groups) {
    if (wanted.includes(group)) selected.push(await readSegment(file, schema, first, first + group.rows, footer));
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
