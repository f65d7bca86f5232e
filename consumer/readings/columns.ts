/**
 * Readings as typed columns that grow by doubling: one row costs about 60 bytes and eight per field, and no object
 * of its own. Device ids and record positions are kept once and named by index.
 */
import type { DecodedReading } from './decode';
import type { ReadingSchema } from './schema';

/** Device ids seen in one batch: index by name, and each one's hash. */
export class DeviceTable {
  readonly ids: string[] = [];
  readonly hashes: number[] = [];
  private readonly indexes = new Map<string, number>();

  intern(device: string, hash: number): number {
    let index = this.indexes.get(device);
    if (index === undefined) {
      index = this.ids.length;
      this.indexes.set(device, index);
      this.ids.push(device);
      this.hashes.push(hash);
    }
    return index;
  }
}

function grow<Column extends Float64Array | Int32Array | Uint32Array>(column: Column, capacity: number): Column {
  const larger = new (column.constructor as new (length: number) => Column)(capacity);
  larger.set(column);
  return larger;
}

const INITIAL_ROWS = 16;
/** Event time, received, arrival (doubles); device, record, element, two hash words (32 bits); a message id's reference. */
const ROW_BYTES = 3 * 8 + 5 * 4 + 8;

/** Readings of one use case, in the order of arrival. Columns may be longer than `rows`. */
export class ReadingColumns {
  rows = 0;
  /** Index into the batch's {@link DeviceTable}. */
  device = new Int32Array(INITIAL_ROWS);
  /** Index of the Kinesis record in the batch. */
  record = new Int32Array(INITIAL_ROWS);
  element = new Int32Array(INITIAL_ROWS);
  /** Epoch milliseconds. */
  eventTime = new Float64Array(INITIAL_ROWS);
  received = new Float64Array(INITIAL_ROWS);
  arrival = new Float64Array(INITIAL_ROWS);
  hashHigh = new Uint32Array(INITIAL_ROWS);
  hashLow = new Uint32Array(INITIAL_ROWS);
  readonly messageId: (string | null)[] = [];
  /** The schema's fields in order; NaN where missing. */
  values: Float64Array[];

  constructor(readonly schema: ReadingSchema) {
    this.values = schema.fields.map(() => new Float64Array(INITIAL_ROWS));
  }

  /** Bytes that one more row of this schema takes. */
  get bytesPerRow(): number {
    return ROW_BYTES + 8 * this.values.length;
  }

  append(reading: DecodedReading, device: number, record: number, arrival: number): void {
    const row = this.rows;
    if (row === this.eventTime.length) this.reserve(row * 2);
    this.device[row] = device;
    this.record[row] = record;
    this.element[row] = reading.element;
    this.eventTime[row] = reading.eventTime;
    this.received[row] = reading.received;
    this.arrival[row] = arrival;
    this.hashHigh[row] = reading.hashHigh;
    this.hashLow[row] = reading.hashLow;
    this.messageId.push(reading.messageId);
    for (let at = 0; at < this.values.length; at++) this.values[at]![row] = reading.values[at]!;
    this.rows = row + 1;
  }

  /** A copy of rows [from, to), in the same batch. */
  slice(from: number, to: number): ReadingColumns {
    const part = new ReadingColumns(this.schema);
    part.rows = to - from;
    part.device = this.device.slice(from, to);
    part.record = this.record.slice(from, to);
    part.element = this.element.slice(from, to);
    part.eventTime = this.eventTime.slice(from, to);
    part.received = this.received.slice(from, to);
    part.arrival = this.arrival.slice(from, to);
    part.hashHigh = this.hashHigh.slice(from, to);
    part.hashLow = this.hashLow.slice(from, to);
    for (let row = from; row < to; row++) part.messageId.push(this.messageId[row]!);
    part.values = this.values.map((column) => column.slice(from, to));
    part.reserve(Math.max(INITIAL_ROWS, part.rows));
    return part;
  }

  private reserve(capacity: number): void {
    this.device = grow(this.device, capacity);
    this.record = grow(this.record, capacity);
    this.element = grow(this.element, capacity);
    this.eventTime = grow(this.eventTime, capacity);
    this.received = grow(this.received, capacity);
    this.arrival = grow(this.arrival, capacity);
    this.hashHigh = grow(this.hashHigh, capacity);
    this.hashLow = grow(this.hashLow, capacity);
    this.values = this.values.map((column) => grow(column, capacity));
  }
}
