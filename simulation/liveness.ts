/** I8: what is still to be done once the faults have stopped, and who does it. */
import type { SegmentItem } from '../consumer/lake/registry-items';
import type { VirtualTime } from '../test/kcl/support/virtual-time';
import type { Fleet } from './fleet';
import type { Observer } from './observer';
import type { Elements } from './publisher';
import { LEASES, REGISTRY, type Database } from './services/database';
import type { Stream } from './services/stream';
import type { Training } from './training';
import { HOUR, LATENESS_MS } from './use-case';

export interface System {
  readonly time: VirtualTime;
  readonly stream: Stream<Elements>;
  readonly database: Database;
  readonly observer: Observer;
  readonly fleet: Fleet;
  readonly training: Training;
}

/** What the consumer has still to do; empty at rest. */
export function unrest(system: System): string[] {
  const unread = shardsUnread(system);
  return unread.length > 0 ? unread : partitionsUnsealed(system);
}

function shardsUnread({ stream, observer }: System): string[] {
  const waiting: string[] = [];
  for (const shard of stream.shards.values()) {
    const { shardId, records, closed } = shard;
    const head = observer.heads.get(shardId);
    if (head === undefined) {
      const isReadable = records.some(({ arrival }) => !stream.isTrimmed(arrival));
      if (isReadable || !closed) waiting.push(`${shardId} has no head`);
      continue;
    }
    if (observer.firstUncommitted(shard, head) !== undefined) waiting.push(`${shardId} is not read`);
    if (head.pending !== undefined) waiting.push(`${shardId} has an intent`);
    if (closed && !head.finished) waiting.push(`${shardId} is closed and not finished`);
  }
  return waiting;
}

function partitionsUnsealed({ database, time }: System): string[] {
  const waiting: string[] = [];
  for (const row of database.rows(REGISTRY)) {
    const { sk, unfolded, unfoldedPartition } = row as unknown as SegmentItem & { sk: string };
    if (sk.startsWith('TASK#')) waiting.push(`${row['pk']} has the task ${sk} ${row['state']}`);
    if (unfolded === undefined || unfolded.startsWith('#')) continue;
    const due = Date.parse(`${unfoldedPartition}:00:00Z`) + HOUR + LATENESS_MS;
    if (due < time.now()) waiting.push(`${unfoldedPartition} is not sealed: ${sk}`);
  }
  return waiting;
}

/** Every shard that is not finished has an owner that runs, and the owners have as many each as goes. */
export function checkLeases({ fleet, database, observer }: System): void {
  const workers = new Map(fleet.tasks.flatMap((task) => (task === undefined ? [] : [[task.process.name, 0]])));
  const rows = database.rows(LEASES).filter(({ leaseKey }) => String(leaseKey).startsWith('shardId'));
  for (const { leaseKey, leaseOwner } of rows.filter((row) => row['checkpoint'] !== 'SHARD_END')) {
    const owned = workers.get(String(leaseOwner));
    if (owned === undefined) observer.violate(`I8 ${leaseKey} is owned by ${leaseOwner}, which does not run`);
    else workers.set(String(leaseOwner), owned + 1);
  }
  const counts = [...workers.values()];
  if (Math.max(...counts) - Math.min(...counts) > 1) observer.violate(`I8 leases are owned ${counts.join(', ')}`);
}
