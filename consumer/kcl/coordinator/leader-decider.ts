/**
 * Who audits the shards: KCL's DeterministicShuffleShardSyncLeaderDecider. Every worker computes the same leader from the rows'
 * owners, so Java and Node workers of one fleet must shuffle alike: java.util.Random, seed 1947, Collections.shuffle.
 */
import type { Lease } from '../leases/lease';

const SEED = 1947n;
const MULTIPLIER = 0x5deece66dn;
const MASK = (1n << 48n) - 1n;

/** java.util.Random: a 48-bit linear congruential generator (as its Javadoc specifies). */
class JavaRandom {
  private state: bigint;

  constructor(seed: bigint) {
    this.state = (seed ^ MULTIPLIER) & MASK;
  }

  /** Uniform in [0, bound). */
  nextInt(bound: number): number {
    if ((bound & -bound) === bound) return Number((BigInt(bound) * BigInt(this.next31())) >> 31n);
    for (;;) {
      const bits = this.next31();
      const value = bits % bound;
      // Java sees an int overflow in the last, incomplete multiple of the bound.
      if (bits - value + (bound - 1) < 2 ** 31) return value;
    }
  }

  private next31(): number {
    this.state = (this.state * MULTIPLIER + 0xbn) & MASK;
    return Number(this.state >> 17n);
  }
}

/** Collections.shuffle of the sorted ids. */
export function shuffledWorkers(workerIds: readonly string[]): string[] {
  const random = new JavaRandom(SEED);
  const list = [...workerIds].sort();
  for (let size = list.length; size > 1; size--) {
    const other = random.nextInt(size);
    [list[size - 1], list[other]] = [list[other] as string, list[size - 1] as string];
  }
  return list;
}

/** The one leader of KCL 2.x's algorithm among the owners of leases; undefined while nobody owns any. */
export function shardSyncLeader(leases: readonly Lease[]): string | undefined {
  return shuffledWorkers([...new Set(leases.flatMap((lease) => lease.leaseOwner ?? []))])[0];
}
