/** Readings and quarantine entries of one shard that are read but not committed. */
import { HOUR_MS, partitionOf } from '../../../lib/contracts/lake-layout';
import type { QuarantineEntry } from '../../../lib/contracts/documents';
import { partitionHour } from '../../../lib/contracts/registry';
import { DeviceTable, ReadingColumns } from '../../readings/columns';
import type { DecodedReading, ReadingSink } from '../../readings/decode';
import type { KinesisClientRecord } from '../../kcl/processor';
import { compareSequenceNumbers } from '../../kcl/common/extended-sequence-number';
import { comparePositions, type RecordPosition } from '../position';
import type { CountsByUseCase } from './head';

export interface BatchPartition {
  readonly useCase: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly columns: ReadingColumns;
}

/** Elements and quarantine entries cost about this much beside their text. */
const ENTRY_BYTES = 300;
const RECORD_BYTES = 100;

/**
 * A transaction takes 100 actions: the head, the ledger row, and a row per segment.
 */
export const MAXIMUM_PARTITIONS = 90;

export class Batch implements ReadingSink {
  readonly devices = new DeviceTable();
  /** Sequence number and sub-sequence number by record index, and the last element that is in the batch. */
  readonly sequences: string[] = [];
  readonly subs: number[] = [];
  private readonly lastElements: number[] = [];
  readonly quarantined: QuarantineEntry[] = [];
  /** By `<use case>/<event hour>`. */
  readonly partitions = new Map<string, BatchPartition>();
  /** The last record continues after the batch's last element. */
  partial = false;
  /** Running maximum over the records: AWS does not promise that arrival times ascend. */
  newestArrival = 0;
  bytes = 0;

  private arrival = 0;
  private hourStart = NaN;
  private current: BatchPartition | undefined;

  constructor(private readonly maximumPartitions = MAXIMUM_PARTITIONS) {}

  get isEmpty(): boolean {
    return this.sequences.length === 0;
  }

  /** Sequence number of the first record. */
  get first(): string {
    return this.sequences[0] ?? '';
  }

  /** The last element in the batch. */
  get end(): RecordPosition | undefined {
    const last = this.sequences.length - 1;
    if (last < 0) return undefined;
    return { sequence: this.sequences[last]!, sub: this.subs[last]!, element: this.lastElements[last]! };
  }

  /** Records that are whole in this batch, or end in it. */
  get records(): number {
    return this.sequences.length - (this.partial ? 1 : 0);
  }

  beginRecord(record: KinesisClientRecord): void {
    this.sequences.push(record.sequenceNumber);
    this.subs.push(record.subSequenceNumber);
    this.lastElements.push(-1);
    this.arrival = record.approximateArrivalTimestamp;
    this.bytes += RECORD_BYTES;
  }

  /** `stoppedAt`: the element that had no room; the record then goes on in the next batch. */
  endRecord(elements: number, stoppedAt: number | undefined): void {
    const last = this.sequences.length - 1;
    if (stoppedAt !== undefined && this.lastElements[last]! < 0) {
      // Nothing of it is in the batch.
      this.sequences.pop();
      this.subs.pop();
      this.lastElements.pop();
      return;
    }
    this.lastElements[last] = (stoppedAt ?? elements) - 1;
    this.partial = stoppedAt !== undefined;
    this.newestArrival = Math.max(this.newestArrival, this.arrival);
  }

  reading(reading: DecodedReading): boolean {
    const hourStart = Math.floor(reading.eventTime / HOUR_MS) * HOUR_MS;
    if (hourStart !== this.hourStart || this.current?.useCase !== reading.schema.useCase) {
      const partition = this.partition(reading);
      if (partition === undefined) return false;
      this.current = partition;
      this.hourStart = hourStart;
    }
    const { columns } = this.current!;
    const record = this.sequences.length - 1;
    columns.append(reading, this.devices.intern(reading.device, reading.deviceHash), record, this.arrival);
    this.lastElements[record] = reading.element;
    this.bytes += columns.bytesPerRow + (reading.messageId?.length ?? 0);
    return true;
  }

  quarantine(entry: QuarantineEntry): void {
    this.quarantined.push(entry);
    this.lastElements[this.sequences.length - 1] = entry.element;
    this.bytes += ENTRY_BYTES + entry.raw.length;
  }

