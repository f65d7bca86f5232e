/**
 * KPL de-aggregation. Format: awslabs/amazon-kinesis-producer, aggregation-format.md: magic F3 89 9A C2, a protobuf
 * AggregatedRecord (1 partition key table, 2 explicit hash key table, 3 records {1 partition key index, 2 explicit hash key
 * index, 3 data, 4 tags}), MD5 of the protobuf.
 *
 * As in KCL, what is not a sound aggregate is a plain record. Unlike KCL, which drops an aggregate with a record outside the
 * shard's hash key range (after a reshard such a record is nowhere else either), every record is handed over, and those
 * outside are marked.
 */
import { createHash } from 'node:crypto';
import type { KinesisRecord } from '../../dependencies';
import type { KinesisClientRecord } from '../../processor';

const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
const DIGEST_BYTES = 16;

interface SubRecord {
  readonly partitionKeyIndex: number;
  readonly explicitHashKeyIndex: number | undefined;
  readonly data: Uint8Array;
}

interface Aggregate {
  readonly partitionKeys: readonly string[];
  readonly explicitHashKeys: readonly string[];
  readonly records: readonly SubRecord[];
}

/** Inclusive bounds of the shard. */
export interface ShardHashRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Reads protobuf wire format; every reader method throws RangeError past the end. */
class WireReader {
  position = 0;

  private readonly end: number;

  constructor(private readonly bytes: Buffer) {
    this.end = bytes.length;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** Values beyond 2^53 do not occur in sound aggregates. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw new RangeError('truncated varint');
      const byte = this.bytes[this.position++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError('varint of more than 10 bytes');
  }

  slice(): Buffer {
    const length = this.varint();
    const start = this.position;
    if (length > this.end - start) throw new RangeError('length beyond the end');
    this.position = start + length;
    return this.bytes.subarray(start, this.position);
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 2) this.slice();
    else if (wireType === 1) this.position += 8;
    else if (wireType === 5) this.position += 4;
    else throw new RangeError(`wire type ${wireType}`);
    if (this.position > this.end) throw new RangeError('truncated field');
  }
}

const tag = (field: number, wireType: number): number => field * 8 + wireType;

function parseRecord(bytes: Buffer): SubRecord {
  const reader = new WireReader(bytes);
  let partitionKeyIndex: number | undefined;
  let explicitHashKeyIndex: number | undefined;
  let data: Uint8Array | undefined;
  while (!reader.done) {
    const key = reader.varint();
    if (key === tag(1, 0)) partitionKeyIndex = reader.varint();
    else if (key === tag(2, 0)) explicitHashKeyIndex = reader.varint();
    else if (key === tag(3, 2)) data = reader.slice();
    else reader.skip(key % 8);
  }
  // Both are required in the format.
  if (partitionKeyIndex === undefined || data === undefined) throw new RangeError('record without key or data');
  return { partitionKeyIndex, explicitHashKeyIndex, data };
}

function parseAggregate(bytes: Buffer): Aggregate {
  const reader = new WireReader(bytes);
  const partitionKeys: string[] = [];
  const explicitHashKeys: string[] = [];
  const records: SubRecord[] = [];
  while (!reader.done) {
    const key = reader.varint();
    if (key === tag(1, 2)) partitionKeys.push(reader.slice().toString('utf8'));
    else if (key === tag(2, 2)) explicitHashKeys.push(reader.slice().toString('utf8'));
    else if (key === tag(3, 2)) records.push(parseRecord(reader.slice()));
    else reader.skip(key % 8);
  }
  for (const { partitionKeyIndex, explicitHashKeyIndex } of records) {
    if (partitionKeyIndex >= partitionKeys.length) throw new RangeError('partition key index');
    if (explicitHashKeyIndex !== undefined && !/^\d{1,39}$/.test(explicitHashKeys[explicitHashKeyIndex] ?? '')) {
      throw new RangeError('explicit hash key');
    }
  }
  return { partitionKeys, explicitHashKeys, records };
}

/** Undefined where the bytes are no sound aggregate. */
function readAggregate(data: Uint8Array): Aggregate | undefined {
  if (data.length < MAGIC.length + DIGEST_BYTES) return undefined;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) return undefined;
  const message = bytes.subarray(MAGIC.length, bytes.length - DIGEST_BYTES);
  const digest = bytes.subarray(bytes.length - DIGEST_BYTES);
  if (!createHash('md5').update(message).digest().equals(digest)) return undefined;
  try {
    return parseAggregate(message);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Kinesis' hash key of a partition key: its MD5 as an unsigned integer. */
export function hashKeyOf(partitionKey: string): bigint {
  return BigInt(`0x${createHash('md5').update(partitionKey, 'utf8').digest('hex')}`);
}

function plain(record: KinesisRecord): KinesisClientRecord {
  return { ...record, subSequenceNumber: 0, aggregated: false };
}

/**
 * The user records of a Kinesis record, in order, with sub-sequence numbers from 0; their `data` are views of the record's.
 * A sound aggregate may be empty.
 */
export function deaggregate(record: KinesisRecord, range: ShardHashRange): KinesisClientRecord[] {
  const aggregate = readAggregate(record.data);
  if (!aggregate) return [plain(record)];
  const outsideByKey = new Map<string, boolean>();
  const isOutside = (partitionKey: string, explicitHashKey: string | undefined): boolean => {
    const cacheKey = explicitHashKey === undefined ? `p${partitionKey}` : `e${explicitHashKey}`;
    let outside = outsideByKey.get(cacheKey);
    if (outside === undefined) {
      const hash = explicitHashKey === undefined ? hashKeyOf(partitionKey) : BigInt(explicitHashKey);
      outside = hash < range.from || hash > range.to;
      outsideByKey.set(cacheKey, outside);
    }
    return outside;
  };
  return aggregate.records.map((sub, index) => {
    const partitionKey = aggregate.partitionKeys[sub.partitionKeyIndex] as string;
    const explicitHashKey =
      sub.explicitHashKeyIndex === undefined ? undefined : aggregate.explicitHashKeys[sub.explicitHashKeyIndex];
    return {
      sequenceNumber: record.sequenceNumber,
      subSequenceNumber: index,
      aggregated: true,
      partitionKey,
      ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
      approximateArrivalTimestamp: record.approximateArrivalTimestamp,
      data: sub.data,
      ...(isOutside(partitionKey, explicitHashKey) ? { outsideHashKeyRange: true } : {}),
    };
  });
}
