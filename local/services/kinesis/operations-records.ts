/** The data plane: PutRecord, PutRecords, GetShardIterator, GetRecords. */
import { AwsError } from '../../gateway/service';
import { hashPartitionKey, HASH_KEY_SPACE } from './hash-keys';
import {
  invalidArgument,
  optionalInteger,
  optionalString,
  optionalTimestamp,
  requiredList,
  requiredString,
  structure,
} from './input';
import type { Input } from './input';
import { describeChildren } from './operations-shards';
import { base64Size, dataOf } from './record-log';
import type { StoredRecord } from './record-log';
import { parseSequenceNumber } from './sequence-number';
import { ACCOUNT, seconds } from './state';
import type { KinesisState, Operation, Operations } from './state';
import type { RecordRow } from './storage';
import type { Shard, Stream } from './stream';
import { decodeIterator, encodeIterator } from './tokens';

/** @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html */
const MAXIMUM_PUT_RECORDS = 500;
const MAXIMUM_PUT_BYTES = 10 << 20;
/** @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const MAXIMUM_GET_RECORDS = 10_000;
const MAXIMUM_GET_BYTES = 10 << 20;

const KEY = { min: 1, max: 256 };
const HASH_KEY = { pattern: /^(0|[1-9]\d{0,38})$/ };
export const SEQUENCE_NUMBER = { pattern: /^(0|[1-9]\d{0,128})$/ };

interface IncomingRecord {
  readonly data: string;
  readonly dataSize: number;
  readonly partitionKey: string;
  /** Data and key: what the limits count. */
  readonly size: number;
  readonly hashKey: bigint;
}

/** @throws AwsError ValidationException, SerializationException, InvalidArgumentException */
function readRecord(stream: Stream, input: Input): IncomingRecord {
  const partitionKey = requiredString(input, 'PartitionKey', KEY);
  const data = requiredString(input, 'Data');
  const dataSize = base64Size(data);
  if (dataSize === undefined) throw new AwsError('SerializationException', 'Data is not base64.');
  const size = dataSize + Buffer.byteLength(partitionKey);
  const maximum = stream.settings.maxRecordSizeInKiB * 1_024;
  if (size > maximum) {
    throw new AwsError(
      'ValidationException',
      `Data and PartitionKey together have ${size} bytes; the stream takes records of up to ${maximum}.`,
    );
  }
  const explicit = optionalString(input, 'ExplicitHashKey', HASH_KEY);
  const hashKey = explicit === undefined ? hashPartitionKey(partitionKey) : BigInt(explicit);
  if (hashKey >= HASH_KEY_SPACE) {
    throw invalidArgument(
      `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${explicit}`,
    );
  }
  return { data, dataSize, partitionKey, size, hashKey };
}

interface Placed {
  readonly shard: Shard;
  readonly row: RecordRow;
  readonly sequenceNumber: string;
}

/** Appends to memory; undefined where the shard's throughput is exceeded. */
function place(state: KinesisState, stream: Stream, record: IncomingRecord): Placed | Shard {
  const now = state.clock.now();
  const shard = stream.route(record.hashKey);
  if (state.limits === 'enforced' && !shard.throttle.admitWrite(record.size, now)) return shard;
  const counter = stream.nextCounter();
  const arrival = Math.max(now, shard.createdAt, shard.log.last?.arrival ?? 0);
  const encrypted = stream.settings.keyId !== undefined;
  shard.log.append(counter, arrival, record.partitionKey, record.data, record.dataSize, encrypted);
  return {
    shard,
    row: [shard.index, counter, arrival, record.partitionKey, record.data, encrypted ? 1 : 0],
    sequenceNumber: stream.sequenceNumber(shard, counter),
  };
}

function exceeded(stream: Stream, shard: Shard): string {
  return `Rate exceeded for shard ${shard.id} in stream ${stream.settings.name} under account ${ACCOUNT}.`;
}

