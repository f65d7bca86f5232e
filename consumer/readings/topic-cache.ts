/**
 * Topics by their bytes. Devices send again and again under the same topic: its parts, and the device's hash, are worked
 * out once, and no string is made per record.
 */
import { parseTelemetryTopic } from '../../lib/contracts/topics';
import { standsAt } from './ascii';
import { hashDevice } from './hash';

export interface Topic {
  /** Printable ASCII without quotes and backslashes, by the patterns of its parts. */
  readonly text: string;
  readonly useCase: string;
  readonly device: string;
  readonly deviceHash: number;
}

/** A power of two. Each entry costs some 200 bytes; topics that share a slot displace one another, and cost a parse. */
const SLOTS = 32_768;
/** One for all shards of the process: the memory of a pure function. */
const slots: (Topic | undefined)[] = new Array<undefined>(SLOTS);

/** The topic in [start, end); undefined where it is no telemetry topic. */
export function topicAt(bytes: Buffer, start: number, end: number): Topic | undefined {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = slots[slot];
  if (known !== undefined && known.text.length === end - start && standsAt(known.text, bytes, start)) return known;
  const text = bytes.toString('latin1', start, end);
  const parts = parseTelemetryTopic(text);
  if (parts === undefined) return undefined;
  const { useCase, device } = parts;
  return (slots[slot] = { text, useCase, device, deviceHash: hashDevice(device) });
}
