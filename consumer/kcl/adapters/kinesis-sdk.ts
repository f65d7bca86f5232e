/** KinesisApi over @aws-sdk/client-kinesis. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import type { KinesisApi } from '../dependencies';
import { fanOutFromSdk } from './fan-out-sdk';
import { HttpExchange } from './http-exchange';
import { captureDate, fromSdkChildShard, fromSdkRecord, hashKeyRange, sdkFilter, sdkPosition } from './kinesis-shapes';
import { scanRecordsOf, usesDefaultHandler, type ScannedRecords } from './scanned-records';

export function kinesisFromSdk(client: KinesisClient): KinesisApi {
  const exchange = usesDefaultHandler(client) ? new HttpExchange() : undefined;
  return {
    fanOut: fanOutFromSdk(client),
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
        childShards: (output.ChildShards ?? []).map(fromSdkChildShard),
        ...captured,
      };
    },
  };
}
