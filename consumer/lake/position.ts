/**
 * Places in a shard's log: `<sequence>.<sub>.<element>` is after that element of that user record; a sentinel is
 * before everything. The element matters where a cut falls inside one array record.
 */
import { compareSequenceNumbers } from '../kcl/common/extended-sequence-number';

export interface RecordPosition {
  /** Decimal digits. */
  readonly sequence: string;
  readonly sub: number;
  readonly element: number;
}

/** `TRIM_HORIZON`, `AT_TIMESTAMP:<epoch ms>` or `<sequence>.<sub>.<element>`. */
export type PositionText = string;

const RECORD_POSITION = /^(\d{1,64})\.(\d{1,15})\.(\d{1,15})$/;

export function formatPosition(position: RecordPosition): PositionText {
  return `${position.sequence}.${position.sub}.${position.element}`;
}

/** Undefined for a sentinel. */
export function parsePosition(text: PositionText): RecordPosition | undefined {
  const match = RECORD_POSITION.exec(text);
  if (match === null) return undefined;
  return { sequence: match[1]!, sub: Number(match[2]), element: Number(match[3]) };
}

export function comparePositions(a: RecordPosition, b: RecordPosition): number {
  return compareSequenceNumbers(a.sequence, b.sequence) || a.sub - b.sub || a.element - b.element;
}

/** Sorts as text as the positions do in the shard: sequence numbers have at most 56 digits. */
export function paddedPosition(text: PositionText): string {
  const position = parsePosition(text);
  if (position === undefined) return `${'0'.repeat(56)}#${text}`;
  const pad = (value: string | number, digits: number): string => String(value).padStart(digits, '0');
  return `${pad(position.sequence, 56)}.${pad(position.sub, 10)}.${pad(position.element, 7)}`;
}
