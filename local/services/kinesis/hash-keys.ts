/** The hash key space 0…2^128−1, its ranges, and how UpdateShardCount divides it. */
import { hash } from 'node:crypto';

export const HASH_KEY_SPACE = 1n << 128n;

/** Both ends inclusive. */
export interface HashKeyRange {
  readonly start: bigint;
  readonly end: bigint;
}

export function hashPartitionKey(partitionKey: string): bigint {
  return BigInt(`0x${hash('md5', partitionKey, 'hex')}`);
}

/** Where shard `index` of `count` uniform shards begins. */
export function uniformBoundary(index: number, count: number): bigint {
  return (HASH_KEY_SPACE * BigInt(index)) / BigInt(count);
}

export function uniformRanges(count: number): HashKeyRange[] {
  return Array.from({ length: count }, (_, index) => ({
    start: uniformBoundary(index, count),
    end: uniformBoundary(index + 1, count) - 1n,
  }));
}

export interface ScalingPlan {
  /** New boundaries, ascending: the open shard that holds one is split there. */
  readonly splits: readonly bigint[];
  /** Boundaries to remove, ascending: the two open shards that meet there are merged. */
  readonly merges: readonly bigint[];
}

/**
 * UNIFORM_SCALING: splits at every boundary that is missing, then merges at every boundary that is not wanted. Shards
 * that a later step closes again are short-lived, as the API reference describes.
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
 */
export function planUniformScaling(open: readonly HashKeyRange[], target: number): ScalingPlan {
  const have = new Set(open.map((range) => range.start));
  const want = new Set(uniformRanges(target).map((range) => range.start));
  const ascending = (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0);
  return {
    splits: [...want].filter((boundary) => !have.has(boundary)).sort(ascending),
    merges: [...have].filter((boundary) => !want.has(boundary)).sort(ascending),
  };
}
