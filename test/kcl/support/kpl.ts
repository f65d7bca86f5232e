/** Writes KPL aggregates, sound and broken ones. */
import { createHash } from 'node:crypto';

export interface UserRecord {
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
}

const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

export const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
const integer = (number: number, value: number): Buffer => Buffer.concat([varint(number * 8), varint(value)]);

/** The protobuf message alone. */
export function message(records: readonly UserRecord[]): Buffer {
  const keys = [...new Set(records.map((record) => record.partitionKey))];
  const hashKeys = [...new Set(records.flatMap((record) => record.explicitHashKey ?? []))];
  return Buffer.concat([
    ...keys.map((key) => field(1, Buffer.from(key))),
    ...hashKeys.map((key) => field(2, Buffer.from(key))),
    ...records.map((record) =>
      field(
        3,
        Buffer.concat([
          integer(1, keys.indexOf(record.partitionKey)),
          ...(record.explicitHashKey === undefined ? [] : [integer(2, hashKeys.indexOf(record.explicitHashKey))]),
          field(3, record.data),
          // A tag, which readers pass over.
          field(4, field(1, Buffer.from('tag'))),
        ]),
      ),
    ),
  ]);
}

/** Magic, message and the message's MD5. */
export function seal(protobuf: Buffer): Buffer {
  return Buffer.concat([MAGIC, protobuf, createHash('md5').update(protobuf).digest()]);
}

export const aggregate = (records: readonly UserRecord[]): Buffer => seal(message(records));
