/** parse_time (patterns of Joda-Time) and time_to_epoch (patterns of java.time), for the letters both share and use. */
import { finite, toNumber, toText } from '../values';
import type { SqlValue } from '../values';
import { define, ofTexts } from './function';
import type { FunctionTable } from './function';

export const timeFunctions: FunctionTable = {
  parse_time: define([2, 3], ([pattern, time, zone]) => {
    const [text, ms] = [toText(pattern), toNumber(time)];
    const zoneName = zone === undefined ? 'UTC' : toText(zone);
    return text === undefined || ms === undefined || zoneName === undefined
      ? undefined
      : formatTime(text, ms, zoneName);
  }),
  time_to_epoch: ofTexts(2, parseTime),
};

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

interface PatternPart {
  /** '' for literal text. */
  readonly letter: string;
  /** Number of letters, or the literal. */
  readonly text: string;
}

/** Runs of one letter, and text: quoted or not a letter. */
function readPattern(pattern: string): readonly PatternPart[] {
  return [...pattern.matchAll(/([A-Za-z])\1*|'((?:[^']|'')*)'|[^A-Za-z']+/g)].map(([whole, letter, quoted]) =>
    letter !== undefined
      ? { letter, text: whole }
      : { letter: '', text: quoted === undefined ? whole : quoted === '' ? "'" : quoted.replaceAll("''", "'") },
  );
}

/** Milliseconds that the zone's clocks are ahead of UTC. Undefined for an unknown zone. */
function zoneOffset(zone: string, ms: number): number | undefined {
  const fixed = /^(?:UTC|GMT|UT)?([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (fixed !== null) return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  if (zone === 'Z') return 0;
  try {
    const name = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
      .formatToParts(ms)
      .find(({ type }) => type === 'timeZoneName')!.value;
    return name === 'GMT' ? 0 : zoneOffset(name, ms);
  } catch {
    return undefined;
  }
}

function shortZoneName(zone: string, ms: number): string {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'short' })
      .formatToParts(ms)
      .find(({ type }) => type === 'timeZoneName')!.value;
  } catch {
    return zone;
  }
}

