/** How a worker comes by its leases: it takes them (lease-taker-loop.ts), or a leader gives them (coordinator/leader-assigned-leases.ts). */
export interface LeaseSource {
  start(): void;
  /** Looks for leases now. */
  lookNow(): void;
  /** In a fleet with a leader: whether this worker is it. */
  readonly isLeader?: boolean;
  /** Resolves when no lease is come by any more. */
  stop(): Promise<void>;
}
