/** The fast path held against the slow one, record by record. */
import { isDeepStrictEqual } from 'node:util';
import type { KinesisClientRecord } from '../../../consumer/kcl/processor';
import type { DecodedReading, DecodeResult, ReadingSink } from '../../../consumer/readings/decoded-reading';
import { FastPath } from '../../../consumer/readings/fast-path';
import type { ReadingSchema } from '../../../consumer/readings/schema';
import { SlowPath } from '../../../consumer/readings/slow-path';
import type { EventTimeLimits } from '../../../consumer/readings/validate';
import type { QuarantineEntry } from '../../../lib/contracts/documents';

interface Decoded {
  readonly result: DecodeResult | undefined;
  /** Readings and quarantine entries in the order in which they came. */
  readonly out: readonly (readonly unknown[] | QuarantineEntry)[];
}

/** Keeps everything; takes `room` readings. */
class KeepingSink implements ReadingSink {
  readonly out: (readonly unknown[] | QuarantineEntry)[] = [];

  constructor(private room: number) {}

  reading({ schema, values, ...reading }: DecodedReading): boolean {
    if (this.room-- <= 0) return false;
    const { device, deviceHash, eventTime, received, element, messageId, hashHigh, hashLow } = reading;
    const identity = [device, deviceHash, eventTime, received, element, messageId, hashHigh, hashLow];
    this.out.push([schema.useCase, ...identity, ...values]);
    return true;
  }

  quarantine(entry: QuarantineEntry): void {
    this.out.push(entry);
  }
}

export interface Comparison {
  /** The fast path took the record. */
  readonly fast: boolean;
  /** What the fast path gave, and the slow one, where that is not the same. */
  readonly difference: { readonly fast: unknown; readonly slow: unknown } | undefined;
  readonly rows: number;
  readonly quarantined: number;
}

export class BothPaths {
  private readonly fast: FastPath;
  private readonly slow: SlowPath;

  constructor(schemas: ReadonlyMap<string, ReadingSchema>, limits: EventTimeLimits) {
    this.fast = new FastPath(schemas, limits);
    this.slow = new SlowPath(schemas, limits, 'shardId-000000000000');
  }

  /** Decodes the record on both paths. A record that the fast path does not take must leave nothing in its sink. */
  compare(record: KinesisClientRecord, fromElement = 0, room = Infinity): Comparison {
    const slow = this.run(this.slow, record, fromElement, room);
    const fast = this.run(this.fast, record, fromElement, room);
    const expected = fast.result === undefined ? { result: undefined, out: [] } : slow;
    const rows = slow.out.filter((each) => Array.isArray(each)).length;
    return {
      fast: fast.result !== undefined,
      // Tells -0 from 0, and takes NaN for NaN.
      difference: isDeepStrictEqual(fast, expected) ? undefined : { fast, slow: expected },
      rows,
      quarantined: slow.out.length - rows,
    };
  }

  private run(path: FastPath | SlowPath, record: KinesisClientRecord, fromElement: number, room: number): Decoded {
    const sink = new KeepingSink(room);
    return { result: path.decode(record, sink, fromElement), out: sink.out };
  }
}
