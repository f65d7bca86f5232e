/** Up to when every shard's data is committed: pure, from the heads alone. */
import type { Head } from '../append/head';

/** Kinesis hash keys are 128-bit: the key space is 0 … 2^128 − 1. */
const KEY_SPACE_END = 2n ** 128n - 1n;

/**
 * The arrival time (epoch milliseconds) before which everything is committed, over all shards; -Infinity where the
 * unfinished heads leave a hole in the key space. A finished parent whose child has no head yet is such a hole, so
 * records in the child cannot be overlooked. ListShards is not asked: it names closed shards long after their end.
 */
export function completeUntil(heads: readonly Head[]): number {
  const open = heads
    .filter((head) => !head.finished)
    .map((head) => ({ start: BigInt(head.startingHashKey), end: BigInt(head.endingHashKey), progress: head.progress }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let covered = 0n;
  let until = Infinity;
  for (const { start, end, progress } of open) {
    if (start > covered) return -Infinity;
    if (end + 1n > covered) covered = end + 1n;
    until = Math.min(until, progress);
  }
  return covered > KEY_SPACE_END ? until : -Infinity;
}