  private partition(reading: DecodedReading): BatchPartition | undefined {
    const hour = partitionHour(partitionOf(reading.schema.useCase, reading.eventTime));
    const name = `${reading.schema.useCase}/${hour}`;
    let partition = this.partitions.get(name);
    if (partition === undefined) {
      if (this.partitions.size >= this.maximumPartitions) return undefined;
      partition = { useCase: reading.schema.useCase, hour, columns: new ReadingColumns(reading.schema) };
      this.partitions.set(name, partition);
    }
    return partition;
  }

  countsByUseCase(): CountsByUseCase {
    const counts: Record<string, { readings: number; quarantined: number }> = Object.create(null) as never;
    const of = (useCase: string): { readings: number; quarantined: number } =>
      (counts[useCase] ??= { readings: 0, quarantined: 0 });
    for (const { useCase, columns } of this.partitions.values()) of(useCase).readings += columns.rows;
    for (const { useCase } of this.quarantined) of(useCase).quarantined += 1;
    return Object.fromEntries(
      Object.keys(counts)
        .sort()
        .map((useCase) => [useCase, counts[useCase]!]),
    );
  }

  /**
   * Parts the batch after `position`: what another worker committed, or will, and what is left. Copies; the rare path
   * of a worker that finds the log moved under it.
   */
  split(position: RecordPosition): { through: Batch; rest: Batch } {
    const through = new Batch(this.maximumPartitions);
    const rest = new Batch(this.maximumPartitions);
    const place = { sequence: '', sub: 0, element: 0 };
    const isThrough = (sequence: string, sub: number, element: number): boolean => {
      Object.assign(place, { sequence, sub, element });
      return comparePositions(place, position) <= 0;
    };
    for (const part of [through, rest]) {
      for (let device = 0; device < this.devices.ids.length; device++) {
        part.devices.intern(this.devices.ids[device]!, this.devices.hashes[device]!);
      }
    }
    // Record indexes are moved down in the rest, so that its first record is its own.
    const kept = this.sequences.findIndex(
      (sequence, at) => !isThrough(sequence, this.subs[at]!, this.lastElements[at]!),
    );
    const firstOfRest = kept < 0 ? this.sequences.length : kept;
    this.sequences.forEach((sequence, at) => {
      const sub = this.subs[at]!;
      const straddles = at === firstOfRest && isThrough(sequence, sub, 0);
      if (at < firstOfRest || straddles) {
        through.sequences.push(sequence);
        through.subs.push(sub);
        through.lastElements.push(straddles ? position.element : this.lastElements[at]!);
        through.partial = straddles || (this.partial && at === this.sequences.length - 1);
      }
      if (at >= firstOfRest) {
        rest.sequences.push(sequence);
        rest.subs.push(sub);
        rest.lastElements.push(this.lastElements[at]!);
        rest.partial = this.partial;
      }
    });
    for (const [name, { useCase, hour, columns }] of this.partitions) {
      let cut = 0;
      while (
        cut < columns.rows &&
        isThrough(this.sequences[columns.record[cut]!]!, this.subs[columns.record[cut]!]!, columns.element[cut]!)
      ) {
        cut++;
      }
      if (cut > 0) through.adopt(name, useCase, hour, columns.slice(0, cut));
      if (cut < columns.rows) {
        const remaining = columns.slice(cut, columns.rows);
        for (let row = 0; row < remaining.rows; row++) remaining.record[row]! -= firstOfRest;
        rest.adopt(name, useCase, hour, remaining);
      }
    }
    for (const entry of this.quarantined) {
      const part = isThrough(entry.sequenceNumber, entry.subSequenceNumber, entry.element) ? through : rest;
      part.quarantined.push(entry);
      part.bytes += ENTRY_BYTES + entry.raw.length;
      part.newestArrival = Math.max(part.newestArrival, entry.arrival);
    }
    return { through, rest };
  }

  private adopt(name: string, useCase: string, hour: string, columns: ReadingColumns): void {
    this.partitions.set(name, { useCase, hour, columns });
    this.bytes += columns.rows * columns.bytesPerRow;
    for (let row = 0; row < columns.rows; row++)
      this.newestArrival = Math.max(this.newestArrival, columns.arrival[row]!);
  }

  /** True where `record` (whole) is not after the batch's end. */
  covers(record: KinesisClientRecord): boolean {
    const { end } = this;
    if (end === undefined) return false;
    const order = compareSequenceNumbers(record.sequenceNumber, end.sequence) || record.subSequenceNumber - end.sub;
    return order < 0 || (order === 0 && !this.partial);
  }
}
