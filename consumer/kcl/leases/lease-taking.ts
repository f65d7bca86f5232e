/**
 * Which leases a worker takes: the count-based algorithm of KCL 2.x (DynamoDBLeaseTaker), as a pure function of what the
 * worker has seen. Every worker decides for itself; with the same rules they come to an even share.
 */
import { isFinished, type Lease } from './lease';

/** A row and for how long, at least, its counter has stood still while this worker watched; Infinity where never renewed. */
export interface ObservedLease {
  readonly lease: Lease;
  /** Milliseconds. */
  readonly idle: number;
}

export interface LeaseTakingInput {
  readonly leases: readonly ObservedLease[];
  readonly workerId: string;
  /** Milliseconds. */
  readonly failoverTime: number;
  readonly maxLeasesForWorker: number;
  readonly maxLeasesToStealAtOneTime: number;
  readonly enablePriorityLeaseAssignment: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface LeaseTakingDecision {
  readonly take: readonly Lease[];
  /** Taken from live owners: at most `maxLeasesToStealAtOneTime`, and only when nothing is free. */
  readonly steal: readonly Lease[];
  /** For KCL's metrics. */
  readonly counts: {
    readonly totalLeases: number;
    readonly numWorkers: number;
    readonly expiredLeases: number;
    readonly neededLeases: number;
    readonly veryOldLeases: number;
    readonly leaseSpillover: number;
  };
}

/** Idle for longer than this many failover times: nobody who should take it does. */
const VERY_OLD_FAILOVERS = 3;

/** Fisher-Yates over a copy. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** Unfinished leases per live owner; this worker is always among them. */
function countByOwner(taken: readonly ObservedLease[], workerId: string): Map<string, number> {
  const counts = new Map([[workerId, 0]]);
  for (const { lease } of taken) {
    if (lease.leaseOwner !== undefined) counts.set(lease.leaseOwner, (counts.get(lease.leaseOwner) ?? 0) + 1);
  }
  return counts;
}

function chooseToSteal(
  input: LeaseTakingInput,
  counts: ReadonlyMap<string, number>,
  needed: number,
  target: number,
): Lease[] {
  let victim: string | undefined;
  for (const [owner, count] of counts) {
    if (owner !== input.workerId && (victim === undefined || count > (counts.get(victim) ?? 0))) victim = owner;
  }
  if (victim === undefined) return [];
  let number = Math.max(0, Math.min(needed, (counts.get(victim) ?? 0) - target));
  // Two or more short while nobody is above the share: shares differ by more than one, so take one from the fullest.
  if (needed > 1 && number === 0) number = 1;
  const candidates = input.leases
    .map(({ lease }) => lease)
    .filter((lease) => lease.leaseOwner === victim && lease.checkpointOwner === undefined && !isFinished(lease));
  return shuffled(candidates, input.random).slice(0, Math.min(number, input.maxLeasesToStealAtOneTime));
}

/**
 * Free is what nobody owns or what stood still for more than a failover time. Of what is free a worker takes up to its share
 * of ceil(leases / workers); where nothing is free it steals from the fullest worker.
 *
 * Unlike KCL, rows of finished shards do not count in the shares: they are no work, and a fleet that has just resharded would
 * stay uneven until the rows are cleaned up. Without a live owner they are taken beyond the share, so that they get cleaned up.
 */
export function decideLeasesToTake(input: LeaseTakingInput): LeaseTakingDecision {
  const { workerId, failoverTime, maxLeasesForWorker, random } = input;
  const isAvailable = ({ lease, idle }: ObservedLease): boolean =>
    lease.leaseOwner === undefined || idle > failoverTime;
  const active = input.leases.filter(({ lease }) => !isFinished(lease));
  const available = active.filter(isAvailable);
  const finished = input.leases.filter((seen) => isFinished(seen.lease) && isAvailable(seen)).map(({ lease }) => lease);
  const counts = countByOwner(
    active.filter((seen) => !isAvailable(seen)),
    workerId,
  );
  const numWorkers = counts.size;
  const share = numWorkers >= active.length ? 1 : Math.ceil(active.length / numWorkers);
  const target = Math.min(share, maxLeasesForWorker);
  const mine = counts.get(workerId) ?? 0;
  const needed = Math.max(0, target - mine);
  const veryOld = input.enablePriorityLeaseAssignment
    ? available.filter(({ idle }) => idle > VERY_OLD_FAILOVERS * failoverTime)
    : [];

  let take: Lease[] = [];
  let steal: Lease[] = [];
  if (veryOld.length > 0) {
    take = shuffled(veryOld, random)
      .slice(0, Math.max(0, maxLeasesForWorker - mine))
      .map(({ lease }) => lease);
  } else if (needed > 0 && available.length > 0) {
    take = shuffled(available, random)
      .slice(0, needed)
      .map(({ lease }) => lease);
  } else if (needed > 0 && active.length > 0) {
    steal = chooseToSteal(input, counts, needed, target);
  }
  return {
    take: [...take, ...finished],
    steal,
    counts: {
      totalLeases: input.leases.length,
      numWorkers,
      expiredLeases: available.length,
      neededLeases: needed,
      veryOldLeases: veryOld.length,
      leaseSpillover: Math.max(0, share - maxLeasesForWorker),
    },
  };
}
