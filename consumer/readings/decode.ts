/**
 * Record → readings and quarantine entries. Every record gives at least one of the two, so that
 * `records in = readings + quarantined` can be counted from outside.
 *
 * Two paths with one result. The fast one reads what well-behaved devices send straight from the bytes; whatever else
 * comes goes the slow one, whole, from the record's beginning.
 */
import type { KinesisClientRecord } from '../kcl/processor';
import type { DecodeResult, ReadingSink } from './decoded-reading';
import { FastPath } from './fast-path';
import type { ReadingSchema } from './schema';
import { SlowPath } from './slow-path';
import type { EventTimeLimits } from './validate';

export type { DecodedReading, DecodeResult, ReadingSink } from './decoded-reading';

export class RecordDecoder {
  private readonly fast: FastPath;
  private readonly slow: SlowPath;

  /** @throws Error without any use case. */
  constructor(schemas: ReadonlyMap<string, ReadingSchema>, limits: EventTimeLimits, shardId: string) {
    if (schemas.size === 0) throw new Error('RecordDecoder needs at least one use case');
    this.fast = new FastPath(schemas, limits);
    this.slow = new SlowPath(schemas, limits, shardId);
  }

  /** Decodes the record's elements from `fromElement` on into `sink`. Pure but for the sink; never throws on input. */
  decode(record: KinesisClientRecord, sink: ReadingSink, fromElement = 0): DecodeResult {
    return this.fast.decode(record, sink, fromElement) ?? this.slow.decode(record, sink, fromElement);
  }
}
