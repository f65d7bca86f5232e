import { KinesisEngine } from '../../../local/services/kinesis/engine';
import type { KinesisEngineOptions } from '../../../local/services/kinesis/engine';
import { ManualClock } from '../support/manual-clock';

export const LAST_HASH_KEY = 2n ** 128n - 1n;

export interface ShardDescription {
  ShardId: string;
  ParentShardId?: string;
  AdjacentParentShardId?: string;
  HashKeyRange: { StartingHashKey: string; EndingHashKey: string };
  SequenceNumberRange: { StartingSequenceNumber: string; EndingSequenceNumber?: string };
}

export interface RecordsOutput {
  Records: {
    SequenceNumber: string;
    Data: string;
    PartitionKey: string;
    ApproximateArrivalTimestamp: number;
    EncryptionType?: string;
  }[];
  NextShardIterator?: string;
  MillisBehindLatest: number;
  ChildShards?: {
    ShardId: string;
    ParentShards: string[];
    HashKeyRange: { StartingHashKey: string; EndingHashKey: string };
  }[];
}

export type Output = Record<string, unknown>;

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** An engine with one stream `s` on virtual time, and short names for what most tests do. */
export class Harness {
  readonly clock = new ManualClock();
  engine: KinesisEngine;

  private constructor(readonly options: Partial<KinesisEngineOptions>) {
    this.engine = new KinesisEngine({ clock: this.clock, limits: 'off', ...options });
  }

  static async start(shards: number, options: Partial<KinesisEngineOptions> = {}): Promise<Harness> {
    const harness = new Harness(options);
    await harness.call('CreateStream', { StreamName: 's', ShardCount: shards });
    return harness;
  }

  restart(): void {
    this.engine.close();
    this.engine = new KinesisEngine({ clock: this.clock, limits: 'off', ...this.options });
  }

  async call<T = Output>(operation: string, input: Record<string, unknown> = {}): Promise<T> {
    return (await this.engine.call(operation, input)) as T;
  }

  put(
    text: string,
    partitionKey = text,
    explicitHashKey?: bigint,
  ): Promise<{ ShardId: string; SequenceNumber: string }> {
    return this.call('PutRecord', {
      StreamName: 's',
      Data: base64(text),
      PartitionKey: partitionKey,
      ...(explicitHashKey !== undefined && { ExplicitHashKey: String(explicitHashKey) }),
    });
  }

  async shards(filter?: Record<string, unknown>): Promise<ShardDescription[]> {
    const output = await this.call<{ Shards: ShardDescription[] }>('ListShards', {
      StreamName: 's',
      ...(filter && { ShardFilter: filter }),
    });
    return output.Shards;
  }

  async ids(filter?: Record<string, unknown>): Promise<number[]> {
    return (await this.shards(filter)).map(({ ShardId }) => Number(ShardId.slice(8)));
  }

  async iterator(shard: number, type: string, more: Record<string, unknown> = {}): Promise<string> {
    const input = { StreamName: 's', ShardId: id(shard), ShardIteratorType: type, ...more };
    return (await this.call<{ ShardIterator: string }>('GetShardIterator', input)).ShardIterator;
  }

  get(iterator: string, limit?: number): Promise<RecordsOutput> {
    return this.call('GetRecords', { ShardIterator: iterator, ...(limit !== undefined && { Limit: limit }) });
  }

  async read(shard: number, type: string, more: Record<string, unknown> = {}): Promise<string[]> {
    return texts(await this.get(await this.iterator(shard, type, more)));
  }

  split(shard: number, at: bigint): Promise<Output> {
    return this.call('SplitShard', { StreamName: 's', ShardToSplit: id(shard), NewStartingHashKey: String(at) });
  }

  merge(shard: number, adjacent: number): Promise<Output> {
    return this.call('MergeShards', { StreamName: 's', ShardToMerge: id(shard), AdjacentShardToMerge: id(adjacent) });
  }
}

export function id(shard: number): string {
  return `shardId-${String(shard).padStart(12, '0')}`;
}

export function texts(output: RecordsOutput): string[] {
  return output.Records.map(({ Data }) => Buffer.from(Data, 'base64').toString());
}

/** Undefined where the ranges tile the key space; else what is wrong. */
export function holeIn(shards: readonly ShardDescription[]): string | undefined {
  const ranges = shards
    .map(({ HashKeyRange }) => [BigInt(HashKeyRange.StartingHashKey), BigInt(HashKeyRange.EndingHashKey)] as const)
    .sort((left, right) => (left[0] < right[0] ? -1 : 1));
  let next = 0n;
  for (const [start, end] of ranges) {
    if (start !== next) return `expected a shard from ${next}, found one from ${start}`;
    next = end + 1n;
  }
  return next === LAST_HASH_KEY + 1n ? undefined : `nothing from ${next}`;
}
