/** The data stream on the in-memory Kinesis engine, and a list of everything that was ever put on it. */
import type { GetRecordsResult, IteratorPosition, KinesisApi, KinesisShard } from '../../consumer/kcl/dependencies';
import { KinesisEngine } from '../../local/services/kinesis/engine';
import type { VirtualTime } from '../../test/kcl/support/virtual-time';
import { serviceError, type SimulatedProcess } from '../process';

export const STREAM = 'telemetry';
export const RETENTION_MS = 24 * 3_600_000;

interface WireShard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
  readonly SequenceNumberRange: { readonly StartingSequenceNumber: string; readonly EndingSequenceNumber?: string };
}

/** A record as it was put, whether or not the stream still has it. */
export interface PutRecord<Content> {
  readonly sequenceNumber: string;
  /** Epoch milliseconds. */
  readonly arrival: number;
  readonly content: Content;
}

export interface ShardLogOf<Content> {
  readonly shardId: string;
  readonly parents: readonly string[];
  readonly records: PutRecord<Content>[];
  closed: boolean;
}

const range = ({ StartingHashKey, EndingHashKey }: WireShard['HashKeyRange']) => ({
  startingHashKey: StartingHashKey,
  endingHashKey: EndingHashKey,
});

function shardOf(shard: WireShard): KinesisShard {
  const { ParentShardId, AdjacentParentShardId, SequenceNumberRange } = shard;
  return {
    shardId: shard.ShardId,
    ...(ParentShardId === undefined ? {} : { parentShardId: ParentShardId }),
    ...(AdjacentParentShardId === undefined ? {} : { adjacentParentShardId: AdjacentParentShardId }),
    hashKeyRange: range(shard.HashKeyRange),
    startingSequenceNumber: SequenceNumberRange.StartingSequenceNumber,
    ...(SequenceNumberRange.EndingSequenceNumber === undefined
      ? {}
      : { endingSequenceNumber: SequenceNumberRange.EndingSequenceNumber }),
  };
}

function iteratorInput(position: IteratorPosition): Record<string, unknown> {
  if (position.type === 'AT_TIMESTAMP')
    return { ShardIteratorType: position.type, Timestamp: position.timestamp / 1_000 };
  if (position.type === 'TRIM_HORIZON') return { ShardIteratorType: position.type };
  return { ShardIteratorType: position.type, StartingSequenceNumber: position.sequenceNumber };
}

export class Stream<Content> {
  readonly shards = new Map<string, ShardLogOf<Content>>();
  /** Epoch milliseconds. */
  created = 0;
  private readonly engine: KinesisEngine;

  constructor(private readonly time: VirtualTime) {
    this.engine = new KinesisEngine({ clock: { now: () => time.now(), after: () => () => undefined } });
  }

  async create(shards: number): Promise<void> {
    this.created = this.time.now();
    await this.engine.call('CreateStream', { StreamName: STREAM, ShardCount: shards });
    await this.learnShards();
  }

  /** Before the trim horizon: the stream has it no more. */
  isTrimmed(arrival: number): boolean {
    return arrival <= this.time.now() - RETENTION_MS;
  }

  async put(partitionKey: string, data: Uint8Array, content: Content): Promise<void> {
    const { ShardId, SequenceNumber } = await this.call<{ ShardId: string; SequenceNumber: string }>('PutRecord', {
      StreamName: STREAM,
      PartitionKey: partitionKey,
      Data: Buffer.from(data).toString('base64'),
    });
    const arrival = this.time.now();
    this.shards.get(ShardId)!.records.push({ sequenceNumber: SequenceNumber, arrival, content });
  }

  /** @param pick Any whole number: which of the open shards. */
  async split(pick: number): Promise<void> {
    const open = await this.openShards();
    const { ShardId, HashKeyRange } = open[pick % open.length]!;
    const middle = (BigInt(HashKeyRange.StartingHashKey) + BigInt(HashKeyRange.EndingHashKey) + 1n) / 2n;
    await this.call('SplitShard', { StreamName: STREAM, ShardToSplit: ShardId, NewStartingHashKey: String(middle) });
    await this.learnShards();
  }

