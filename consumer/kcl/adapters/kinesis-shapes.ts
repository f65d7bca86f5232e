/** Between the shapes of @aws-sdk/client-kinesis and the library's. */
import type {
  _Record as SdkRecord,
  ChildShard as SdkChildShard,
  GetRecordsCommand,
  HashKeyRange as SdkHashKeyRange,
  SubscribeToShardCommand,
} from '@aws-sdk/client-kinesis';
import type { HashKeyRange } from '../common/hash-key-range';
import type { ChildShard, IteratorPosition, KinesisRecord, ShardFilter } from '../dependencies';

export function hashKeyRange(range: SdkHashKeyRange | undefined): HashKeyRange {
  return { startingHashKey: range?.StartingHashKey ?? '', endingHashKey: range?.EndingHashKey ?? '' };
}

export function sdkFilter(filter: ShardFilter): { Type: ShardFilter['type']; Timestamp?: Date } {
  return filter.type === 'AT_TIMESTAMP'
    ? { Type: filter.type, Timestamp: new Date(filter.timestamp) }
    : { Type: filter.type };
}

export function sdkPosition(position: IteratorPosition): {
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

export function fromSdkChildShard(child: SdkChildShard): ChildShard {
  return {
    shardId: child.ShardId ?? '',
    parentShards: child.ParentShards ?? [],
    hashKeyRange: hashKeyRange(child.HashKeyRange),
  };
}

/** The Date header is on the HTTP response only, which a middleware of the command sees. */
export function captureDate(command: GetRecordsCommand | SubscribeToShardCommand): { date?: number } {
  const captured: { date?: number } = {};
  // The two stacks differ in their input and output only, which are not looked at.
  const stack = command.middlewareStack as GetRecordsCommand['middlewareStack'];
  stack.add(
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
