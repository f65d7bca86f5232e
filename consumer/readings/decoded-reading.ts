/** What decoding gives: a reading at a time, to a sink. */
import type { QuarantineEntry } from '../../lib/contracts/documents';
import type { ReadingSchema } from './schema';
import type { ReadingScratch } from './validate';

/** A valid reading. The object and its arrays are reused: a sink copies what it keeps. */
export interface DecodedReading extends ReadingScratch {
  readonly schema: ReadingSchema;
  device: string;
  deviceHash: number;
  /** Epoch milliseconds: when the rule saw it. */
  received: number;
  /** Index in an array payload, else 0. */
  element: number;
  hashHigh: number;
  hashLow: number;
}

export interface ReadingSink {
  /** Takes the reading, or returns false where it has no room: decoding stops before this element. */
  reading(reading: DecodedReading): boolean;
  quarantine(entry: QuarantineEntry): void;
}

/** What became of a record: all of it, or up to (not including) `stoppedAt`. */
export interface DecodeResult {
  readonly elements: number;
  readonly stoppedAt: number | undefined;
}

export function newReading(schema: ReadingSchema): DecodedReading {
  return {
    schema,
    device: '',
    deviceHash: 0,
    eventTime: 0,
    received: 0,
    element: 0,
    messageId: null,
    hashHigh: 0,
    hashLow: 0,
    values: new Float64Array(schema.fields.length),
  };
}