  async merge(pick: number): Promise<void> {
    const open = await this.openShards();
    if (open.length < 2) return;
    const at = pick % (open.length - 1);
    const [ShardToMerge, AdjacentShardToMerge] = [open[at]!.ShardId, open[at + 1]!.ShardId];
    await this.call('MergeShards', { StreamName: STREAM, ShardToMerge, AdjacentShardToMerge });
    await this.learnShards();
  }

  api(process: SimulatedProcess): KinesisApi {
    const ask = <Output>(operation: string, subject: string, input: Record<string, unknown>): Promise<Output> =>
      process.request('kinesis', `${operation} ${subject}`, () => this.call<Output>(operation, input));
    return {
      listShards: async ({ streamName, nextToken, filter }) => {
        const ShardFilter = filter && {
          Type: filter.type,
          ...(filter.type === 'AT_TIMESTAMP' ? { Timestamp: filter.timestamp / 1_000 } : {}),
        };
        const input = nextToken === undefined ? { StreamName: streamName, ShardFilter } : { NextToken: nextToken };
        const page = await ask<{ Shards: WireShard[]; NextToken?: string }>('ListShards', '', input);
        return {
          shards: page.Shards.map(shardOf),
          ...(page.NextToken === undefined ? {} : { nextToken: page.NextToken }),
        };
      },
      getShardIterator: async ({ streamName, shardId, position }) => {
        const input = { StreamName: streamName, ShardId: shardId, ...iteratorInput(position) };
        return (await ask<{ ShardIterator: string }>('GetShardIterator', shardId, input)).ShardIterator;
      },
      getRecords: ({ shardIterator, limit }) =>
        process.request('kinesis', 'GetRecords', () => this.getRecords(shardIterator, limit)),
    };
  }

  private async getRecords(ShardIterator: string, limit: number): Promise<GetRecordsResult> {
    // Small pages, so that reads stop short of the tip.
    const output = await this.call<{
      Records: { SequenceNumber: string; PartitionKey: string; Data: string; ApproximateArrivalTimestamp: number }[];
      NextShardIterator?: string;
      MillisBehindLatest: number;
      ChildShards?: { ShardId: string; ParentShards: string[]; HashKeyRange: WireShard['HashKeyRange'] }[];
    }>('GetRecords', { ShardIterator, Limit: Math.min(limit, 20) });
    return {
      records: output.Records.map((record) => ({
        sequenceNumber: record.SequenceNumber,
        partitionKey: record.PartitionKey,
        data: Buffer.from(record.Data, 'base64'),
        approximateArrivalTimestamp: Math.round(record.ApproximateArrivalTimestamp * 1_000),
      })),
      ...(output.NextShardIterator === undefined ? {} : { nextShardIterator: output.NextShardIterator }),
      millisBehindLatest: output.MillisBehindLatest,
      childShards: (output.ChildShards ?? []).map((child) => ({
        shardId: child.ShardId,
        parentShards: child.ParentShards,
        hashKeyRange: range(child.HashKeyRange),
      })),
      date: Math.floor(this.time.now() / 1_000) * 1_000,
    };
  }

  private async openShards(): Promise<WireShard[]> {
    const shards = await this.list({ Type: 'AT_LATEST' });
    return shards.sort((a, b) =>
      BigInt(a.HashKeyRange.StartingHashKey) < BigInt(b.HashKeyRange.StartingHashKey) ? -1 : 1,
    );
  }

  private async list(ShardFilter?: object): Promise<WireShard[]> {
    const input = { StreamName: STREAM, ...(ShardFilter ? { ShardFilter } : {}) };
    return (await this.call<{ Shards: WireShard[] }>('ListShards', input)).Shards;
  }

  private async learnShards(): Promise<void> {
    for (const { ShardId, ParentShardId, AdjacentParentShardId, SequenceNumberRange } of await this.list()) {
      const closed = SequenceNumberRange.EndingSequenceNumber !== undefined;
      const known = this.shards.get(ShardId);
      if (known !== undefined) known.closed = closed;
      else {
        const parents = [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined);
        this.shards.set(ShardId, { shardId: ShardId, parents, records: [], closed });
      }
    }
  }

  private async call<Output>(operation: string, input: Record<string, unknown>): Promise<Output> {
    try {
      return (await this.engine.call(operation, input)) as Output;
    } catch (error) {
      throw Object.assign(serviceError((error as Error).name), { message: (error as Error).message });
    }
  }
}
