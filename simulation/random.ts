/** Randomness by seed: every part of a run draws from a stream of its own, so that leaving out one fault leaves the rest. */
import { createHash } from 'node:crypto';
import { seededRandom } from '../test/kcl/support/virtual-time';

export class Random {
  private readonly next: () => number;

  /** @param label What the stream is for; equal seed and label give equal numbers. */
  constructor(seed: number, label: string) {
    this.next = seededRandom(createHash('sha256').update(`${seed}/${label}`).digest().readUInt32LE(0));
  }

  /** Uniform in [0, 1). */
  readonly unit = (): number => this.next();

  /** Whole, 0 … limit − 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}
