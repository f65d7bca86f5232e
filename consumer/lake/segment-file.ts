/** The Parquet file of one segment: readings of one partition from one range of one shard. */
import { createHash } from 'node:crypto';
import type { AsyncBuffer } from 'hyparquet';
import type { RowGroupRange } from '../../lib/contracts/documents';
import type { DeviceTable, ReadingColumns } from '../readings/columns';
import { contentHashText } from '../readings/hash';
import type { ReadingSchema } from '../readings/schema';
import { readParquet, readParquetColumns, writeParquet, type ParquetColumn } from './parquet';

export interface SegmentFile {
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** sha256 over the rows in file order, hex; independent of encoding and compression. */
  readonly contentHash: string;
  readonly rowGroups: readonly RowGroupRange[];
  /** Epoch milliseconds over the rows. */
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly newestEvent: number;
}

/** What the rows of `columns` refer to by index. */
export interface RecordTable {
  readonly sequences: readonly string[];
  readonly subs: readonly number[];
}

/** Rows by device hash, device, event time, then position in the shard, which is the order they came in. */
function sortedRows(columns: ReadingColumns, devices: DeviceTable): Uint32Array {
  const byRank = Array.from(devices.ids.keys()).sort(
    (a, b) => devices.hashes[a]! - devices.hashes[b]! || (devices.ids[a]! < devices.ids[b]! ? -1 : 1),
  );
  const rank = new Uint32Array(byRank.length);
  byRank.forEach((device, at) => (rank[device] = at));
  const { device, eventTime } = columns;
  return Uint32Array.from({ length: columns.rows }, (_, row) => row).sort(
    (a, b) => rank[device[a]!]! - rank[device[b]!]! || eventTime[a]! - eventTime[b]! || a - b,
  );
}

function pick<Column extends Float64Array | Int32Array>(column: Column, order: Uint32Array): Column {
  const picked = new (column.constructor as new (length: number) => Column)(order.length);
  for (let row = 0; row < order.length; row++) picked[row] = column[order[row]!]!;
  return picked;
}

export function buildSegment(columns: ReadingColumns, devices: DeviceTable, records: RecordTable): SegmentFile {
  const order = sortedRows(columns, devices);
  const rows = Array.from(order);
  const arrival = pick(columns.arrival, order);
  const eventTime = pick(columns.eventTime, order);
  const file: ParquetColumn[] = [
    { name: 'device', type: 'STRING', nullable: false, data: rows.map((row) => devices.ids[columns.device[row]!]!) },
    { name: 'event_time', type: 'TIMESTAMP', nullable: false, data: eventTime },
    { name: 'received', type: 'TIMESTAMP', nullable: false, data: pick(columns.received, order) },
    { name: 'arrival', type: 'TIMESTAMP', nullable: false, data: arrival },
    {
      name: 'sequence_number',
      type: 'STRING',
      nullable: false,
      data: rows.map((row) => records.sequences[columns.record[row]!]!),
    },
    {
      name: 'sub_sequence_number',
      type: 'INT32',
      nullable: false,
      data: Int32Array.from(rows, (row) => records.subs[columns.record[row]!]!),
    },
    { name: 'element', type: 'INT32', nullable: false, data: pick(columns.element, order) },
    { name: 'message_id', type: 'STRING', nullable: true, data: rows.map((row) => columns.messageId[row]!) },
    {
      name: 'content_hash',
      type: 'STRING',
      nullable: false,
      data: rows.map((row) => contentHashText(columns.hashHigh[row]!, columns.hashLow[row]!)),
    },
    ...columns.schema.fields.map((field, at): ParquetColumn => ({
      name: field.name,
      type: 'DOUBLE',
      nullable: true,
      data: pick(columns.values[at]!, order),
    })),
  ];
  const { bytes, rowGroups } = writeParquet(file);
  let first = 0;
  const hashAt = (row: number): number => devices.hashes[columns.device[order[row]!]!]!;
  return {
    bytes,
    rows: columns.rows,
    contentHash: hashColumns(file),
    rowGroups: rowGroups.map((group) => {
      const range = { ...group, firstHash: hashAt(first), lastHash: hashAt(first + group.rows - 1) };
      first += group.rows;
      return range;
    }),
    oldestArrival: arrival.reduce((least, at) => Math.min(least, at), Infinity),
    newestArrival: arrival.reduce((most, at) => Math.max(most, at), -Infinity),
    newestEvent: eventTime.reduce((most, at) => Math.max(most, at), -Infinity),
  };
}

/** sha256 over the columns' values, hex. Equal for equal rows whatever wrote them. */
export function hashColumns(columns: readonly ParquetColumn[]): string {
  const hash = createHash('sha256');
  for (const { name, data } of columns) {
    hash.update(`${name}\0${data.length}\0`);
    if (data instanceof Float64Array || data instanceof Int32Array) {
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else hash.update(JSON.stringify(data));
  }
  return hash.digest('hex');
}

/** Row count and {@link hashColumns} of a segment or part as it stands, to be compared with what was registered. */
export async function hashFile(file: ArrayBuffer): Promise<{ readonly rows: number; readonly contentHash: string }> {
  const columns = await readParquetColumns(file);
  return { rows: columns[0]!.data.length, contentHash: hashColumns(columns) };
}

/** Columns that a fold reads; `received` is for people. */
export interface SegmentRows {
  readonly rows: number;
  readonly device: readonly string[];
  readonly eventTime: readonly number[];
  readonly arrival: readonly number[];
  readonly sequence: readonly string[];
  readonly sub: readonly number[];
  readonly element: readonly number[];
  readonly messageId: readonly (string | null)[];
  readonly contentHash: readonly string[];
  readonly values: readonly (readonly (number | null)[])[];
}

/** Rows [rowStart, rowEnd) of a segment file. A field that the file lacks (an older schema) reads as null. */
export async function readSegment(
  file: AsyncBuffer | ArrayBuffer,
  schema: ReadingSchema,
  rowStart = 0,
  rowEnd?: number,
  footerBytes?: number,
): Promise<SegmentRows> {
  const fixed = [
    'device',
    'event_time',
    'arrival',
    'sequence_number',
    'sub_sequence_number',
    'element',
    'message_id',
    'content_hash',
  ];
  const columns = await readParquet(
    file,
    [...fixed, ...schema.fields.map((field) => field.name)],
    rowStart,
    rowEnd,
    footerBytes,
  );
  const text = (name: string): string[] => columns.get(name) as string[];
  const number = (name: string): number[] => columns.get(name) as number[];
  return {
    rows: text('device').length,
    device: text('device'),
    eventTime: number('event_time'),
    arrival: number('arrival'),
    sequence: text('sequence_number'),
    sub: number('sub_sequence_number'),
    element: number('element'),
    messageId: columns.get('message_id') as (string | null)[],
    contentHash: text('content_hash'),
    values: schema.fields.map((field) => number(field.name)),
  };
}
