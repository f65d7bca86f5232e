/**
 * What becomes of a device's readings on their way out: batches, duplicates, late and swapped readings, and a few
 * payloads that are no reading at all. Seeded, and counted exactly, so that what arrives can be held against what was
 * sent.
 */
import type { SimulatedReading, UseCase } from './define-use-case';
import { between, hash, uniform } from './random';

/** Shares of readings, or of publishes for the last three. */
const BAD_ELEMENT_SHARE = 0.0003;
const LATE_SHARE = 0.005;
const SWAPPED_SHARE = 0.005;
/** Deliveries repeated by MQTT's "at least once" (QoS 1), readings counted. */
const REPEATED_SHARE = 0.005;
/** Payloads that no decoder can read, as a share of readings. */
const GARBAGE_SHARE = 0.0002;

const MINUTE = 60_000;
const LATE_MS = [3 * MINUTE, 12 * MINUTE] as const;

export interface Publish {
  readonly payload: Buffer;
  /** Event time of the newest reading inside, epoch milliseconds. */
  readonly timestamp: number;
  /** Array elements, or 1. `readings = messageIds.length + malformed`. */
  readonly readings: number;
  /** How many of them belong into quarantine. A payload that cannot be read at all counts as one. */
  readonly malformed: number;
  /** Ids of the good ones; an id that comes again is a duplicate. */
  readonly messageIds: readonly string[];
}

export interface PublishOptions {
  readonly useCase: UseCase;
  /** Number of the simulated device, from 0. */
  readonly device: number;
  /** Thing name; part of each message id. */
  readonly deviceName: string;
  readonly seed: number;
  /** [from, to), epoch milliseconds; `to` may be Infinity. */
  readonly from: number;
  readonly to: number;
  /** Readings in a payload; 1 gives plain objects, more gives arrays. */
  readonly batch: number;
}

/** One element of a payload. */
interface Element {
  readonly timestamp: number;
  /** JSON text. */
  readonly text: string;
  /** Undefined where it is malformed. */
  readonly messageId: string | undefined;
}

/**
 * The publishes of one device in the order in which they are sent. A late reading goes out with or after newer ones,
 * and all go out: what is still held back at `to` is sent at the end.
 */
export function* publishes(options: PublishOptions): Generator<Publish, void, undefined> {
  const { useCase, device, seed, from, to, batch } = options;
  const keys = [seed, device] as const;
  const source = useCase.simulator.readings({ device, seed, from, to });
  let pending: Element[] = [];
  let repeat: Publish | undefined;
  for (const reading of delayed(source, useCase.simulator.intervalMs, keys)) {
    pending.push(elementOf(reading, options));
    if (pending.length >= batch) {
      const publish = pack(pending, batch);
      pending = [];
      yield publish;
      // A repeated delivery comes after its successor, as after a lost acknowledgement.
      if (repeat !== undefined) yield repeat;
      repeat = uniform(...keys, 60, publish.timestamp) < REPEATED_SHARE ? publish : undefined;
      if (uniform(...keys, 61, publish.timestamp) < GARBAGE_SHARE * batch) yield garbage(publish.timestamp, options);
    }
  }
  if (pending.length > 0) yield pack(pending, batch);
  if (repeat !== undefined) yield repeat;
}

/** Holds some readings back: a few intervals (out of order) or minutes (late). */
function* delayed(
  source: Iterable<SimulatedReading>,
  intervalMs: number,
  keys: readonly number[],
): Generator<SimulatedReading, void, undefined> {
  const held: { readonly due: number; readonly reading: SimulatedReading }[] = [];
  for (const reading of source) {
    const { timestamp } = reading;
    const chance = uniform(...keys, 62, timestamp);
    const delay =
      chance < LATE_SHARE
        ? between(...LATE_MS, ...keys, 63, timestamp)
        : chance < LATE_SHARE + SWAPPED_SHARE
          ? intervalMs * (1 + (hash(...keys, 64, timestamp) % 3))
          : 0;
    if (delay > 0) held.push({ due: timestamp + delay, reading });
    else yield reading;
    for (let index = 0; index < held.length;) {
      if (held[index]!.due <= timestamp) yield held.splice(index, 1)[0]!.reading;
      else index += 1;
    }
  }
  for (const { reading } of held) yield reading;
}

function elementOf(reading: SimulatedReading, options: PublishOptions): Element {
  const { timestamp, values } = reading;
  const { seed, device, deviceName, useCase } = options;
  // The id follows from the moment, so that a device that sends its backlog again repeats its ids too.
  const messageId = `${deviceName}-${timestamp.toString(36)}`;
  const good = { timestamp, messageId, ...values };
  if (uniform(seed, device, 65, timestamp) >= BAD_ELEMENT_SHARE) {
    return { timestamp, text: JSON.stringify(good), messageId };
  }
  return {
    timestamp,
    text: JSON.stringify(spoil(good, useCase, hash(seed, device, 66, timestamp))),
    messageId: undefined,
  };
}

/** A fault of a device's firmware in an otherwise fine reading. */
function spoil(reading: Record<string, unknown>, useCase: UseCase, choice: number): Record<string, unknown> {
  const [name, field] = Object.entries(useCase.schema).find(([, candidate]) => candidate.required)!;
  const without = Object.fromEntries(Object.entries(reading).filter(([member]) => member !== name));
  const spoiled: readonly Record<string, unknown>[] = [
    { ...reading, [name]: field.maximum + 1000 },
    { ...reading, [name]: 'NaN' },
    { ...reading, [name]: null },
    { ...reading, timestamp: 'yesterday' },
    without,
  ];
  return spoiled[choice % spoiled.length]!;
}

function pack(elements: readonly Element[], batch: number): Publish {
  const texts = elements.map((element) => element.text);
  const messageIds = elements.flatMap((element) => (element.messageId === undefined ? [] : [element.messageId]));
  return {
    payload: Buffer.from(batch === 1 ? texts[0]! : `[${texts.join(',')}]`),
    timestamp: Math.max(...elements.map((element) => element.timestamp)),
    readings: elements.length,
    malformed: elements.length - messageIds.length,
    messageIds,
  };
}

/** A payload that is no reading: it counts as one quarantined record, and takes no good reading with it. */
function garbage(timestamp: number, { useCase, seed, device }: PublishOptions): Publish {
  const field = Object.keys(useCase.schema)[0]!;
  const payloads = [
    Buffer.from(`{"timestamp":${timestamp},"${field}":`),
    Buffer.from(`{"timestamp":${timestamp},"${field}":NaN}`),
    Buffer.from(`timestamp=${timestamp};${field}=1`),
    Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00]),
    Buffer.from('"restarted"'),
  ];
  const payload = payloads[hash(seed, device, 67, timestamp) % payloads.length]!;
  return { payload, timestamp, readings: 1, malformed: 1, messageIds: [] };
}
