/** Remembers when each lease's counter was last seen to move: no time is stored in a row, so every worker watches for itself. */
import type { Lease } from './lease';
import type { ObservedLease } from './lease-taking';

interface Observation {
  readonly counter: number;
  /** Monotonic; −Infinity where never renewed. */
  readonly movedBefore: number;
}

export class LeaseObserver {
  private observations = new Map<string, Observation>();

  /** Forgets all: what another watched does not count. */
  clear(): void {
    this.observations.clear();
  }

  /** Takes over what was seen otherwise: none of these rows has moved since. */
  assume(rows: readonly Lease[], movedBefore: number): void {
    for (const { leaseKey, leaseCounter } of rows) {
      this.observations.set(leaseKey, { counter: leaseCounter, movedBefore });
    }
  }

  /**
   * Ages are what this worker can vouch for: from the end of the scan that first showed the counter to the start of the
   * present one. An owner counts from the sending of its renewal, which is earlier, so it stops before others start.
   * @param scanStart and `scanEnd`: monotonic milliseconds of the scan that gave the rows
   */
  observe(rows: readonly Lease[], scanStart: number, scanEnd: number): ObservedLease[] {
    const seen = new Map<string, Observation>();
    for (const { leaseKey, leaseCounter, leaseOwner } of rows) {
      const before = this.observations.get(leaseKey);
      const movedBefore = before !== undefined || leaseOwner !== undefined ? scanEnd : -Infinity;
      seen.set(leaseKey, before?.counter === leaseCounter ? before : { counter: leaseCounter, movedBefore });
    }
    this.observations = seen;
    return rows.map((lease) => ({ lease, idle: scanStart - (seen.get(lease.leaseKey)?.movedBefore ?? scanEnd) }));
  }
}
