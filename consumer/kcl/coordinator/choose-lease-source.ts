/** The lease source that fits the fleet which the worker has joined. */
import type { Dependencies, Log } from '../dependencies';
import type { SchedulerConfig } from '../config';
import type { Lease } from '../leases/lease';
import type { LeaseHolder } from '../leases/lease-holder';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { LeaseSource } from '../leases/lease-source';
import { takerLoop } from '../leases/lease-taker-loop';
import type { JoinedFleet } from './join-fleet';
import { LeaderAssignedLeases } from './leader-assigned-leases';

export interface LeaseSourceOptions {
  readonly fleet: JoinedFleet;
  readonly config: SchedulerConfig;
  readonly dependencies: Dependencies;
  readonly refresher: LeaseRefresher;
  readonly holder: LeaseHolder;
  readonly log: Log;
  /** Leases that this worker must not take now, since an earlier consumer of theirs still runs. */
  readonly isBlocked: (leaseKey: string) => boolean;
  /** Called with the rows of each look at the whole table; a worker that a leader gives its leases to does not look. */
  readonly onLook: (rows: readonly Lease[]) => void;
  /** A new lease is held. */
  readonly onHeld: () => void;
  /** The fleet does not work in the way that the worker joined it. */
  readonly onModeChange: (error: Error) => void;
}

export function chooseLeaseSource(options: LeaseSourceOptions): LeaseSource {
  const { fleet, config, dependencies, holder } = options;
  const common = { ...dependencies, ...options, workerId: config.workerId, failoverTime: config.failoverTimeMillis };
  if (fleet.mode.mode === 'LEADER_ASSIGNED') {
    return new LeaderAssignedLeases({
      ...common,
      workerMetrics: dependencies.workerMetrics ?? [],
      handoffTimeout: config.gracefulLeaseHandoffTimeoutMillis,
      strategy: config.leaseAssignmentStrategy,
      limits: config,
      assignmentInterval: config.leaseAssignmentIntervalMillis,
      onDiscovered: options.onHeld,
    });
  }
  return takerLoop({
    ...common,
    ...config,
    epsilon: config.epsilonMillis,
    takerInterval: config.leaseTakerIntervalMillis,
    onTaken: (lease, sentAt) => {
      holder.hold(lease, sentAt);
      options.onHeld();
    },
  });
}
