/** What the worker needs of the leases it holds. Renewals may run beside it, in another thread. */
import type { Lease } from './lease';
import type { LeaseRefresher } from './lease-refresher';
import type { LeaseChange } from './lease-serializer';

/** A lease as its consumer sees it. */
export interface HeldLease {
  readonly lease: Lease;
  /** New for every acquisition: what was begun under an older one is refused. */
  readonly concurrencyToken: string;
  /** leaseCounter at acquisition. */
  readonly acquiredCounter: number;
}

/** The two times of a held lease, monotonic milliseconds; may lie in memory that threads share. */
export interface LeaseTimes {
  /** When the last write that is known to be applied was sent: never later than what others can have seen. */
  confirmedAt: number;
  /** When the lease's consumer last gave a sign of life. */
  aliveAt: number;
  /** Bytes that the consumer has processed. */
  bytes: number;
}

export interface LeaseHolder {
  /** Begins the renewals. Resolves when they run; nothing is to be held before that. */
  start(): Promise<void>;
  /** Ends them; what is held then runs out. */
  stop(): Promise<void>;
  /** Holds a lease that was just written with this worker as owner; `sentAt` is when the write was sent (monotonic). */
  hold(lease: Lease, sentAt: number): void;
  /** The lease if it is held and unexpired. Its counter may lag. */
  held(leaseKey: string): HeldLease | undefined;
  /** All held and unexpired. */
  all(): readonly HeldLease[];
  /** Milliseconds until the lease may pass to another; 0 when it is not held under this token. */
  remaining(leaseKey: string, concurrencyToken: string): number;
  /** Lets go of leases that these rows, read strongly consistent, show another worker to have taken. */
  observe(rows: readonly Lease[]): void;
  /**
   * Writes a checkpoint.
   * @throws ShutdownError when the lease is not held under this token any more
   * @throws ThrottlingError or DependencyError when the write could not be made; what is held is as before
   */
  update(leaseKey: string, concurrencyToken: string, change: LeaseChange): Promise<Lease>;
  /** Gives the lease up, in the table too; a lease in a handoff goes to its new owner. Does nothing when it is not held under this token. */
  evict(leaseKey: string, concurrencyToken: string): Promise<void>;
  /** Forgets the lease without a word to the table. */
  drop(leaseKey: string, concurrencyToken: string): void;
  /** The lease's consumer is alive, and has processed so many bytes more. */
  stamp(leaseKey: string, concurrencyToken: string, bytes?: number): void;
}

/** What a holder is made from; all durations in milliseconds. Can be sent to another thread. */
export interface LeaseHolderSettings {
  readonly workerId: string;
  readonly tableName: string;
  readonly failoverTime: number;
  readonly epsilon: number;
  /** A lease whose consumer gave no sign of life for this long is not renewed. */
  readonly livenessTimeout: number;
  readonly maxConcurrency: number;
  readonly requestTimeout: number;
}

/** For the leases that already name this worker at its start, which it takes up again, expired or not. */
export async function holdOwnLeases(
  holder: LeaseHolder,
  refresher: LeaseRefresher,
  workerId: string,
  monotonic: () => number,
): Promise<void> {
  for (const lease of await refresher.listLeases()) {
    // A row in a handoff is its old owner's until that is over.
    if (lease.leaseOwner !== workerId || lease.checkpointOwner !== undefined) continue;
    const sentAt = monotonic();
    const outcome = await refresher.renewLease(lease);
    if (outcome.written) holder.hold(outcome.lease, sentAt);
  }
}
