/** One parsed reading against its schema: the slow path, and the oracle of the fast one. */
import { YEAR_10000 } from './envelope';
import type { Fault } from './reasons';
import type { ReadingField, ReadingSchema } from './schema';

export interface EventTimeLimits {
  /** Readings older than this against the rule's `received` are quarantined, milliseconds. */
  readonly maximumAge: number;
  /** Readings further ahead of the rule's `received` than this are quarantined, milliseconds. */
  readonly maximumAhead: number;
}

/** Where {@link validateReading} leaves a valid reading. One object is reused for all. */
export interface ReadingScratch {
  /** Epoch milliseconds. */
  eventTime: number;
  messageId: string | null;
  /** The schema's fields in order; NaN where missing. */
  values: Float64Array;
}

/** Dates with a time and a zone, as RFC 3339 has them; Date.parse alone takes far more, in local time. */
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
/** UTF-16 units. */
export const MAXIMUM_MESSAGE_ID = 128;
const LONE_SURROGATE = /[\ud800-\udfff]/u;
export const FORBIDDEN_NAMES = ['__proto__', 'constructor', 'prototype'] as const;

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Checks `reading` and fills `into`; returns what is wrong with it, or undefined. */
export function validateReading(
  reading: unknown,
  schema: ReadingSchema,
  device: string,
  received: number,
  limits: EventTimeLimits,
  into: ReadingScratch,
): Fault | undefined {
  if (typeof reading !== 'object' || reading === null || Array.isArray(reading)) {
    return { reason: 'not_a_reading', detail: `a reading is a JSON object, this is ${kindOf(reading)}` };
  }
  const members = reading as Record<string, unknown>;
  for (const name of FORBIDDEN_NAMES) {
    if (Object.hasOwn(members, name))
      return { reason: 'forbidden_name', field: name, detail: 'a member has this name' };
  }
  return (
    checkDevice(members, device) ??
    checkMessageId(members, into) ??
    checkTimestamp(members, received, limits, into) ??
    checkFields(members, schema.fields, into)
  );
}

function checkDevice(members: Record<string, unknown>, device: string): Fault | undefined {
  const claimed = members['deviceId'];
  if (claimed === undefined || claimed === device) return undefined;
  return { reason: 'wrong_device', field: 'deviceId', detail: 'deviceId must be the device that the topic names' };
}

function checkMessageId(members: Record<string, unknown>, into: ReadingScratch): Fault | undefined {
  const id = members['messageId'] ?? null;
  if (id !== null) {
    if (typeof id !== 'string')
      return { reason: 'wrong_type', field: 'messageId', detail: `a string, this is ${kindOf(id)}` };
    if (id.length === 0 || id.length > MAXIMUM_MESSAGE_ID || LONE_SURROGATE.test(id)) {
      return {
        reason: 'out_of_range',
        field: 'messageId',
        detail: `1 to ${MAXIMUM_MESSAGE_ID} characters of well-formed text`,
      };
    }
  }
  into.messageId = id;
  return undefined;
}

function checkTimestamp(
  members: Record<string, unknown>,
  received: number,
  limits: EventTimeLimits,
  into: ReadingScratch,
): Fault | undefined {
  const timestamp = members['timestamp'];
  const field = 'timestamp';
  if (timestamp === undefined || timestamp === null)
    return { reason: 'missing_field', field, detail: 'a reading has a timestamp' };
  let time: number;
  if (typeof timestamp === 'number') time = timestamp;
  else if (typeof timestamp === 'string' && RFC3339.test(timestamp)) time = Math.floor(Date.parse(timestamp));
  else
    return {
      reason: 'wrong_type',
      field,
      detail: `epoch milliseconds or an RFC 3339 date and time, this is ${kindOf(timestamp)}`,
    };
  if (Number.isNaN(time)) return { reason: 'wrong_type', field, detail: 'a date that exists' };
  if (!Number.isFinite(time)) return { reason: 'not_finite', field, detail: 'epoch milliseconds' };
  if (!Number.isInteger(time)) return { reason: 'wrong_type', field, detail: 'whole epoch milliseconds' };
  if (time - received > limits.maximumAhead) {
    return { reason: 'clock_skew', field, detail: `at most ${limits.maximumAhead} ms ahead of its arrival` };
  }
  if (received - time > limits.maximumAge || time < 0 || time >= YEAR_10000) {
    return {
      reason: 'clock_skew',
      field,
      detail: `at most ${limits.maximumAge} ms before its arrival, from 1970 to 9999`,
    };
  }
  into.eventTime = time;
  return undefined;
}

function checkFields(
  members: Record<string, unknown>,
  fields: readonly ReadingField[],
  into: ReadingScratch,
): Fault | undefined {
  for (let at = 0; at < fields.length; at++) {
    const field = fields[at]!;
    const value = Object.hasOwn(members, field.name) ? members[field.name] : undefined;
    if (value === undefined || value === null) {
      if (field.required) return { reason: 'missing_field', field: field.name, detail: `required, in ${field.unit}` };
      into.values[at] = NaN;
      continue;
    }
    if (typeof value !== 'number')
      return { reason: 'wrong_type', field: field.name, detail: `a number, this is ${kindOf(value)}` };
    if (!Number.isFinite(value))
      return { reason: 'not_finite', field: field.name, detail: 'a number that a double can hold' };
    if (field.type === 'integer' && !Number.isInteger(value)) {
      return { reason: 'wrong_type', field: field.name, detail: 'an integer, this has a fraction' };
    }
    if (value < field.minimum || value > field.maximum) {
      return {
        reason: 'out_of_range',
        field: field.name,
        detail: `${field.minimum} to ${field.maximum} ${field.unit}`,
      };
    }
    into.values[at] = value;
  }
  return undefined;
}
