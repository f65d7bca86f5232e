/** One thing that a device, a producer or an accident puts on the stream, and what must become of it. */
import { telemetryTopic, type TelemetryEnvelope } from '../../lib/contracts/topics';
import { sensorMonitoring } from '../../use-cases/sensor-monitoring';

export const USE_CASE = sensorMonitoring;
/** The good neighbours' hour. */
export const HOUR_START = Date.UTC(2026, 2, 4);
/** When the rule sees everything, epoch milliseconds. */
export const RECEIVED = HOUR_START + 3_600_000 + 600_000;
/** The event-time limits of the run, milliseconds. */
export const LIMITS = { maximumAge: 400 * 86_400_000, maximumAhead: 300_000 };

export interface CorpusItem {
  readonly name: string;
  /** The Kinesis record's data; made when its turn comes, as some are large. */
  readonly data: () => Uint8Array;
  /** Elements published: rows and quarantine entries together must be exactly as many. */
  readonly elements: number;
  /** Rows among them; undefined where either may come. */
  readonly rows?: number;
  /** Reason of every quarantine entry, where it matters. */
  readonly reason?: string;
}

/** What must become of a payload: a row, a quarantine entry (with a reason), or one of the two. */
export type Expected = 'row' | 'quarantine' | 'either' | { readonly reason: string };

/** The record that the telemetry rule writes for a publish of `device`. */
export function enveloped(payload: Uint8Array, device = 'corpus-device'): Buffer {
  const envelope: TelemetryEnvelope = {
    payload: Buffer.from(payload).toString('base64'),
    topic: telemetryTopic(USE_CASE.name, device),
    device,
    received: RECEIVED,
  };
  return Buffer.from(JSON.stringify(envelope));
}

/** A record as it stands. */
export function recordItem(name: string, data: () => Uint8Array, expected: Expected, elements = 1): CorpusItem {
  const rows = expected === 'either' ? undefined : expected === 'row' ? elements : 0;
  const reason = typeof expected === 'object' ? expected.reason : undefined;
  return { name, data, elements, ...(rows === undefined ? {} : { rows }), ...(reason === undefined ? {} : { reason }) };
}

type Payload = Uint8Array | string;

/** A payload in the rule's envelope. */
export function payloadItem(
  name: string,
  payload: Payload | (() => Payload),
  expected: Expected,
  elements = 1,
): CorpusItem {
  const data = (): Buffer => enveloped(Buffer.from((typeof payload === 'function' ? payload() : payload) as string));
  return recordItem(name, data, expected, elements);
}

/** JSON text of a good reading; `more` is put in at its end as it stands, `over` takes the place of its members. */
export function readingText(over: Readonly<Record<string, string>> = {}, more = ''): string {
  const members = Object.entries({ timestamp: String(HOUR_START + 1_800_000), temperature: '21.5', ...over });
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}${more}}`;
}
