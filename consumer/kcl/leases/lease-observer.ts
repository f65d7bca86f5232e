/** Remembers when each lease's counter was last seen to move: no time is stored in a row, so every worker watches for itself. */
import { actualOwner, type Lease } from './lease';
import type { ObservedLease } from './lease-taking';

interface Observation {
  readonly counter: number;
  /** Monotonic; −Infinity where never renewed. */
  readonly movedBefore: number;
  readonly owner: string | undefined;
  /** Came to its owner while this worker watched, and has not moved since. */
  readonly unbegun: boolean;
}

export class LeaseObserver {
  private observations = new Map<string, Observation>();

  /** Forgets all: what another watched does not count. */
  clear(): void {
    this.observations.clear();
  }

  /** Takes over what was seen otherwise: none of these rows has moved since. */
  assume(rows: readonly Lease[], movedBefore: number): void {
    for (const row of rows) {
      const { leaseKey, leaseCounter: counter } = row;
      this.observations.set(leaseKey, { counter, movedBefore, owner: actualOwner(row), unbegun: false });
    }
  }

  /** Leases that their owners were not seen to renew since they got them: nobody may be working on these yet. */
  get unbegun(): ReadonlySet<string> {
    return new Set([...this.observations].flatMap(([leaseKey, { unbegun }]) => (unbegun ? [leaseKey] : [])));
  }

  /**
   * Ages are what this worker can vouch for: from the end of the scan that first showed the counter to the start of the
   * present one. An owner counts from the sending of its renewal, which is earlier, so it stops before others start.
   * @param scanStart and `scanEnd`: monotonic milliseconds of the scan that gave the rows
   */
  observe(rows: readonly Lease[], scanStart: number, scanEnd: number): ObservedLease[] {
    const seen = new Map<string, Observation>();
    for (const row of rows) {
      const { leaseKey, leaseCounter: counter, leaseOwner } = row;
      const before = this.observations.get(leaseKey);
      const owner = actualOwner(row);
      const movedBefore = before !== undefined || leaseOwner !== undefined ? scanEnd : -Infinity;
      const hasNewOwner = before !== undefined && before.owner !== owner;
      const isSame = before?.counter === counter && !hasNewOwner;
      const unbegun = hasNewOwner && owner !== undefined;
      seen.set(leaseKey, isSame ? before : { counter, movedBefore, owner, unbegun });
    }
    this.observations = seen;
    return rows.map((lease) => ({ lease, idle: scanStart - (seen.get(lease.leaseKey)?.movedBefore ?? scanEnd) }));
  }
}
