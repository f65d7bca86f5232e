/** A stream whose records say what they are: `<key>:<number>`, numbers rising for each key. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
  type KinesisClientConfig,
  type Shard,
} from '@aws-sdk/client-kinesis';

export interface StoredRecord {
  readonly sequenceNumber: string;
  readonly id: string;
}

const KEYS = 12;
const RESHARD_SECONDS = 30;

export class Stream {
  /** Identifiers of the records written. */
  readonly written: string[] = [];
  /** Splits and merges. */
  reshards = 0;
  private readonly kinesis: KinesisClient;

  constructor(
    readonly name: string,
    options: KinesisClientConfig,
  ) {
    this.kinesis = new KinesisClient(options);
  }

  async create(shards: number): Promise<void> {
    await this.kinesis.send(new CreateStreamCommand({ StreamName: this.name, ShardCount: shards }));
    await this.untilOpen('the stream is there', (open) => open.length === shards);
  }

  async arn(): Promise<string> {
    const { StreamDescriptionSummary } = await this.kinesis.send(
      new DescribeStreamSummaryCommand({ StreamName: this.name }),
    );
    return StreamDescriptionSummary?.StreamARN as string;
  }

  /** Writes `count` records over all keys, one after the other, so that a key's records are in the order of their numbers. */
  async write(count: number, prefix = ''): Promise<void> {
    for (let index = 0; index < count; index++) {
      const number = this.written.length;
      const key = `${prefix}key-${number % KEYS}`;
      const Data = Buffer.from(`${key}:${number}`);
      await this.kinesis.send(new PutRecordCommand({ StreamName: this.name, PartitionKey: key, Data }));
      this.written.push(`${key}:${number}`);
    }
  }

  /** Goes on writing, about 20 records a second, until told to stop: a leader's loads come from what is read. */
  startTraffic(): () => Promise<void> {
    const stopped = new AbortController();
    const traffic = (async () => {
      while (!stopped.signal.aborted) {
        await this.write(1);
        await sleep(50);
      }
    })();
    return async () => {
      stopped.abort();
      await traffic;
    };
  }

  /** In the order of their hash keys. */
  async openShards(): Promise<Shard[]> {
    const { Shards } = await this.kinesis.send(
      new ListShardsCommand({ StreamName: this.name, ShardFilter: { Type: 'AT_LATEST' } }),
    );
    const start = (shard: Shard): bigint => BigInt(shard.HashKeyRange?.StartingHashKey ?? 0);
    return (Shards ?? []).sort((left, right) => (start(left) < start(right) ? -1 : 1));
  }

  /** Every shard with its parents. */
  async parents(): Promise<Map<string, string[]>> {
    const { Shards } = await this.kinesis.send(new ListShardsCommand({ StreamName: this.name }));
    return new Map(
      (Shards ?? []).map(({ ShardId, ParentShardId, AdjacentParentShardId }) => [
        ShardId as string,
        [ParentShardId, AdjacentParentShardId].filter((parent) => parent !== undefined),
      ]),
    );
  }

  /** Everything in a shard. */
  async read(shardId: string): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    const request = { StreamName: this.name, ShardId: shardId, ShardIteratorType: 'TRIM_HORIZON' as const };
    let { ShardIterator } = await this.kinesis.send(new GetShardIteratorCommand(request));
    while (ShardIterator !== undefined) {
      const { Records, NextShardIterator, MillisBehindLatest } = await this.kinesis.send(
        new GetRecordsCommand({ ShardIterator }),
      );
      for (const { SequenceNumber, Data } of Records ?? []) {
        records.push({
          sequenceNumber: SequenceNumber as string,
          id: Buffer.from(Data as Uint8Array).toString('utf8'),
        });
      }
      if (MillisBehindLatest === 0) break;
      ShardIterator = NextShardIterator;
    }
    return records;
  }

  /** In the middle. */
  async split(shardId: string): Promise<void> {
    const shard = (await this.openShards()).find(({ ShardId }) => ShardId === shardId);
    const { StartingHashKey, EndingHashKey } = shard?.HashKeyRange ?? {};
    const NewStartingHashKey = String((BigInt(StartingHashKey ?? 0) + BigInt(EndingHashKey ?? 0)) / 2n + 1n);
    const StreamName = this.name;
    await this.kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: shardId, NewStartingHashKey }));
    await this.untilClosed(shardId);
  }

  async merge(shardId: string, adjacent: string): Promise<void> {
    const StreamName = this.name;
    await this.kinesis.send(
      new MergeShardsCommand({ StreamName, ShardToMerge: shardId, AdjacentShardToMerge: adjacent }),
    );
    await this.untilClosed(shardId);
  }

  close(): void {
    this.kinesis.destroy();
  }

  private async untilClosed(shardId: string): Promise<void> {
    await this.untilOpen(`${shardId} is closed`, (open) => open.every(({ ShardId }) => ShardId !== shardId));
    this.reshards++;
  }

  private async untilOpen(what: string, isSo: (open: readonly Shard[]) => boolean): Promise<void> {
    for (let attempt = 0; attempt < RESHARD_SECONDS * 10; attempt++) {
      const open = await this.openShards().catch(() => []);
      if (open.length > 0 && isSo(open)) return;
      await sleep(100);
    }
    assert.fail(`Not after ${RESHARD_SECONDS} s: ${what}`);
  }
}
