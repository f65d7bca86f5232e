/** Deletes the rows of finished shards, each by the worker that holds it, once nothing depends on them any more. */
import type { Log } from '../dependencies';
import { Sentinel } from '../common/extended-sequence-number';
import { isFinished, type Lease } from './lease';
import type { LeaseHolder } from './lease-holder';
import type { LeaseRefresher } from './lease-refresher';
import type { ShardDetector } from '../shards/shard-detector';

/** A checkpoint at which nothing was read yet; LATEST counts as read. */
const UNSTARTED: ReadonlySet<string> = new Set([Sentinel.TRIM_HORIZON, Sentinel.AT_TIMESTAMP]);

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
  readonly log: Log;
}

export class LeaseCleanupManager {
  constructor(private readonly options: LeaseCleanupOptions) {}

  /** Rows whose children took over. @throws the service's error */
  async deleteCompleted(): Promise<void> {
    if (this.finished().length === 0) return;
    const rows = new Map((await this.options.refresher.listLeases()).map((lease) => [lease.leaseKey, lease]));
    for (const key of this.finished()) {
      const row = rows.get(key);
      if (row && isCompleted(row, rows) && (await this.delete(key, 'its children are under way'))) rows.delete(key);
    }
  }

  /** Rows of finished shards that the stream has no more. @throws the service's error */
  async deleteGarbage(): Promise<void> {
    if (this.finished().length === 0) return;
    const listed = new Set((await this.options.shardDetector.listShards()).map((shard) => shard.shardId));
    for (const key of this.finished()) if (!listed.has(key)) await this.delete(key, 'its shard has expired');
  }

  private finished(): string[] {
    return this.options.holder.all().flatMap(({ lease }) => (isFinished(lease) ? lease.leaseKey : []));
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
