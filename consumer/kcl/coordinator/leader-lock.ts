/**
 * Leader election by the row `Leader`, in the format of the DynamoDB lock client that KCL 3 uses. The row holds no time: who wants
 * an abandoned lock must itself see its version stand still for the lease duration that the row names.
 */
import type { Clock, Item, Log } from '../dependencies';
import { describeError } from '../common/errors';
import type { CoordinatorTable } from './coordinator-table';

export const LEADER_KEY = 'Leader';
export const LEADER_ENTITY = 'LEADER';

export interface LockRow {
  readonly ownerName: string;
  /** Milliseconds. */
  readonly leaseDuration: number;
  /** New with every heartbeat. */
  readonly recordVersionNumber: string;
  readonly isReleased: boolean;
}

/** @returns undefined for a row that no lock client wrote: it is left alone */
export function lockFromItem(item: Item): LockRow | undefined {
  const [ownerName, duration, version] = ['ownerName', 'leaseDuration', 'recordVersionNumber'].map((n) => item[n]?.S);
  const leaseDuration = Number(duration ?? NaN);
  if (ownerName === undefined || version === undefined || !Number.isFinite(leaseDuration)) return undefined;
  return { ownerName, leaseDuration, recordVersionNumber: version, isReleased: item['isReleased'] !== undefined };
}

export interface Watch {
  readonly recordVersionNumber: string;
  /** Monotonic milliseconds at the end of the read that first showed the version. */
  readonly since: number;
}

/** Pure: may the lock be taken from what the row shows, having watched its version since `watch`? `now` is the start of the read. */
export function mayTakeLock(row: LockRow, watch: Watch | undefined, now: number): boolean {
  if (row.isReleased) return true;
  return watch?.recordVersionNumber === row.recordVersionNumber && now - watch.since >= row.leaseDuration;
}

export interface LeaderLockOptions {
  readonly table: CoordinatorTable;
  readonly workerId: string;
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly log: Log;
  /** Milliseconds. Written into the row, so workers may differ in it. */
  readonly leaseDuration: number;
}

export class LeaderLock {
  private watch: (LockRow & Watch) | undefined;
  /** Set while this worker holds the lock. */
  private own: { readonly version: string; readonly confirmedAt: number } | undefined;

  constructor(private readonly options: LeaderLockOptions) {}

  /** Who holds the lock, or held it until this worker took it. */
  get predecessor(): string | undefined {
    return this.watch?.ownerName;
  }

  /** Milliseconds until the lock may be taken, if its version stands still; undefined where none was seen. */
  get untilFree(): number | undefined {
    const { watch } = this;
    return watch && watch.since + watch.leaseDuration - this.options.clock.monotonic();
  }

  /** True only for as long as no other can have taken the lock. */
  get isHeld(): boolean {
    const { clock, leaseDuration } = this.options;
    return this.own !== undefined && clock.monotonic() - this.own.confirmedAt < leaseDuration;
  }

  /**
   * Renews the lock, or tries to get it. To be called several times in a lease duration.
   * @throws the service's error
   */
  async heartbeat(): Promise<void> {
    if (this.own && !this.isHeld) this.lose('not renewed in time');
    if (this.own) await this.renew(this.own.version);
    else await this.contend();
  }

  /** Marks the row as released, if it is still this worker's. Never throws: the lock runs out by itself. */
  async release(): Promise<void> {
    const { own } = this;
    if (!own) return;
    this.own = undefined;
    try {
      await this.options.table.update(LEADER_KEY, { isReleased: { S: '1' } }, this.mine(own.version));
    } catch (error) {
      this.options.log('warn', 'the leader lock could not be released; it runs out', { error: describeError(error) });
    }
  }

  private async renew(version: string): Promise<void> {
    const { clock, table, uuid, workerId } = this.options;
    let expected = version;
    for (let attempt = 0; attempt < 2; attempt++) {
      const sentAt = clock.monotonic();
      const next = uuid();
      const { written, current } = await table.update(LEADER_KEY, this.row(next), this.mine(expected));
      if (written) {
        this.own = { version: next, confirmedAt: sentAt };
        return;
      }
      const row = current && lockFromItem(current);
      // A heartbeat of ours that was applied while its answer was lost: the row is ours under a version we have not seen.
      if (attempt > 0 || row?.ownerName !== workerId || row.isReleased) return this.lose('another worker took it', row);
      expected = row.recordVersionNumber;
    }
  }

  private async contend(): Promise<void> {
    const { clock, table } = this.options;
    const startedAt = clock.monotonic();
    const item = await table.get(LEADER_KEY);
    const row = item && lockFromItem(item);
    if (item && !row) return;
    const take = row === undefined || mayTakeLock(row, this.watch, startedAt);
    if (row && row.recordVersionNumber !== this.watch?.recordVersionNumber) {
      this.watch = { ...row, since: clock.monotonic() };
    }
    if (!take) return;
    const sentAt = clock.monotonic();
    const version = this.options.uuid();
    const content = { entityType: { S: LEADER_ENTITY }, ...this.row(version) };
    const seen = row ? { recordVersionNumber: { S: row.recordVersionNumber } } : undefined;
    const { written } = await (seen
      ? table.update(LEADER_KEY, content, { ...seen }, ['isReleased'])
      : table.create(LEADER_KEY, content));
    if (!written) return;
    this.own = { version, confirmedAt: sentAt };
    this.options.log('info', 'became the leader of the fleet', { workerId: this.options.workerId });
  }

  private row(version: string): Item {
    const { workerId, leaseDuration } = this.options;
    return {
      ownerName: { S: workerId },
      leaseDuration: { S: String(leaseDuration) },
      recordVersionNumber: { S: version },
    };
  }

  private mine(version: string): Item {
    return { recordVersionNumber: { S: version }, ownerName: { S: this.options.workerId } };
  }

  private lose(reason: string, current?: LockRow): void {
    this.own = undefined;
    this.watch = undefined;
    this.options.log('info', 'is not the leader any more', { reason, leaseOwner: current?.ownerName });
  }
}
