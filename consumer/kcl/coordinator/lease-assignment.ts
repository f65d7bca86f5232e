/** One run of KCL 3's leader (LeaseAssignmentManager), as a pure function of what it has seen. */
import { actualOwner, isFinished, type Lease } from '../leases/lease';
import type { ObservedLease } from '../leases/lease-taking';
import { FleetView, type AssignmentLimits, type LeaseAssignmentStrategy } from './fleet-view';
import { balanceCounts, placeByCount } from './lease-count-decider';
import { balanceVariance, placeByUtilization, type Move, type VarianceOptions } from './variance-decider';
import { isFailing, isLive, isValid, type WorkerMetricStats } from './worker-metric-stats';

export interface AssignmentSnapshot {
  readonly leases: readonly ObservedLease[];
  readonly workers: readonly WorkerMetricStats[];
  /** Workers that let all their leases expire and have not reported since, or are about to. */
  readonly suspects: ReadonlySet<string>;
  /** Keys of leases that were given to their owners since these last reported. */
  readonly unmeasured: ReadonlySet<string>;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Milliseconds. */
  readonly failoverTime: number;
  /** How long each handoff that is on has been seen, by lease key, milliseconds. */
  readonly handoffAges: ReadonlyMap<string, number>;
  /** Milliseconds after which a handoff is ended by the leader. */
  readonly handoffTimeout: number;
  readonly strategy: LeaseAssignmentStrategy;
  /** Keys of leases that their owners may not have begun to work on: a handoff of these would have nobody to end it. */
  readonly unbegun: ReadonlySet<string>;
  /** The leader itself, when it stops, with the keys of what it holds: that is handed to the others. */
  readonly leaving?: { readonly workerId: string; readonly held: ReadonlySet<string> };
  /** Whether loads are levelled in this run; expired and unassigned leases are placed in every one. */
  readonly balance: boolean;
  readonly limits: AssignmentLimits;
  readonly variance: VarianceOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface Assignment {
  readonly lease: Lease;
  readonly to: string;
}

export interface AssignmentDecision {
  /** Written at once: nobody works on these. `idle`: judged by their counters, which must still stand. */
  readonly assign: readonly (Assignment & { readonly idle: boolean })[];
  /** Their owners are asked to hand over. */
  readonly handOff: readonly Assignment[];
  /** For KCL's metrics. */
  readonly counts: {
    readonly totalLeases: number;
    readonly numWorkers: number;
    readonly expiredLeases: number;
    /** Leases that no worker may take. */
    readonly leaseSpillover: number;
    readonly reassigned: number;
    readonly failingWorkers: number;
    readonly invalidWorkers: number;
  };
}

/** Workers that may be given leases; suspects only where there is nobody else. */
export function activeWorkers(snapshot: Pick<AssignmentSnapshot, 'workers' | 'suspects' | 'now'>): WorkerMetricStats[] {
  const able = snapshot.workers.filter((stats) => isLive(stats, snapshot.now) && isValid(stats) && !isFailing(stats));
  const trusted = able.filter((stats) => !snapshot.suspects.has(stats.workerId));
  return trusted.length > 0 ? trusted : able;
}

const byAge = (a: ObservedLease, b: ObservedLease): number => (a.idle === b.idle ? 0 : b.idle - a.idle);

/** Rows of finished shards are no load; some worker has to hold them for cleanup, so they go round. */
function placeFinished(finished: readonly ObservedLease[], workerIds: readonly string[]): Move[] {
  return workerIds.length === 0
    ? []
    : finished.map((seen, index) => ({ seen, to: workerIds[index % workerIds.length] as string }));
}

export function decideAssignments(snapshot: AssignmentSnapshot): AssignmentDecision {
  const { leases, failoverTime, strategy, limits } = snapshot;
  const workers = activeWorkers(snapshot);
  const view = new FleetView(leases, workers, limits, snapshot.unmeasured);
  const isFree = ({ lease, idle }: ObservedLease): boolean => actualOwner(lease) === undefined || idle > failoverTime;
  const isOverdue = ({ lease }: ObservedLease): boolean =>
    (snapshot.handoffAges.get(lease.leaseKey) ?? 0) > snapshot.handoffTimeout;
  const free = leases.filter(isFree).sort(byAge);
  const unfinished = free.filter(({ lease }) => !isFinished(lease));
  const finished = free.filter(({ lease }) => isFinished(lease));
  // Ended, not moved anew: the worker it was meant for gets it.
  const overdue = leases.filter((seen) => !isFree(seen) && seen.lease.checkpointOwner !== undefined && isOverdue(seen));
  const place = strategy === 'LEASE_COUNT_BASED' ? placeByCount : placeByUtilization;
  const placed = place(view, unfinished);
  const { leaving, unbegun } = snapshot;
  const left = leases.filter(
    (seen) => leaving && seen.lease.leaseOwner === leaving.workerId && !isFree(seen) && !isFinished(seen.lease),
  );
  const isHandedOver = ({ lease }: ObservedLease): boolean =>
    lease.checkpointOwner !== undefined || leaving?.held.has(lease.leaseKey) === true;
  const passedOn = place(view, left.filter(isHandedOver));
  const unheld = place(
    view,
    left.filter((seen) => !isHandedOver(seen)),
  );
  const isMovable = ({ lease, idle }: ObservedLease): boolean =>
    lease.checkpointOwner === undefined &&
    lease.leaseOwner !== undefined &&
    idle <= failoverTime &&
    !unbegun.has(lease.leaseKey);
  let balanced: Move[] = [];
  if (snapshot.balance && workers.length > 1) {
    balanced =
      strategy === 'LEASE_COUNT_BASED'
        ? balanceCounts(view, isMovable)
        : balanceVariance(view, isMovable, snapshot.random, snapshot.variance);
  }
  const assign = [...placed, ...unheld, ...placeFinished(finished, [...view.workers.keys()])].map(({ seen, to }) => ({
    lease: seen.lease,
    to,
    idle: actualOwner(seen.lease) !== undefined && isFree(seen),
  }));
  const ended = overdue.flatMap(({ lease }) =>
    lease.leaseOwner === undefined ? [] : [{ lease, to: lease.leaseOwner, idle: false }],
  );
  return {
    assign: [...assign, ...ended],
    handOff: [...passedOn, ...balanced].map(({ seen, to }) => ({ lease: seen.lease, to })),
    counts: {
      totalLeases: leases.length,
      numWorkers: workers.length,
      expiredLeases: free.length,
      leaseSpillover: unfinished.length - placed.length,
      reassigned: balanced.length,
      failingWorkers: snapshot.workers.filter((stats) => isLive(stats, snapshot.now) && isFailing(stats)).length,
      invalidWorkers: snapshot.workers.filter((stats) => !isValid(stats)).length,
    },
  };
}
