/**
 * The path for anything that a device may send: JSON.parse, then the validator. Every record gives at least one reading
 * or quarantine entry. What the fast path answers, it answers as this one would.
 */
import { isUtf8 } from 'node:buffer';
import type { QuarantineEntry } from '../../lib/contracts/documents';
import type { KinesisClientRecord } from '../kcl/processor';
import { newReading, type DecodedReading, type DecodeResult, type ReadingSink } from './decoded-reading';
import { isEnvelopeFault, openEnvelope } from './envelope';
import { ContentHash, hashDevice } from './hash';
import { ArrayElements, nestsDeeperThan } from './json-scan';
import { MAXIMUM_DEPTH, MAXIMUM_PAYLOAD_BYTES, UNKNOWN_USE_CASE, type Fault } from './reasons';
import type { ReadingSchema } from './schema';
import { validateReading, type EventTimeLimits } from './validate';

const GZIP = [0x1f, 0x8b];
const ZSTANDARD = [0x28, 0xb5, 0x2f, 0xfd];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, at) => bytes[at] === byte);
}

/** zlib (RFC 1950): method 8 in the low nibble, and the first two bytes are a multiple of 31. */
function isZlib(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x78 && ((bytes[0] << 8) | bytes[1]!) % 31 === 0;
}

/** The payload as a JSON value, or why it is none. */
function parsePayload(payload: Buffer): { readonly value: unknown } | Fault {
  if (payload.length > MAXIMUM_PAYLOAD_BYTES) {
    return { reason: 'payload_too_large', detail: `at most ${MAXIMUM_PAYLOAD_BYTES} bytes` };
  }
  if (startsWith(payload, GZIP) || startsWith(payload, ZSTANDARD) || isZlib(payload)) {
    return { reason: 'compressed', detail: 'JSON text; compressed payloads are not unpacked' };
  }
  if (!isUtf8(payload)) return { reason: 'not_utf8', detail: 'JSON text in UTF-8' };
  if (nestsDeeperThan(payload, MAXIMUM_DEPTH)) {
    return { reason: 'too_deep', detail: `JSON nested at most ${MAXIMUM_DEPTH} deep` };
  }
  const text = payload.toString('utf8');
  if (text.trim() === '') return { reason: 'empty_payload', detail: 'a reading, or an array of readings' };
  try {
    return { value: JSON.parse(text) };
  } catch {
    // The parser's message quotes the payload, so it is not kept.
    return { reason: 'malformed_json', detail: 'JSON text; NaN and Infinity are not JSON' };
  }
}

export class SlowPath {
  /** By use case. */
  private readonly readings = new Map<string, DecodedReading>();
  private readonly hash = new ContentHash();

  constructor(
    private readonly schemas: ReadonlyMap<string, ReadingSchema>,
    private readonly limits: EventTimeLimits,
    private readonly shardId: string,
  ) {
    for (const [name, schema] of schemas) this.readings.set(name, newReading(schema));
  }

  /** Decodes the record's elements from `fromElement` on into `sink`. Pure but for the sink; never throws on input. */
  decode(record: KinesisClientRecord, sink: ReadingSink, fromElement = 0): DecodeResult {
    const envelope = openEnvelope(record.data, this.schemas);
    if (isEnvelopeFault(envelope)) {
      sink.quarantine(this.entry(record, envelope, envelope, record.data, 0));
      return { elements: 1, stoppedAt: undefined };
    }
    const schema = this.schemas.get(envelope.useCase)!;
    const parsed = parsePayload(envelope.payload);
    if ('reason' in parsed) {
      sink.quarantine(this.entry(record, parsed, envelope, envelope.payload, 0));
      return { elements: 1, stoppedAt: undefined };
    }
    const elements: readonly unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
    if (elements.length === 0) {
      const fault: Fault = { reason: 'empty_payload', detail: 'an array holds at least one reading' };
      sink.quarantine(this.entry(record, fault, envelope, envelope.payload, 0));
      return { elements: 1, stoppedAt: undefined };
    }
    const reading = this.readings.get(schema.useCase)!;
    reading.device = envelope.device;
    reading.deviceHash = hashDevice(envelope.device);
    reading.received = envelope.received;
    const texts = new ArrayElements(envelope.payload);
    for (let at = fromElement; at < elements.length; at++) {
      const fault = validateReading(elements[at], schema, envelope.device, envelope.received, this.limits, reading);
      if (fault !== undefined) {
        const raw = Array.isArray(parsed.value) ? texts.text(at) : envelope.payload;
        sink.quarantine(this.entry(record, fault, envelope, raw, at));
        continue;
      }
      reading.element = at;
      this.hash.update(reading.deviceHash, reading.eventTime, reading.values, reading.messageId);
      reading.hashHigh = this.hash.high;
      reading.hashLow = this.hash.low;
      if (!sink.reading(reading)) return { elements: elements.length, stoppedAt: at };
    }
    return { elements: elements.length, stoppedAt: undefined };
  }

  private entry(
    record: KinesisClientRecord,
    fault: Fault,
    origin: { useCase?: string; device?: string; received?: number },
    raw: Uint8Array,
    element: number,
  ): QuarantineEntry {
    return {
      reason: fault.reason,
      ...(fault.field === undefined ? {} : { field: fault.field }),
      detail: fault.detail,
      useCase: origin.useCase ?? UNKNOWN_USE_CASE,
      ...(origin.device === undefined ? {} : { device: origin.device }),
      shardId: this.shardId,
      sequenceNumber: record.sequenceNumber,
      subSequenceNumber: record.subSequenceNumber,
      element,
      ...(origin.received === undefined ? {} : { received: origin.received }),
      arrival: record.approximateArrivalTimestamp,
      raw: Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('base64'),
    };
  }
}