function encryption(stream: Stream): Record<string, string> {
  return stream.settings.keyId === undefined ? {} : { EncryptionType: 'KMS' };
}

const putRecord: Operation = (state, input) => {
  const stream = state.find(input);
  optionalString(input, 'SequenceNumberForOrdering', SEQUENCE_NUMBER);
  const placed = place(state, stream, readRecord(stream, input));
  if (!('row' in placed)) throw new AwsError('ProvisionedThroughputExceededException', exceeded(stream, placed));
  state.saveRecords(stream, [placed.row]);
  return { ShardId: placed.shard.id, SequenceNumber: placed.sequenceNumber, ...encryption(stream) };
};

const putRecords: Operation = (state, input) => {
  const stream = state.find(input);
  const entries = requiredList(input, 'Records', 1, MAXIMUM_PUT_RECORDS);
  // A record that breaks a rule refuses the whole request, and before any of it is stored.
  const records = entries.map((entry) => readRecord(stream, structure(entry, 'Records')));
  const bytes = records.reduce((sum, record) => sum + record.size, 0);
  if (bytes > MAXIMUM_PUT_BYTES) {
    throw invalidArgument(
      `Records have ${bytes} bytes of data and keys together; a request may have ${MAXIMUM_PUT_BYTES}.`,
    );
  }
  const rows: RecordRow[] = [];
  const results = records.map((record) => {
    const placed = place(state, stream, record);
    if (!('row' in placed)) {
      return { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: exceeded(stream, placed) };
    }
    rows.push(placed.row);
    return { SequenceNumber: placed.sequenceNumber, ShardId: placed.shard.id };
  });
  if (rows.length > 0) state.saveRecords(stream, rows);
  return { FailedRecordCount: records.length - rows.length, Records: results, ...encryption(stream) };
};

export const ITERATOR_TYPES = ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER', 'TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'];

export interface StartingPosition {
  readonly type: string;
  readonly sequenceNumber?: string;
  /** Epoch milliseconds. */
  readonly timestamp?: number;
}

/**
 * The counter from which a reader at this position reads on. A position before the trim horizon reads from the horizon.
 * @throws AwsError InvalidArgumentException
 */
export function resolvePosition(state: KinesisState, stream: Stream, shard: Shard, position: StartingPosition): number {
  switch (position.type) {
    case 'TRIM_HORIZON':
      return shard.startCounter;
    case 'LATEST':
      return stream.lastCounter + 1;
    case 'AT_TIMESTAMP': {
      if (position.timestamp === undefined)
        throw invalidArgument(
          'Must specify timestamp parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
        );
      const now = state.clock.now();
      if (position.timestamp > now) {
        throw invalidArgument(
          `The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: ${position.timestamp}, currentTimestampInMillis: ${now}`,
        );
      }
      return shard.log.firstAtOrAfter(position.timestamp)?.counter ?? stream.lastCounter + 1;
    }
    default: {
      const number = position.sequenceNumber;
      if (number === undefined)
        throw invalidArgument(
          `Must specify startingSequenceNumber parameter for iterator of type ${position.type}. Current request has no startingSequenceNumber parameter.`,
        );
      const parsed = parseSequenceNumber(number);
      const where = `StartingSequenceNumber ${number} used in GetShardIterator on shard ${shard.id} in stream ${stream.settings.name} under account ${ACCOUNT} is invalid`;
      if (
        parsed === undefined ||
        parsed.creation !== stream.settings.createdAt ||
        parsed.counter > stream.lastCounter
      ) {
        throw invalidArgument(`${where} because it did not come from this stream.`);
      }
      if (parsed.shardIndex !== shard.index) {
        throw invalidArgument(
          `${where}: it encodes shard ${parsed.shardIndex}, while it was used in a call to a shard with ${shard.id}.`,
        );
      }
      return position.type === 'AFTER_SEQUENCE_NUMBER' ? parsed.counter + 1 : parsed.counter;
    }
  }
}

