/** How large the run of a seed is: most are small, since a bug needs few shards and workers, and small runs are many. */
import { Random } from './random';

export interface RunSize {
  /** Tasks of the service. */
  readonly slots: number;
  /** Open shards at the start. */
  readonly shards: number;
  /** Publishing and faults last this long, milliseconds. */
  readonly window: number;
  /** Payloads put on the stream, duplicates not counted. */
  readonly publishes: number;
}

export function sizeOf(seed: number): RunSize {
  const random = new Random(seed, 'size');
  const between = (least: number, most: number): number => least + random.below(most - least + 1);
  const dice = random.unit();
  if (dice < 0.75) {
    return {
      slots: between(2, 3),
      shards: between(1, 2),
      window: between(25_000, 50_000),
      publishes: between(20, 60),
    };
  }
  if (dice < 0.96) {
    return {
      slots: between(2, 4),
      shards: between(1, 4),
      window: between(60_000, 150_000),
      publishes: between(60, 220),
    };
  }
  return {
    slots: between(4, 8),
    shards: between(3, 8),
    window: between(150_000, 400_000),
    publishes: between(200, 500),
  };
}
