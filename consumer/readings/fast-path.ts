/**
 * Envelope bytes → readings, without JSON.parse: what the telemetry rule writes around payloads that the use case's
 * {@link ReadingParser} knows. Nothing reaches the sink before the whole record proved to be of that kind.
 */
import type { KinesisClientRecord } from '../kcl/processor';
import { newReading, type DecodedReading, type DecodeResult, type ReadingSink } from './decoded-reading';
import { EnvelopeReader } from './envelope-reader';
import { ContentHash } from './hash';
import { ReadingParser } from './reading-parser';
import { MAXIMUM_PAYLOAD_BYTES } from './reasons';
import type { ReadingSchema } from './schema';
import type { EventTimeLimits } from './validate';

/** A payload of the largest size in base64, and room for the rest of an envelope. */
const MAXIMUM_ENVELOPE_BYTES = Math.ceil(MAXIMUM_PAYLOAD_BYTES / 3) * 4 + 1024;

interface Decoding {
  readonly parser: ReadingParser;
  readonly reading: DecodedReading;
}

export class FastPath {
  /** By use case. */
  private readonly decodings = new Map<string, Decoding>();
  private readonly envelope = new EnvelopeReader();
  private readonly hash = new ContentHash();

  constructor(schemas: ReadonlyMap<string, ReadingSchema>, limits: EventTimeLimits) {
    for (const [useCase, schema] of schemas) {
      const parser = ReadingParser.of(schema, limits);
      if (parser !== undefined) this.decodings.set(useCase, { parser, reading: newReading(schema) });
    }
  }

  /** Undefined, and nothing done, where the record is for the slow path. */
  decode({ data: bytes }: KinesisClientRecord, sink: ReadingSink, fromElement: number): DecodeResult | undefined {
    const { envelope } = this;
    const data = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (data.length > MAXIMUM_ENVELOPE_BYTES || !envelope.read(data)) return undefined;
    const { device, deviceHash, useCase } = envelope.topic!;
    const decoding = this.decodings.get(useCase);
    if (decoding === undefined || envelope.payloadLength > MAXIMUM_PAYLOAD_BYTES) return undefined;
    const { parser, reading } = decoding;
    if (!parser.parse(envelope.payload, envelope.payloadLength, device, envelope.received)) return undefined;
    reading.device = device;
    reading.deviceHash = deviceHash;
    reading.received = envelope.received;
    return { elements: parser.rows, stoppedAt: this.emit(decoding, sink, fromElement) };
  }

  /** Hands the rows to the sink. @returns the element that it had no room for. */
  private emit({ parser, reading }: Decoding, sink: ReadingSink, fromElement: number): number | undefined {
    const { values } = reading;
    for (let row = fromElement; row < parser.rows; row++) {
      reading.element = row;
      reading.eventTime = parser.eventTime[row]!;
      reading.messageId = parser.messageId[row]!;
      for (let at = 0; at < values.length; at++) values[at] = parser.values[row * values.length + at]!;
      this.hash.update(reading.deviceHash, reading.eventTime, values, reading.messageId);
      reading.hashHigh = this.hash.high;
      reading.hashLow = this.hash.low;
      if (!sink.reading(reading)) return row;
    }
    return undefined;
  }
}
