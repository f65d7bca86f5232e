/** Reads and conditional writes of lease rows. One attempt each; who calls decides what a failure means. */
import type { Item } from '../dependencies';
import type { Lease } from './lease';
import type { LeaseChange, LeaseMetaInfo } from './lease-serializer';

/** Of a conditional write: done, or refused with the row as it stands (absent: the row is gone). */
export type WriteOutcome =
  { readonly written: true; readonly lease: Lease } | { readonly written: false; readonly current: Lease | undefined };

/** All methods throw the service's error, or RequestTimeoutError (then the write may still take effect). */
export interface LeaseRefresher {
  /** Every lease row, strongly consistent; rows of other kinds are left out, unreadable ones logged and left out. */
  listLeases(): Promise<readonly Lease[]>;
  /** The whole table in one scan: the leases, and the rows that are none of this library's (of other kinds, or of the multi-stream mode). */
  readTable(): Promise<{ readonly leases: readonly Lease[]; readonly others: readonly Item[] }>;
  /** By the owner index: eventually consistent, the same for both parties of a handoff only once that is over. */
  listLeaseKeysOf(owner: string): Promise<readonly string[]>;
  getLease(leaseKey: string): Promise<Lease | undefined>;
  /** @returns false when there was a row already */
  createLeaseIfNotExists(lease: Lease): Promise<boolean>;
  renewLease(lease: Lease): Promise<WriteOutcome>;
  /** Take or steal for `owner`, if the counter is still the one seen. */
  takeLease(lease: Lease, owner: string): Promise<WriteOutcome>;
  /**
   * As the leader: makes `owner` the owner, if the owners are still those seen and, where `idle`, the counter too.
   */
  assignLease(lease: Lease, owner: string, idle: boolean): Promise<WriteOutcome>;
  /** Asks who works on the lease to hand over to `owner`, or no more where it is its own, if the owners are still those seen. */
  startHandoff(lease: Lease, owner: string): Promise<WriteOutcome>;
  /** Gives the lease up, or ends its handoff, if its owner is still the one seen. */
  evictLease(lease: Lease): Promise<WriteOutcome>;
  /** Checkpoint and prepared checkpoint, if the counter is still the one seen. */
  updateLease(lease: Lease, change: LeaseChange): Promise<WriteOutcome>;
  /** @returns false when there is no such row */
  updateLeaseWithMetaInfo(leaseKey: string, info: LeaseMetaInfo): Promise<boolean>;
  deleteLease(leaseKey: string): Promise<void>;
}
