/** A Kinesis stream in memory: shards that split and merge, iterators that expire, reads that end with child shards. */
import type {
  ChildShard,
  GetRecordsResult,
  IteratorPosition,
  KinesisRecord,
  KinesisShard,
  ShardFilter,
} from '../../../consumer/kcl/dependencies';
import { compareSequenceNumbers } from '../../../consumer/kcl/common/extended-sequence-number';
import { MAX_HASH_KEY } from '../../../consumer/kcl/common/hash-key-range';
import { serviceError } from './fake-dynamodb';

interface Shard {
  readonly id: string;
  readonly parents: readonly string[];
  readonly from: bigint;
  readonly to: bigint;
  readonly start: string;
  readonly openedAt: number;
  end?: string;
  closedAt?: number;
  records: KinesisRecord[];
}

interface Iterator {
  readonly shardId: string;
  /** Next record is the first with a larger sequence number. */
  readonly after: string;
  readonly issuedAt: number;
}

const ITERATOR_LIFE = 300_000;

export class FakeStream {
  readonly shards: Shard[] = [];
  private sequence = 10n ** 20n - 50n;

  constructor(
    private readonly now: () => number,
    shardCount: number,
  ) {
    const width = (MAX_HASH_KEY + 1n) / BigInt(shardCount);
    for (let i = 0; i < shardCount; i++) {
      const last = i === shardCount - 1;
      this.open([], width * BigInt(i), last ? MAX_HASH_KEY : width * BigInt(i + 1) - 1n);
    }
  }

  get openShards(): Shard[] {
    return this.shards.filter((shard) => shard.end === undefined);
  }

  shard(id: string): Shard {
    const shard = this.shards.find((candidate) => candidate.id === id);
    if (!shard) throw serviceError('ResourceNotFoundException');
    return shard;
  }

  put(hashKey: bigint, data: Uint8Array, partitionKey = 'key'): KinesisRecord {
    const shard = this.openShards.find(({ from, to }) => hashKey >= from && hashKey <= to)!;
    const record = {
      sequenceNumber: this.nextSequence(),
      partitionKey,
      data,
      approximateArrivalTimestamp: this.now(),
    };
    shard.records.push(record);
    return record;
  }

  split(id: string): void {
    const shard = this.shard(id);
    const middle = (shard.from + shard.to) / 2n;
    this.close(shard);
    this.open([id], shard.from, middle);
    this.open([id], middle + 1n, shard.to);
  }

  merge(id: string, adjacentId: string): void {
    const [a, b] = [this.shard(id), this.shard(adjacentId)].sort((x, y) => (x.from < y.from ? -1 : 1)) as [
      Shard,
      Shard,
    ];
    if (a.to + 1n !== b.from) throw serviceError('InvalidArgumentException');
    this.close(a);
    this.close(b);
    this.open([a.id, b.id], a.from, b.to);
  }

  /** Retention ran out for a closed shard: it is listed no more. */
  expire(id: string): void {
    this.shards.splice(this.shards.indexOf(this.shard(id)), 1);
  }

  listShards(filter: ShardFilter | undefined): KinesisShard[] {
    const openAt = (time: number): Shard[] =>
      this.shards.filter((s) => s.openedAt <= time && (s.closedAt === undefined || s.closedAt > time));
    const oldest = (): Shard[] =>
      this.shards.filter((s) => !s.parents.some((p) => this.shards.some((o) => o.id === p)));
    const select = (wanted: ShardFilter): Shard[] => {
      if (wanted.type === 'AT_TIMESTAMP') return openAt(wanted.timestamp);
      return wanted.type === 'AT_LATEST' ? this.openShards : oldest();
    };
    const chosen = filter === undefined ? this.shards : select(filter);
    return chosen.map((shard) => ({
      shardId: shard.id,
      ...(shard.parents[0] === undefined ? {} : { parentShardId: shard.parents[0] }),
      ...(shard.parents[1] === undefined ? {} : { adjacentParentShardId: shard.parents[1] }),
      hashKeyRange: { startingHashKey: String(shard.from), endingHashKey: String(shard.to) },
      startingSequenceNumber: shard.start,
      ...(shard.end === undefined ? {} : { endingSequenceNumber: shard.end }),
    }));
  }

  getShardIterator(shardId: string, position: IteratorPosition): string {
    const { records } = this.shard(shardId);
    let after = '0';
    if (position.type === 'AFTER_SEQUENCE_NUMBER') after = position.sequenceNumber;
    else if (position.type === 'AT_SEQUENCE_NUMBER') after = String(BigInt(position.sequenceNumber) - 1n);
    else if (position.type === 'AT_TIMESTAMP') {
      const first = records.find((record) => record.approximateArrivalTimestamp >= position.timestamp);
      after = first ? String(BigInt(first.sequenceNumber) - 1n) : (records.at(-1)?.sequenceNumber ?? '0');
    }
    return this.iterator(shardId, after);
  }

  getRecords(iterator: string, limit: number): GetRecordsResult {
    const { shardId, after, issuedAt } = JSON.parse(iterator) as Iterator;
    if (this.now() - issuedAt > ITERATOR_LIFE) throw serviceError('ExpiredIteratorException');
    const shard = this.shard(shardId);
    const waiting = shard.records.filter((record) => compareSequenceNumbers(record.sequenceNumber, after) > 0);
    const records = waiting.slice(0, limit);
    const next = waiting[limit];
    const ended = shard.end !== undefined && next === undefined;
    return {
      records,
      ...(ended ? {} : { nextShardIterator: this.iterator(shardId, records.at(-1)?.sequenceNumber ?? after) }),
      millisBehindLatest: next ? Math.max(1, this.now() - next.approximateArrivalTimestamp) : 0,
      childShards: ended ? this.childrenOf(shardId) : [],
      date: Math.floor(this.now() / 1_000) * 1_000,
    };
  }

  childrenOf(shardId: string): ChildShard[] {
    return this.shards
      .filter((shard) => shard.parents.includes(shardId))
      .map((shard) => ({
        shardId: shard.id,
        parentShards: shard.parents,
        hashKeyRange: { startingHashKey: String(shard.from), endingHashKey: String(shard.to) },
      }));
  }

  private iterator(shardId: string, after: string): string {
    return JSON.stringify({ shardId, after, issuedAt: this.now() } satisfies Iterator);
  }

  private open(parents: readonly string[], from: bigint, to: bigint): void {
    const id = `shardId-${String(this.shards.length).padStart(12, '0')}`;
    this.shards.push({ id, parents, from, to, start: this.nextSequence(), openedAt: this.now(), records: [] });
  }

  private close(shard: Shard): void {
    if (shard.end !== undefined) throw serviceError('ResourceInUseException');
    shard.end = this.nextSequence();
    shard.closedAt = this.now();
  }

  /** Crosses a power of ten early, so that comparing digits as text would show. */
  private nextSequence(): string {
    return String(this.sequence++);
  }
}