function formatTime(pattern: string, ms: number, zone: string): SqlValue {
  const offset = zoneOffset(zone, ms);
  if (offset === undefined || finite(ms) === undefined || Math.abs(ms) > 8.64e15) return undefined;
  const local = new Date(ms + offset);
  const parts: string[] = [];
  for (const { letter, text } of readPattern(pattern)) {
    const part = letter === '' ? text : formatField(letter, text.length, local, { zone, offset, ms });
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts.join('');
}

function formatField(
  letter: string,
  width: number,
  local: Date,
  at: { zone: string; offset: number; ms: number },
): string | undefined {
  const number = (value: number): string => String(value).padStart(width, '0');
  const hour = local.getUTCHours();
  const year = local.getUTCFullYear();
  switch (letter) {
    case 'G':
      return year > 0 ? 'AD' : 'BC';
    case 'y':
    case 'Y':
    case 'u':
      return width === 2 ? String(year % 100).padStart(2, '0') : number(year);
    case 'M':
      return width >= 4
        ? MONTHS[local.getUTCMonth()]
        : width === 3
          ? MONTHS[local.getUTCMonth()]!.slice(0, 3)
          : number(local.getUTCMonth() + 1);
    case 'd':
      return number(local.getUTCDate());
    case 'D':
      return number(Math.floor((local.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1);
    case 'E':
      return width >= 4 ? DAYS[local.getUTCDay()] : DAYS[local.getUTCDay()]!.slice(0, 3);
    case 'e':
      return number(local.getUTCDay() === 0 ? 7 : local.getUTCDay());
    case 'a':
      return hour < 12 ? 'AM' : 'PM';
    case 'H':
      return number(hour);
    case 'k':
      return number(hour === 0 ? 24 : hour);
    case 'K':
      return number(hour % 12);
    case 'h':
      return number(hour % 12 === 0 ? 12 : hour % 12);
    case 'm':
      return number(local.getUTCMinutes());
    case 's':
      return number(local.getUTCSeconds());
    case 'S':
      return String(local.getUTCMilliseconds()).padStart(3, '0').padEnd(width, '0').slice(0, width);
    case 'z':
      return shortZoneName(at.zone, at.ms);
    case 'Z':
      return width >= 3 ? at.zone : formatOffset(at.offset, width === 2 ? ':' : '');
    default:
      return undefined;
  }
}

function formatOffset(offset: number, separator: string): string {
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(minutes / 60)}${separator}${two(minutes % 60)}`;
}

/** What a pattern letter takes from the text. */
const FIELD_PATTERNS: Readonly<Record<string, (width: number) => string>> = {
  y: (width) => (width === 2 ? '\\d{2}' : '\\d{1,9}'),
  u: (width) => (width === 2 ? '\\d{2}' : '\\d{1,9}'),
  M: (width) => (width >= 3 ? '[A-Za-z]+' : '\\d{1,2}'),
  L: (width) => (width >= 3 ? '[A-Za-z]+' : '\\d{1,2}'),
  d: () => '\\d{1,2}',
  H: () => '\\d{1,2}',
  h: () => '\\d{1,2}',
  m: () => '\\d{1,2}',
  s: () => '\\d{1,2}',
  S: (width) => `\\d{${width}}`,
  a: () => '[AaPp][Mm]',
  E: () => '[A-Za-z]+',
  V: () => '[A-Za-z0-9_+:/-]+',
  z: () => '[A-Za-z0-9_+:/-]+',
  X: () => 'Z|[+-]\\d{2}(?::?\\d{2})?',
  x: () => '[+-]\\d{2}(?::?\\d{2})?',
  Z: () => '[+-]\\d{2}:?\\d{2}',
};

function parseTime(text: string, pattern: string): SqlValue {
  const letters: string[] = [];
  const sources: string[] = [];
  for (const part of readPattern(pattern)) {
    if (part.letter === '') {
      sources.push(part.text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      continue;
    }
    const field = FIELD_PATTERNS[part.letter];
    if (field === undefined) return undefined;
    letters.push(part.letter);
    sources.push(`(${field(part.text.length)})`);
  }
  const match = new RegExp(`^${sources.join('')}$`).exec(text);
  if (match === null) return undefined;
  const fields = new Map(letters.map((letter, index) => [letter, match[index + 1]!]));
  return epochOf(fields);
}

function epochOf(fields: ReadonlyMap<string, string>): SqlValue {
  const number = (letter: string, otherwise: number): number => Number(fields.get(letter) ?? otherwise);
  const yearText = fields.get('y') ?? fields.get('u');
  if (yearText === undefined) return undefined;
  const year = yearText.length === 2 ? 2_000 + Number(yearText) : Number(yearText);
  const month = monthOf(fields.get('M') ?? fields.get('L') ?? '1');
  const half = fields.get('a')?.toLowerCase();
  const hour = half === undefined ? number('H', number('h', 0)) : (number('h', 0) % 12) + (half === 'pm' ? 12 : 0);
  const ms = Number((fields.get('S') ?? '0').padEnd(3, '0').slice(0, 3));
  const local = Date.UTC(year, month - 1, number('d', 1), hour, number('m', 0), number('s', 0), ms);
  if (
    month < 1 ||
    month > 12 ||
    hour > 23 ||
    number('m', 0) > 59 ||
    number('s', 0) > 59 ||
    new Date(local).getUTCDate() !== number('d', 1)
  )
    return undefined;
  const zone = fields.get('V') ?? fields.get('z') ?? fields.get('X') ?? fields.get('x') ?? fields.get('Z') ?? 'UTC';
  const guess = zoneOffset(withMinutes(zone), local);
  if (guess === undefined) return undefined;
  return local - zoneOffset(withMinutes(zone), local - guess)!;
}

function withMinutes(zone: string): string {
  return /^[+-]\d{2}$/.test(zone) ? `${zone}00` : zone;
}

function monthOf(text: string): number {
  if (/^\d/.test(text)) return Number(text);
  return (
    1 +
    MONTHS.findIndex(
      (name) => name.toLowerCase() === text.toLowerCase() || name.slice(0, 3).toLowerCase() === text.toLowerCase(),
    )
  );
}
