/** Deletes the rows of finished shards, each by the worker that holds it, once nothing depends on them any more. */
import type { Clock, Log } from '../dependencies';
import { Sentinel } from '../common/extended-sequence-number';
import { forEachConcurrent } from '../common/timing';
import { isFinished, type Lease } from './lease';
import type { LeaseHolder } from './lease-holder';
import type { LeaseRefresher } from './lease-refresher';
import type { ShardDetector } from '../shards/shard-detector';

/** A checkpoint at which nothing was read yet; LATEST counts as read. */
const UNSTARTED: ReadonlySet<string> = new Set([Sentinel.TRIM_HORIZON, Sentinel.AT_TIMESTAMP]);

const READS_AT_ONCE = 20;

/**
 * True when every child has a row and is under way, and the row's own parents are gone: rows go oldest first, so a shard sync
 * always finds an ancestor's row beside a child that has none yet.
 */
export function isCompleted(lease: Lease, rows: ReadonlyMap<string, Lease>): boolean {
  if (!isFinished(lease) || lease.childShardIds.length === 0) return false;
  const children = lease.childShardIds.map((id) => rows.get(id));
  return (
    children.every((child) => child !== undefined && !UNSTARTED.has(child.checkpoint.sequenceNumber)) &&
    lease.parentShardIds.every((id) => !rows.has(id))
  );
}

export interface LeaseCleanupOptions {
  readonly refresher: LeaseRefresher;
  readonly holder: LeaseHolder;
  readonly shardDetector: ShardDetector;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds that a finished shard's row stays at least, so that a shard sync which read the table before sees it; see syncShards. */
  readonly minimumAge: number;
}

export class LeaseCleanupManager {
  /** When each finished lease was first seen to be so, by its concurrency token. */
  private since = new Map<string, number>();

  constructor(private readonly options: LeaseCleanupOptions) {}

  /** Rows whose children took over. @throws the service's error */
  async deleteCompleted(): Promise<void> {
    const finished = this.finished();
    if (finished.length === 0) return;
    const rows = await this.rowsAround(finished);
    for (const { leaseKey } of finished) {
      const row = rows.get(leaseKey);
      if (!row || !isCompleted(row, rows)) continue;
      if (await this.delete(leaseKey, 'its children are under way')) rows.delete(leaseKey);
    }
  }

  /** Rows of finished shards that the stream has no more. @throws the service's error */
  async deleteGarbage(): Promise<void> {
    const finished = this.finished();
    if (finished.length === 0) return;
    const listed = new Set((await this.options.shardDetector.listShards()).map((shard) => shard.shardId));
    for (const { leaseKey } of finished) {
      if (!listed.has(leaseKey)) await this.delete(leaseKey, 'its shard has expired');
    }
  }

  /** Held leases that have been finished for long enough. */
  private finished(): Lease[] {
    const { holder, clock, minimumAge } = this.options;
    const now = clock.monotonic();
    const before = this.since;
    this.since = new Map();
    const old: Lease[] = [];
    for (const { lease, concurrencyToken } of holder.all()) {
      if (!isFinished(lease)) continue;
      const since = before.get(concurrencyToken) ?? now;
      this.since.set(concurrencyToken, since);
      if (now - since >= minimumAge) old.push(lease);
    }
    return old;
  }

  /** The leases' own rows as they are now, their children's and parents': no look at the whole table is needed for these. */
  private async rowsAround(leases: readonly Lease[]): Promise<Map<string, Lease>> {
    const { refresher } = this.options;
    const rows = new Map<string, Lease>();
    const read = async (keys: Iterable<string>): Promise<void> =>
      forEachConcurrent([...new Set(keys)], READS_AT_ONCE, async (key) => {
        const row = await refresher.getLease(key);
        if (row) rows.set(key, row);
      });
    await read(leases.map(({ leaseKey }) => leaseKey));
    await read(
      [...rows.values()].flatMap(({ childShardIds, parentShardIds }) => [...childShardIds, ...parentShardIds]),
    );
    return rows;
  }

  private async delete(key: string, reason: string): Promise<boolean> {
    const { holder, refresher, log } = this.options;
    const held = holder.held(key);
    if (!held) return false;
    holder.drop(key, held.concurrencyToken);
    await refresher.deleteLease(key);
    log('info', 'deleted the lease of a finished shard', { shardId: key, reason });
    return true;
  }
}
