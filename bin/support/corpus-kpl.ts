/** KPL aggregates that are sound, and that are not (awslabs/amazon-kinesis-producer, aggregation-format.md). */
import { createHash } from 'node:crypto';
import { enveloped, readingText, recordItem, type CorpusItem } from './corpus-item';

const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
const NO_AGGREGATE = { reason: 'not_an_envelope' };

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field: number, content: Uint8Array | string): Buffer => {
  const data = Buffer.from(content as string);
  return Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
};
const user = (data: Uint8Array, key = 0, explicit?: number): Buffer =>
  bytes(3, Buffer.concat([number(1, key), ...(explicit === undefined ? [] : [number(2, explicit)]), bytes(3, data)]));
const sealed = (...parts: readonly Uint8Array[]): Buffer => {
  const message = Buffer.concat(parts);
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()]);
};

/** The hash keys of the corpus' shard are those up to 2^127 − 1. */
const OUTSIDE = String(2n ** 128n - 1n);

export function kplItems(): CorpusItem[] {
  const good = enveloped(Buffer.from(readingText()));
  const key = bytes(1, 'corpus-device');
  const three = sealed(key, user(good), user(good), user(good));
  const badDigest = Buffer.from(three);
  badDigest[badDigest.length - 1]! ^= 1;
  const message = Buffer.concat([key, user(good), user(good)]);
  const item = (name: string, data: Uint8Array, expected: 'row' | typeof NO_AGGREGATE, elements = 1): CorpusItem =>
    recordItem(`KPL: ${name}`, () => data, expected, elements);
  return [
    item('three user records', three, 'row', 3),
    item('explicit hash key outside the shard', sealed(key, bytes(2, OUTSIDE), user(good, 0, 0)), 'row'),
    item('members that the format does not have', sealed(key, bytes(9, 'x'), number(12, 7), user(good)), 'row'),
    item('no user record: nothing was published', sealed(key), 'row', 0),
    item('an empty message', sealed(), 'row', 0),
    item('an aggregate in a user record', sealed(key, user(three)), NO_AGGREGATE),
    item('a user record of no bytes', sealed(key, user(Buffer.alloc(0))), NO_AGGREGATE),
    item(
      '10,000 user records of no bytes',
      sealed(key, ...Array.from({ length: 10_000 }, () => user(Buffer.alloc(0)))),
      NO_AGGREGATE,
      10_000,
    ),
    item('a wrong MD5', badDigest, NO_AGGREGATE),
    item('cut off', three.subarray(0, three.length - 40), NO_AGGREGATE),
    item('cut off inside, the MD5 right', sealed(message.subarray(0, message.length - 5)), NO_AGGREGATE),
    item('partition key index out of the table', sealed(key, user(good, 1)), NO_AGGREGATE),
    item('partition key index beyond 2^53', sealed(key, user(good, 2 ** 60)), NO_AGGREGATE),
    item('explicit hash key index out of the table', sealed(key, user(good, 0, 3)), NO_AGGREGATE),
    item('explicit hash key that is no number', sealed(key, bytes(2, '-1; DROP'), user(good, 0, 0)), NO_AGGREGATE),
    item('no key table', sealed(user(good)), NO_AGGREGATE),
    item('a user record without data', sealed(key, bytes(3, number(1, 0))), NO_AGGREGATE),
    item('a length of 2^50 bytes', sealed(key, varint(26), varint(2 ** 50)), NO_AGGREGATE),
    item('a varint without end', sealed(key, Buffer.alloc(64, 0xff)), NO_AGGREGATE),
    item('a wire type that does not exist', sealed(key, Buffer.from([0x1f])), NO_AGGREGATE),
    item(
      'another magic number',
      Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc3]), three.subarray(4)]),
      NO_AGGREGATE,
    ),
    item('the magic number alone', MAGIC, NO_AGGREGATE),
    item('gzip in a user record', sealed(key, user(Buffer.from([0x1f, 0x8b, 8, 0]))), NO_AGGREGATE),
  ];
}
