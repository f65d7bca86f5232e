/** KinesisApi over @aws-sdk/client-kinesis. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  type HashKeyRange as SdkHashKeyRange,
  type KinesisClient,
  type _Record as SdkRecord,
} from '@aws-sdk/client-kinesis';
import type { HashKeyRange } from '../common/hash-key-range';
import type { IteratorPosition, KinesisApi, KinesisRecord, ShardFilter } from '../dependencies';
import { HttpExchange } from './http-exchange';
import { scanRecordsOf, usesDefaultHandler, type ScannedRecords } from './scanned-records';

function hashKeyRange(range: SdkHashKeyRange | undefined): HashKeyRange {
  return { startingHashKey: range?.StartingHashKey ?? '', endingHashKey: range?.EndingHashKey ?? '' };
}

function sdkFilter(filter: ShardFilter): { Type: ShardFilter['type']; Timestamp?: Date } {
  return filter.type === 'AT_TIMESTAMP'
    ? { Type: filter.type, Timestamp: new Date(filter.timestamp) }
    : { Type: filter.type };
}

function sdkPosition(position: IteratorPosition): {
  ShardIteratorType: IteratorPosition['type'];
  StartingSequenceNumber?: string;
  Timestamp?: Date;
} {
  switch (position.type) {
    case 'AT_TIMESTAMP':
      return { ShardIteratorType: position.type, Timestamp: new Date(position.timestamp) };
    case 'TRIM_HORIZON':
      return { ShardIteratorType: position.type };
    default:
      return { ShardIteratorType: position.type, StartingSequenceNumber: position.sequenceNumber };
  }
}

export function fromSdkRecord(record: SdkRecord): KinesisRecord {
  return {
    sequenceNumber: record.SequenceNumber ?? '',
    partitionKey: record.PartitionKey ?? '',
    data: record.Data ?? new Uint8Array(0),
    approximateArrivalTimestamp: record.ApproximateArrivalTimestamp?.getTime() ?? 0,
  };
}

/** The Date header is on the HTTP response only, which a middleware of the command sees. */
function captureDate(command: GetRecordsCommand): { date?: number } {
  const captured: { date?: number } = {};
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = (result.response ?? {}) as { headers?: Readonly<Record<string, string>> };
      const date = Date.parse(headers?.['date'] ?? headers?.['Date'] ?? '');
      if (!Number.isNaN(date)) captured.date = date;
      return result;
    },
    { step: 'deserialize', name: 'captureDateHeader' },
  );
  return captured;
}

export function kinesisFromSdk(client: KinesisClient): KinesisApi {
  const exchange = usesDefaultHandler(client) ? new HttpExchange() : undefined;
  return {
    listShards: async ({ streamName, nextToken, filter }, abortSignal) => {
      // A page after the first takes the token alone.
      const input =
        nextToken === undefined
          ? { StreamName: streamName, ...(filter ? { ShardFilter: sdkFilter(filter) } : {}) }
          : { NextToken: nextToken };
      const output = await client.send(new ListShardsCommand(input), { abortSignal });
      const shards = (output.Shards ?? []).map((shard) => ({
        shardId: shard.ShardId ?? '',
        ...(shard.ParentShardId === undefined ? {} : { parentShardId: shard.ParentShardId }),
        ...(shard.AdjacentParentShardId === undefined ? {} : { adjacentParentShardId: shard.AdjacentParentShardId }),
        hashKeyRange: hashKeyRange(shard.HashKeyRange),
        startingSequenceNumber: shard.SequenceNumberRange?.StartingSequenceNumber ?? '0',
        ...(shard.SequenceNumberRange?.EndingSequenceNumber === undefined
          ? {}
          : { endingSequenceNumber: shard.SequenceNumberRange.EndingSequenceNumber }),
      }));
      return { shards, ...(output.NextToken === undefined ? {} : { nextToken: output.NextToken }) };
    },
    getShardIterator: async ({ streamName, shardId, position }, abortSignal) => {
      const command = new GetShardIteratorCommand({
        StreamName: streamName,
        ShardId: shardId,
        ...sdkPosition(position),
      });
      const { ShardIterator } = await client.send(command, { abortSignal });
      if (ShardIterator === undefined) throw new Error(`GetShardIterator gave no iterator for shard ${shardId}.`);
      return ShardIterator;
    },
    getRecords: async ({ shardIterator, limit }, abortSignal) => {
      const command = new GetRecordsCommand({ ShardIterator: shardIterator, Limit: limit });
      const captured = captureDate(command);
      const scanned: ScannedRecords = exchange ? scanRecordsOf(command, exchange, abortSignal) : {};
      const output = await client.send(command, { abortSignal });
      return {
        records: scanned.records ?? (output.Records ?? []).map(fromSdkRecord),
        ...(output.NextShardIterator ? { nextShardIterator: output.NextShardIterator } : {}),
        millisBehindLatest: output.MillisBehindLatest ?? 0,
        childShards: (output.ChildShards ?? []).map((child) => ({
          shardId: child.ShardId ?? '',
          parentShards: child.ParentShards ?? [],
          hashKeyRange: hashKeyRange(child.HashKeyRange),
        })),
        ...captured,
      };
    },
  };
}
