/** KCL's LEASE_COUNT_BASED strategy (LeaseCountBasedLeaseAssignmentDecider): every worker the same number of leases. */
import type { ObservedLease } from '../leases/lease-taking';
import type { FleetView, WorkerLoad } from './fleet-view';
import type { Move } from './variance-decider';

/** Each lease to the worker that has the fewest, in the order given. What no worker may take is left out. */
export function placeByCount(view: FleetView, free: readonly ObservedLease[]): Move[] {
  const moves: Move[] = [];
  for (const seen of free) {
    let fewest: WorkerLoad | undefined;
    for (const load of view.workers.values()) {
      if (view.canTakeMore(load) && !(fewest && fewest.leases.size <= load.leases.size)) fewest = load;
    }
    if (!fewest) break;
    view.move(seen, fewest);
    moves.push({ seen, to: fewest.workerId });
  }
  return moves;
}

/**
 * Shares differ by one at most, and the workers that have most keep the larger ones, so no lease moves without need. KCL fills up
 * to ceil(leases / workers), which can leave one worker far short while all others have that many.
 * @param isMovable false for leases that are in a handoff, or about to be assigned
 */
export function balanceCounts(view: FleetView, isMovable: (seen: ObservedLease) => boolean): Move[] {
  const workers = [...view.workers.values()].sort((a, b) => b.leases.size - a.leases.size);
  const total = workers.reduce((sum, load) => sum + load.leases.size, 0);
  const low = Math.floor(total / Math.max(1, workers.length));
  const larger = total - low * workers.length;
  const share = (index: number): number => (index < larger ? low + 1 : low);
  const poor = workers.flatMap((load, index): WorkerLoad[] =>
    new Array<WorkerLoad>(Math.max(0, share(index) - load.leases.size)).fill(load),
  );
  const moves: Move[] = [];
  for (const [index, load] of workers.entries()) {
    const surplus = load.leases.size - share(index);
    if (surplus <= 0) continue;
    for (const seen of [...load.leases].filter(isMovable).slice(0, surplus)) {
      const receiver = poor.pop();
      if (!receiver) return moves;
      if (!view.canTakeMore(receiver)) continue;
      view.move(seen, receiver);
      moves.push({ seen, to: receiver.workerId });
    }
  }
  return moves;
}
