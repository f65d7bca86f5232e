/** Whether the stream may have trimmed records of a shard before they were read: nothing else would ever say so. */
import { HEAD_BUCKETS, headKey, HEADS_PK_PREFIX } from '../../../lib/contracts/registry';
import type { ProcessRecordsInput, ShardInfo } from '../../kcl/processor';
import type { Clock } from '../clock';
import { ConditionFailedError, type RegistryStore } from '../stores/registry-store';
import { parseHead, type Head } from './head';

/** A worker's own clock is believed to be right within this, milliseconds. */
const CLOCK_ERROR_MS = 3_600_000;
/** Reads further apart than this count as reading that stopped and goes on, milliseconds. */
const RESUMED_AFTER_MS = 60_000;
/**
 * A read's time is a lower bound: a subscription of enhanced fan-out lasts five minutes, a slow answer some seconds.
 * What may have been trimmed in between counts as trimmed.
 */
const READ_TIME_ERROR_MS = 360_000;

/** Item `beginning`: `at` is when the first worker of all started, epoch milliseconds by its own clock. */
const BEGINNING_KEY = { pk: 'LAKE', sk: 'BEGINNING' } as const;

/** From now on what arrives is to be read, whether a worker lives long enough to open its shard or not. */
export async function markBeginning(registry: Pick<RegistryStore, 'write'>, now: number): Promise<void> {
  try {
    await registry.write({ put: { ...BEGINNING_KEY, at: now }, condition: [[{ path: 'pk', absent: true }]] });
  } catch (error) {
    if (!(error instanceof ConditionFailedError)) throw error;
  }
}

/**
 * Arrival time, epoch milliseconds, from which on a shard without a head is to be read. A child's first record arrived
 * after the last read that found a parent open, which is what the parents' progress says. Parents that have no head
 * may have been trimmed before anybody read them: then the heads of their ancestors say it. Where nobody ever read
 * the shard's hash range, it is the beginning: what was trimmed before was promised to nobody.
 */
export async function firstArrival(registry: RegistryStore, shard: ShardInfo, now: number): Promise<number> {
  const { parentShardIds } = shard;
  let before = (await registry.getMany(parentShardIds.map(headKey))).map(parseHead);
  if (before.length < parentShardIds.length) before = await overlapping(registry, shard);
  if (before.length === 0) {
    const beginning = await registry.get(BEGINNING_KEY);
    return Math.min(now, (beginning?.['at'] as number | undefined) ?? now) - CLOCK_ERROR_MS;
  }
  return Math.max(...before.map(({ progress, since = 0 }) => Math.max(progress, since)));
}

/** Heads of shards whose hash range meets the shard's: its ancestors, since its children are not read before it. */
async function overlapping(registry: RegistryStore, shard: ShardInfo): Promise<Head[]> {
  const [start, end] = [BigInt(shard.startingHashKey), BigInt(shard.endingHashKey)];
  const buckets = Array.from({ length: HEAD_BUCKETS }, (_, bucket) => registry.query(`${HEADS_PK_PREFIX}${bucket}`));
  const heads = (await Promise.all(buckets)).flat().map(parseHead);
  return heads.filter((head) => BigInt(head.startingHashKey) <= end && BigInt(head.endingHashKey) >= start);
}

export class GapWatch {
  /** Everything that arrived before this is committed or was read; 0 = not known. Epoch milliseconds. */
  private readUntil: number;
  private lastRead = -Infinity;

  constructor(
    { progress, since = 0 }: Head,
    /** Milliseconds; undefined where it is not known: then nothing is looked for. */
    private readonly retention: () => number | undefined,
    private readonly clock: Clock,
  ) {
    this.readUntil = Math.max(progress, since);
  }

  /** @returns true where records before this read's first may have been trimmed unread. */
  onRead({
    serviceTime,
    millisBehindLatest,
  }: Pick<ProcessRecordsInput, 'serviceTime' | 'millisBehindLatest'>): boolean {
    const retention = this.retention();
    if (retention === undefined) return false;
    // A shard that the stream has forgotten ends without a read, so without a time of the service.
    const time = serviceTime ?? this.clock.now() + CLOCK_ERROR_MS;
    const error = time - this.lastRead > RESUMED_AFTER_MS ? READ_TIME_ERROR_MS : 0;
    const gap = this.readUntil > 0 && this.readUntil < time - retention + error;
    this.lastRead = time;
    if (serviceTime !== undefined) this.readUntil = Math.max(this.readUntil, serviceTime - millisBehindLatest);
    return gap;
  }
}
