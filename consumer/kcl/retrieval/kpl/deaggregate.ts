/**
 * KPL de-aggregation. Format: awslabs/amazon-kinesis-producer, aggregation-format.md: magic F3 89 9A C2, a protobuf
 * AggregatedRecord (1 partition key table, 2 explicit hash key table, 3 records {1 partition key index, 2 explicit hash key
 * index, 3 data, 4 tags}), MD5 of the protobuf.
 *
 * As in KCL, what is not a sound aggregate is a plain record. Unlike KCL, which drops an aggregate with a record outside the
 * shard's hash key range (after a reshard such a record is nowhere else either), every record is handed over, and those
 * outside are marked.
 */
import { hash } from 'node:crypto';
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

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Inclusive bounds of the shard. */
export interface ShardHashRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Reads protobuf wire format in place; every method throws RangeError past the end. */
class WireReader {
  constructor(
    private readonly bytes: Buffer,
    public position: number,
    public end: number,
  ) {}

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

  /** Passes over a length-delimited field. @returns where its content begins; it ends at `position` */
  pass(): number {
    const length = this.varint();
    const start = this.position;
    if (length > this.end - start) throw new RangeError('length beyond the end');
    this.position = start + length;
    return start;
  }

  text(): string {
    const start = this.pass();
    return this.bytes.toString('utf8', start, this.position);
  }

  slice(): Buffer {
    const start = this.pass();
    return this.bytes.subarray(start, this.position);
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 2) this.pass();
    else if (wireType === 1) this.position += 8;
    else if (wireType === 5) this.position += 4;
    else throw new RangeError(`wire type ${wireType}`);
    if (this.position > this.end) throw new RangeError('truncated field');
  }
}

const tag = (field: number, wireType: number): number => field * 8 + wireType;

function parseRecord(reader: WireReader): SubRecord {
  const outerEnd = reader.end;
  const start = reader.pass();
  const end = reader.position;
  reader.position = start;
  reader.end = end;
  let partitionKeyIndex: number | undefined;
  let explicitHashKeyIndex: number | undefined;
  let data: Uint8Array | undefined;
  while (reader.position < end) {
    const key = reader.varint();
    if (key === tag(1, 0)) partitionKeyIndex = reader.varint();
    else if (key === tag(2, 0)) explicitHashKeyIndex = reader.varint();
    else if (key === tag(3, 2)) data = reader.slice();
    else reader.skip(key % 8);
  }
  reader.end = outerEnd;
  // Both are required in the format.
  if (partitionKeyIndex === undefined || data === undefined) throw new RangeError('record without key or data');
  return { partitionKeyIndex, explicitHashKeyIndex, data };
}

/** @param bytes the message between `start` and `end` */
function parseAggregate(bytes: Buffer, start: number, end: number): Aggregate {
  const reader = new WireReader(bytes, start, end);
  const partitionKeys: string[] = [];
  const explicitHashKeys: string[] = [];
  const records: SubRecord[] = [];
  while (reader.position < end) {
    const key = reader.varint();
    if (key === tag(1, 2)) partitionKeys.push(reader.text());
    else if (key === tag(2, 2)) explicitHashKeys.push(reader.text());
    else if (key === tag(3, 2)) records.push(parseRecord(reader));
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
  const end = bytes.length - DIGEST_BYTES;
  if (hash('md5', bytes.subarray(MAGIC.length, end), 'hex') !== bytes.toString('hex', end)) return undefined;
  try {
    return parseAggregate(bytes, MAGIC.length, end);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const HEX_DIGITS = 32;
const toHex = (hashKey: bigint): string => hashKey.toString(16).padStart(HEX_DIGITS, '0');

/** Devices send again and again under the same keys: their hash keys are remembered, some 2 MB of them. */
const REMEMBERED_KEYS = 16_384;
const hashKeys = new Map<string, string>();

/** Kinesis' hash key of a partition key: its MD5 as an unsigned integer, here in 32 hexadecimal digits. */
export function hashKeyOf(partitionKey: string): string {
  let hashKey = hashKeys.get(partitionKey);
  if (hashKey === undefined) {
    hashKey = hash('md5', partitionKey, 'hex');
    if (hashKeys.size >= REMEMBERED_KEYS) hashKeys.clear();
    hashKeys.set(partitionKey, hashKey);
  }
  return hashKey;
}

function plain(record: KinesisRecord): KinesisClientRecord {
  return { ...record, subSequenceNumber: 0, aggregated: false };
}

/** Which of the keys lie outside; each is looked at when it is first asked for. Hash keys are compared as digits of equal number. */
function outsideOf(keys: readonly string[], hashOf: (key: string) => string, from: string, to: string) {
  const known: (boolean | undefined)[] = new Array<undefined>(keys.length);
  return (index: number): boolean => {
    let outside = known[index];
    if (outside === undefined) {
      const hashKey = hashOf(keys[index] as string);
      outside = known[index] = hashKey < from || hashKey > to;
    }
    return outside;
  };
}

/**
 * The user records of a Kinesis record, in order, with sub-sequence numbers from 0; their `data` are views of the record's.
 * A sound aggregate may be empty.
 */
export function deaggregate(record: KinesisRecord, range: ShardHashRange): KinesisClientRecord[] {
  const aggregate = readAggregate(record.data);
  if (!aggregate) return [plain(record)];
  const { partitionKeys, explicitHashKeys, records } = aggregate;
  const { sequenceNumber, approximateArrivalTimestamp } = record;
  const [from, to] = [toHex(range.from), toHex(range.to)];
  const isKeyOutside = outsideOf(partitionKeys, hashKeyOf, from, to);
  const isExplicitOutside = outsideOf(explicitHashKeys, (digits) => toHex(BigInt(digits)), from, to);
  return records.map(({ partitionKeyIndex, explicitHashKeyIndex, data }, subSequenceNumber) => {
    const user: Writable<KinesisClientRecord> = {
      sequenceNumber,
      subSequenceNumber,
      aggregated: true,
      partitionKey: partitionKeys[partitionKeyIndex] as string,
      approximateArrivalTimestamp,
      data,
    };
    const explicit = explicitHashKeyIndex !== undefined;
    if (explicit) user.explicitHashKey = explicitHashKeys[explicitHashKeyIndex];
    if (explicit ? isExplicitOutside(explicitHashKeyIndex) : isKeyOutside(partitionKeyIndex)) {
      user.outsideHashKeyRange = true;
    }
    return user;
  });
}
