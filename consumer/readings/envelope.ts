/** The outer layer of a record: what an IoT rule (or the error redrive, or a gateway) put on the stream. */
import { parseTelemetryTopic } from '../../lib/contracts/topics';
import { MAXIMUM_DEPTH, type Fault } from './reasons';
import { nestsDeeperThan } from './json-scan';

export interface OpenedEnvelope {
  readonly payload: Buffer;
  readonly useCase: string;
  readonly device: string;
  /** When the rule saw the message, epoch milliseconds. */
  readonly received: number;
}

/** A fault, with as much of the envelope as could be trusted. */
export interface EnvelopeFault extends Fault {
  readonly useCase?: string;
  readonly device?: string;
  readonly received?: number;
}

/**
 * A 128 KiB payload is 171 KiB in base64; nothing near this limit was written by a rule. A Kinesis record may have 10 MiB, and
 * JSON.parse takes seconds and hundreds of megabytes for a million keys.
 */
const MAXIMUM_ENVELOPE_BYTES = 1024 * 1024;
/** Years of five digits have no place in a `dt=YYYY-MM-DD` key. */
export const YEAR_10000 = Date.UTC(10_000, 0, 1);

/** Decodes base64 text; undefined where Buffer would skip characters that are none of base64's. */
function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
}

export function isEnvelopeFault(result: OpenedEnvelope | EnvelopeFault): result is EnvelopeFault {
  return 'reason' in result;
}

/** Opens a record's envelope. `useCases` are the names that this application knows. */
export function openEnvelope(data: Uint8Array, useCases: ReadonlyMap<string, unknown>): OpenedEnvelope | EnvelopeFault {
  const members = parseObject(data);
  const payload = members?.['payload'];
  const topic = members?.['topic'];
  const device = members?.['device'];
  const received = members?.['received'];
  if (
    typeof payload !== 'string' ||
    typeof topic !== 'string' ||
    typeof device !== 'string' ||
    typeof received !== 'number' ||
    !Number.isSafeInteger(received) ||
    received < 0 ||
    received >= YEAR_10000
  ) {
    return { reason: 'not_an_envelope', detail: 'a JSON object with payload (base64), topic, device and received' };
  }
  const named = parseTelemetryTopic(topic);
  if (named === undefined || !useCases.has(named.useCase)) {
    return { reason: 'unknown_topic', field: 'topic', detail: 'dt/<use case>/<device> of a known use case', received };
  }
  const origin = { useCase: named.useCase, device: named.device, received };
  if (device !== named.device) {
    return { reason: 'topic_mismatch', field: 'device', detail: "the topic's third level", ...origin };
  }
  const bytes = decodeBase64(payload);
  if (bytes === undefined) {
    return { reason: 'not_an_envelope', field: 'payload', detail: 'base64', ...origin };
  }
  return { payload: bytes, ...origin };
}

function parseObject(data: Uint8Array): Record<string, unknown> | undefined {
  if (data.length > MAXIMUM_ENVELOPE_BYTES || nestsDeeperThan(data, MAXIMUM_DEPTH)) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
