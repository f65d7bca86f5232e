/** A data stream: its shards as a tree in time, routing by hash key, splits, merges, trimming. Knows no API shapes. */
import { planUniformScaling, uniformRanges } from './hash-keys';
import type { HashKeyRange } from './hash-keys';
import { RecordLog } from './record-log';
import { formatSequenceNumber } from './sequence-number';
import { ShardThrottle } from './throttle';

const HOUR_MS = 3_600_000;

export interface ShardState extends HashKeyRange {
  readonly index: number;
  readonly parent?: number;
  readonly adjacentParent?: number;
  readonly startCounter: number;
  /** Open during [createdAt, closedAt), never empty: at any time the shards that were open tile the key space. */
  readonly createdAt: number;
  closedAt?: number;
  endCounter?: number;
  children: number[];
}

export interface Shard extends ShardState {
  readonly id: string;
  readonly log: RecordLog;
  readonly throttle: ShardThrottle;
}

export interface StreamConsumer {
  readonly name: string;
  readonly arn: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly readyAt: number;
}

/** Everything about a stream but its shards and records; kept in the journal as it stands. */
export interface StreamSettings {
  readonly name: string;
  readonly arn: string;
  /** Epoch milliseconds, different for each incarnation of a name. */
  readonly createdAt: number;
  mode: 'PROVISIONED' | 'ON_DEMAND';
  retentionHours: number;
  maxRecordSizeInKiB: number;
  keyId?: string;
  tags: Record<string, string>;
  consumers: StreamConsumer[];
  shardLevelMetrics: string[];
  /** When UpdateShardCount was called, epoch milliseconds, for its limit per day. */
  scalings: number[];
  /** Until then the stream is CREATING or UPDATING. */
  readyAt: number;
}

export function shardId(index: number): string {
  return `shardId-${String(index).padStart(12, '0')}`;
}

export class Stream {
  /** By index; shards whose records are all trimmed are gone. */
  readonly shards = new Map<number, Shard>();
  /** Open shards by hash key. */
  private open: Shard[] = [];
  private nextIndex = 0;

  constructor(
    readonly settings: StreamSettings,
    /** The last number given out. */
    private counter = 0,
  ) {}

  static create(settings: StreamSettings, shardCount: number): Stream {
    const stream = new Stream(settings);
    for (const range of uniformRanges(shardCount)) stream.openShard(range, settings.createdAt);
    return stream;
  }

  get openShards(): readonly Shard[] {
    return this.open;
  }

  /** The last number given out, for the journal. */
  get lastCounter(): number {
    return this.counter;
  }

  nextCounter(): number {
    return ++this.counter;
  }

  sequenceNumber(shard: ShardState, counter: number): string {
    return formatSequenceNumber(this.settings.createdAt, counter, shard.index);
  }

  find(id: string): Shard | undefined {
    const digits = /^shardId-(\d{12})$/.exec(id)?.[1];
    return digits === undefined ? undefined : this.shards.get(Number(digits));
  }

  /** The open shard whose range holds the hash key. */
  route(hashKey: bigint): Shard {
    let low = 0;
    let high = this.open.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.open[middle] as Shard).start <= hashKey) low = middle;
      else high = middle - 1;
    }
    return this.open[low] as Shard;
  }

  /** `boundary` begins the second child; it lies inside the shard's range. */
  split(shard: Shard, boundary: bigint, now: number): void {
    const closedAt = this.close(shard, now);
    this.openShard({ start: shard.start, end: boundary - 1n }, closedAt, shard);
    this.openShard({ start: boundary, end: shard.end }, closedAt, shard);
  }

  /** Either may be the lower one; they are adjacent. The first is the child's ParentShardId, as in the API. */
  merge(shard: Shard, adjacent: Shard, now: number): void {
    const start = shard.start < adjacent.start ? shard.start : adjacent.start;
    const end = shard.end > adjacent.end ? shard.end : adjacent.end;
    const closedAt = Math.max(this.close(shard, now), this.close(adjacent, now));
    // Both end at once, so that their lives and the child's leave no gap in time.
    shard.closedAt = adjacent.closedAt = closedAt;
    this.openShard({ start, end }, closedAt, shard, adjacent);
  }

  scaleTo(count: number, now: number): void {
    const plan = planUniformScaling(this.open, count);
    for (const boundary of plan.splits) this.split(this.route(boundary), boundary, now);
    for (const boundary of plan.merges) this.merge(this.route(boundary - 1n), this.route(boundary), now);
  }

  /** Records that arrived before this are beyond the retention period. Epoch milliseconds. */
  horizon(now: number): number {
    return now - this.settings.retentionHours * HOUR_MS;
  }

  /** Forgets expired records, and closed shards that can hold none any more; returns how many records. */
  trim(now: number): number {
    const horizon = this.horizon(now);
    let trimmed = 0;
    for (const shard of this.shards.values()) {
      trimmed += shard.log.trimBefore(horizon);
      if (shard.closedAt !== undefined && shard.closedAt <= horizon) this.shards.delete(shard.index);
    }
    return trimmed;
  }

  /** Shards within the retention period, by index. */
  liveShards(now: number): Shard[] {
    const horizon = this.horizon(now);
    return [...this.shards.values()]
      .filter((shard) => shard.closedAt === undefined || shard.closedAt > horizon)
      .sort((left, right) => left.index - right.index);
  }

  /** Takes shards from the journal in place of those it has; records of shards that stay are kept. */
  restore(counter: number, shards: readonly ShardState[], now: number): void {
    const known = new Map(this.shards);
    this.shards.clear();
    for (const state of shards) {
      const { log = new RecordLog(), throttle = new ShardThrottle(now) } = known.get(state.index) ?? {};
      this.shards.set(state.index, {
        ...state,
        children: [...state.children],
        id: shardId(state.index),
        log,
        throttle,
      });
      this.nextIndex = Math.max(this.nextIndex, state.index + 1);
    }
    this.open = [...this.shards.values()].filter((shard) => shard.closedAt === undefined).sort(byStart);
    this.restoreCounter(counter);
  }

  /** Numbers up to this one were given out before. */
  restoreCounter(counter: number): void {
    this.counter = Math.max(this.counter, counter);
  }

  private close(shard: Shard, now: number): number {
    shard.closedAt = Math.max(now, shard.createdAt + 1, (shard.log.last?.arrival ?? 0) + 1);
    shard.endCounter = this.nextCounter();
    this.open.splice(this.open.indexOf(shard), 1);
    return shard.closedAt;
  }

  private openShard(range: HashKeyRange, createdAt: number, parent?: Shard, adjacentParent?: Shard): void {
    const index = this.nextIndex++;
    const shard: Shard = {
      index,
      id: shardId(index),
      start: range.start,
      end: range.end,
      startCounter: this.nextCounter(),
      createdAt,
      children: [],
      ...(parent !== undefined && { parent: parent.index }),
      ...(adjacentParent !== undefined && { adjacentParent: adjacentParent.index }),
      log: new RecordLog(),
      throttle: new ShardThrottle(createdAt),
    };
    parent?.children.push(index);
    adjacentParent?.children.push(index);
    this.shards.set(index, shard);
    this.open.push(shard);
    this.open.sort(byStart);
  }
}

function byStart(left: Shard, right: Shard): number {
  return left.start < right.start ? -1 : left.start > right.start ? 1 : 0;
}
