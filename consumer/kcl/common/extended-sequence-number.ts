/**
 * A checkpoint: a Kinesis sequence number (or a sentinel) and a sub-sequence number inside a KPL aggregate.
 * Order as in the KCL: AT_TIMESTAMP < TRIM_HORIZON < LATEST < digits (as integers, then sub-sequence) < SHARD_END.
 */
export const Sentinel = {
  AT_TIMESTAMP: 'AT_TIMESTAMP',
  TRIM_HORIZON: 'TRIM_HORIZON',
  LATEST: 'LATEST',
  SHARD_END: 'SHARD_END',
} as const;

const RANK: Readonly<Record<string, number>> = { AT_TIMESTAMP: 0, TRIM_HORIZON: 1, LATEST: 2, SHARD_END: 4 };
const DIGITS_RANK = 3;

export interface ExtendedSequenceNumber {
  /** Decimal digits, or one of {@link Sentinel}. */
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

export function isSentinel(sequenceNumber: string): boolean {
  return sequenceNumber in RANK;
}

/** Compares decimal digit strings as integers without making a BigInt. */
export function compareSequenceNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Negative, zero or positive, as for Array.prototype.sort. */
export function compareExtended(a: ExtendedSequenceNumber, b: ExtendedSequenceNumber): number {
  const rankA = RANK[a.sequenceNumber] ?? DIGITS_RANK;
  const rankB = RANK[b.sequenceNumber] ?? DIGITS_RANK;
  if (rankA !== rankB) return rankA - rankB;
  if (rankA !== DIGITS_RANK) return 0;
  return compareSequenceNumbers(a.sequenceNumber, b.sequenceNumber) || a.subSequenceNumber - b.subSequenceNumber;
}
