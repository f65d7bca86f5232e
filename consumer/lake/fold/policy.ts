/** When a partition may fold: pure. All times are arrival times on the stream, so no worker's clock takes part. */

export interface FoldQuestion {
  /** From the heads, read before the registry; see {@link import('./completeness').completeUntil}. */
  readonly completeUntil: number;
  /** First instant after the partition's hour, epoch milliseconds. */
  readonly hourEnd: number;
  /** Milliseconds. */
  readonly lateness: number;
  /** The generation that would be made, from 1. */
  readonly generation: number;
  /** Arrival times over the segments (and marks) that no sealed generation contains. */
  readonly oldestArrival: number;
  readonly newestArrival: number;
}

/** An open partition with a trickle of late readings is folded after this many quiet periods at the latest. */
const PATIENCE = 4;
/** Waits stop doubling here: 2^6 times the lateness. */
const MAXIMUM_DOUBLINGS = 6;

/** The quiet period that generation `generation` waits for: each fold of one partition waits twice as long. */
export function quietPeriod(lateness: number, generation: number): number {
  return lateness * 2 ** Math.min(generation - 1, MAXIMUM_DOUBLINGS);
}

/**
 * True where everything that arrived until the hour's end plus the lateness is committed, and nothing came for a quiet
 * period or the oldest reading that waits has waited for four of them.
 */
export function mayFold(question: FoldQuestion): boolean {
  const { completeUntil, hourEnd, lateness, generation, oldestArrival, newestArrival } = question;
  if (completeUntil < hourEnd + lateness) return false;
  const quiet = quietPeriod(lateness, generation);
  return completeUntil - newestArrival >= quiet || completeUntil - oldestArrival >= PATIENCE * quiet;
}