const getShardIterator: Operation = (state, input) => {
  const stream = state.find(input);
  const id = requiredString(input, 'ShardId', { min: 1, max: 128 });
  const type = requiredString(input, 'ShardIteratorType', { values: ITERATOR_TYPES });
  const sequenceNumber = optionalString(input, 'StartingSequenceNumber', SEQUENCE_NUMBER);
  const shard = state.shard(stream, id);
  const counter = resolvePosition(state, stream, shard, {
    type,
    sequenceNumber,
    timestamp: optionalTimestamp(input, 'Timestamp'),
  });
  return { ShardIterator: encodeIterator(iteratorPosition(stream, shard, counter), state.clock.now()) };
};

function iteratorPosition(stream: Stream, shard: Shard, counter: number) {
  return { stream: stream.settings.name, creation: stream.settings.createdAt, shardIndex: shard.index, counter };
}

export interface ReadResult {
  readonly records: readonly StoredRecord[];
  readonly bytes: number;
  /** Where the next read goes on; undefined at the end of a closed shard. */
  readonly nextCounter: number | undefined;
  readonly millisBehindLatest: number;
}

/** Reads on from `counter`, forgetting what has expired first. */
export function readShard(
  state: KinesisState,
  stream: Stream,
  shard: Shard,
  counter: number,
  limit: number,
  maxBytes: number,
): ReadResult {
  const now = state.clock.now();
  shard.log.trimBefore(stream.horizon(now));
  const { records, bytes, next } = shard.log.read(counter, limit, maxBytes);
  const last = records[records.length - 1];
  return {
    records,
    bytes,
    nextCounter:
      shard.closedAt !== undefined && next === undefined ? undefined : last === undefined ? counter : last.counter + 1,
    // Behind as long as anything is unread, even where it arrived in this very millisecond.
    millisBehindLatest: next === undefined ? 0 : Math.max(1, now - (last ?? next).arrival),
  };
}

export function describeRecord(stream: Stream, shard: Shard, record: StoredRecord): Record<string, unknown> {
  return {
    SequenceNumber: stream.sequenceNumber(shard, record.counter),
    ApproximateArrivalTimestamp: seconds(record.arrival),
    Data: dataOf(record),
    PartitionKey: record.partitionKey,
    ...(record.encrypted && { EncryptionType: 'KMS' }),
  };
}

const getRecords: Operation = (state, input) => {
  const now = state.clock.now();
  const position = decodeIterator(requiredString(input, 'ShardIterator', { min: 1, max: 512 }), now);
  const limit = optionalInteger(input, 'Limit', 1, MAXIMUM_GET_RECORDS) ?? MAXIMUM_GET_RECORDS;
  const stream = state.byName(position.stream);
  const shard = stream.shards.get(position.shardIndex);
  if (stream.settings.createdAt !== position.creation || shard === undefined) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Shard ${position.shardIndex} in stream ${position.stream} under account ${ACCOUNT} does not exist`,
    );
  }
  if (state.limits !== 'off' && !shard.throttle.admitRead(now)) {
    throw new AwsError('ProvisionedThroughputExceededException', exceeded(stream, shard));
  }
  const read = readShard(state, stream, shard, position.counter, limit, MAXIMUM_GET_BYTES);
  shard.throttle.chargeRead(read.bytes);
  return {
    Records: read.records.map((record) => describeRecord(stream, shard, record)),
    MillisBehindLatest: read.millisBehindLatest,
    ...(read.nextCounter === undefined
      ? { ChildShards: describeChildren(stream, shard) }
      : { NextShardIterator: encodeIterator(iteratorPosition(stream, shard, read.nextCounter), now) }),
  };
};

export const recordOperations: Operations = {
  PutRecord: putRecord,
  PutRecords: putRecords,
  GetShardIterator: getShardIterator,
  GetRecords: getRecords,
};
