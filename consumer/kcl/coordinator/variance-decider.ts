/**
 * KCL's WORKER_UTILIZATION_AWARE strategy (VarianceBasedLeaseAssignmentDecider): workers are levelled by how busy they are.
 * Differences, none of which shows in the table: a worker at 0 % has the most headroom (in KCL one between 0 and half the
 * average goes first); equals are told apart by their number of leases; and what is computed from the rows rather than measured, the load
 * of workers without metrics, is levelled at once instead of dampened.
 */
import { shuffled, type ObservedLease } from '../leases/lease-taking';
import { THROUGHPUT, type FleetView, type WorkerLoad } from './fleet-view';

/** KCL's WorkerUtilizationAwareAssignmentConfig. */
export interface VarianceOptions {
  /** Part of a worker's surplus, in percent, that is moved in one run. */
  readonly dampeningPercentage: number;
  /** No balancing while every worker is within this many percent of the average. */
  readonly reBalanceThresholdPercentage: number;
  /** Where no lease is small enough, move the smallest all the same. */
  readonly allowThroughputOvershoot: boolean;
}

export const VARIANCE_DEFAULTS: VarianceOptions = {
  dampeningPercentage: 60,
  reBalanceThresholdPercentage: 10,
  allowThroughputOvershoot: true,
};

export interface Move {
  readonly seen: ObservedLease;
  readonly to: string;
}

/** Gives each lease to the worker with the most headroom, in the order given. What no worker may take is left out. */
export function placeByUtilization(view: FleetView, free: readonly ObservedLease[]): Move[] {
  const moves: Move[] = [];
  for (const seen of free) {
    const load = view.leastLoaded();
    if (!load) break;
    view.move(seen, load);
    moves.push({ seen, to: load.workerId });
  }
  return moves;
}

/** Workers that give leases away because of one metric, and how much weight each. */
function surplus(view: FleetView, metric: string, options: VarianceOptions): Map<WorkerLoad, number> {
  const average = view.averages.get(metric) ?? 0;
  const upper = average * (1 + options.reBalanceThresholdPercentage / 100);
  const lower = average * (1 - options.reBalanceThresholdPercentage / 100);
  let unbalanced = false;
  let busiest: WorkerLoad | undefined;
  const donors: WorkerLoad[] = [];
  const valueOf = (load: WorkerLoad): number => load.metrics.get(metric) ?? 0;
  for (const load of view.workers.values()) {
    const value = load.metrics.get(metric);
    if (value === undefined) continue;
    const beyondRange = value > (load.ranges.get(metric) ?? Infinity);
    unbalanced ||= value > upper || value < lower || beyondRange;
    if (value > upper || beyondRange) donors.push(load);
    if (busiest === undefined || value > valueOf(busiest)) busiest = load;
  }
  if (!unbalanced || busiest === undefined) return new Map();
  if (donors.length === 0) donors.push(busiest);
  const part = metric === THROUGHPUT ? 1 : options.dampeningPercentage / 100;
  return new Map(
    donors.map((load) => {
      const excess = valueOf(load) === 0 ? 0 : (valueOf(load) - average) / valueOf(load);
      return [load, Math.max(0, load.weight * excess * part)];
    }),
  );
}

/** A random choice of leases that together weigh less. */
function leasesWorth(
  view: FleetView,
  movable: ObservedLease[],
  weight: number,
  options: VarianceOptions,
): ObservedLease[] {
  const chosen: ObservedLease[] = [];
  let left = weight;
  for (const seen of movable) {
    const size = view.weightOf(seen.lease);
    if (left - size <= 0) continue;
    left -= size;
    chosen.push(seen);
  }
  if (chosen.length > 0 || !options.allowThroughputOvershoot) return chosen;
  const size = (seen: ObservedLease): number => view.weightOf(seen.lease);
  const smallest = movable.reduce<ObservedLease | undefined>((a, b) => (a && size(a) <= size(b) ? a : b), undefined);
  return smallest ? [smallest] : [];
}

/** Sums of equal shares may come out above the average by the last bits. */
const ROUNDING = 1 - 1e-9;

function wouldOverload(view: FleetView, load: WorkerLoad, { lease }: ObservedLease): boolean {
  return [...load.metrics.keys()].some((metric) => {
    const value = view.withLease(load, metric, lease) * ROUNDING;
    return value > (view.averages.get(metric) ?? 0) || value > (load.ranges.get(metric) ?? Infinity);
  });
}

/**
 * Of all metrics the one whose outliers carry the most weight decides. Leases go from the workers above the average to those
 * with the most headroom, until these would come above it themselves.
 * @param isMovable false for leases that are in a handoff, or about to be assigned
 */
export function balanceVariance(
  view: FleetView,
  isMovable: (seen: ObservedLease) => boolean,
  random: () => number,
  options: VarianceOptions,
): Move[] {
  let donors = new Map<WorkerLoad, number>();
  let largest = -1;
  let counted = false;
  for (const metric of view.averages.keys()) {
    const candidate = surplus(view, metric, options);
    const total = [...candidate.values()].reduce((sum, value) => sum + value, 0);
    if (candidate.size > 0 && total > largest) [donors, largest, counted] = [candidate, total, metric === THROUGHPUT];
  }
  const moves: Move[] = [];
  for (const [donor, weight] of [...donors].sort((a, b) => b[1] - a[1])) {
    const movable = shuffled([...donor.leases].filter(isMovable), random);
    // A busy worker that reads nothing: there is no telling what a lease costs it. One, and see.
    const chosen = view.isIdle && !counted ? movable.slice(0, 1) : leasesWorth(view, movable, weight, options);
    for (const seen of chosen) {
      const receiver = view.leastLoaded();
      if (!receiver || receiver === donor || wouldOverload(view, receiver, seen)) break;
      view.move(seen, receiver);
      moves.push({ seen, to: receiver.workerId });
    }
  }
  return moves;
}
