/** Ranges of Kinesis' hash keys: 0…2^128−1, inclusive on both ends, written in decimal. */

export const MIN_HASH_KEY = 0n;
export const MAX_HASH_KEY = (1n << 128n) - 1n;

export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** A part of the key space that no range covers. */
export interface HashKeyHole {
  /** Inclusive. */
  readonly from: bigint;
  /** Inclusive. */
  readonly to: bigint;
}

/**
 * The first uncovered part of the key space, in key order; undefined where the ranges cover it all.
 * Overlaps are allowed: a parent and its children may both be there.
 */
export function findHole(ranges: readonly HashKeyRange[]): HashKeyHole | undefined {
  const sorted = ranges
    .map((range) => ({ from: BigInt(range.startingHashKey), to: BigInt(range.endingHashKey) }))
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  let next = MIN_HASH_KEY;
  for (const { from, to } of sorted) {
    if (from > next) return { from: next, to: from - 1n };
    if (to >= next) next = to + 1n;
  }
  return next > MAX_HASH_KEY ? undefined : { from: next, to: MAX_HASH_KEY };
}
