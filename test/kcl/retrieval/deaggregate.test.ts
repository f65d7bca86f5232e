/** Mirrors KCL's AggregatorUtilTest and the de-aggregation cases of ProcessTaskTest. */
import fc from 'fast-check';
import { MAX_HASH_KEY } from '../../../consumer/kcl/common/hash-key-range';
import { measureBatch, recordsToDeliver } from '../../../consumer/kcl/lifecycle/tasks/process-task';
import { deaggregate, hashKeyOf } from '../../../consumer/kcl/retrieval/kpl/deaggregate';
import type { RetrievedBatch } from '../../../consumer/kcl/retrieval/records-publisher';
import { aggregate, field, message, seal } from '../support/kpl';

const ALL = { from: 0n, to: MAX_HASH_KEY };
const record = (data: Uint8Array, sequenceNumber = '7') => ({
  sequenceNumber,
  partitionKey: 'outer',
  data,
  approximateArrivalTimestamp: 5,
});
const batch = (...records: ReturnType<typeof record>[]): RetrievedBatch => ({
  records,
  bytes: 0,
  millisBehindLatest: 0,
  serviceTime: undefined,
  atTip: true,
});
const text = (data: Uint8Array): string => Buffer.from(data).toString();
const three = ['a', 'b', 'c'].map((key) => ({ partitionKey: key, data: Buffer.from(`data ${key}`) }));

describe('deaggregate (AggregatorUtilTest)', () => {
  test('user records in order, sub-sequence numbers from 0, everything else from the Kinesis record', () => {
    const [first, second, third] = deaggregate(record(aggregate(three)), ALL);
    expect(first).toEqual({
      sequenceNumber: '7',
      subSequenceNumber: 0,
      aggregated: true,
      partitionKey: 'a',
      approximateArrivalTimestamp: 5,
      data: Buffer.from('data a'),
    });
    expect([second!.subSequenceNumber, third!.subSequenceNumber]).toEqual([1, 2]);
    expect(text(third!.data)).toBe('data c');
  });

  test('what goes in comes out, for any keys, hash keys and data', () => {
    const user = fc.record({
      partitionKey: fc.string({ minLength: 1, unit: 'grapheme' }),
      explicitHashKey: fc.option(fc.bigInt({ min: 0n, max: MAX_HASH_KEY }).map(String), { nil: undefined }),
      data: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(user, { maxLength: 20 }), (records) => {
        const out = deaggregate(record(aggregate(records)), ALL);
        expect(
          out.map(({ partitionKey, explicitHashKey, data }) => [partitionKey, explicitHashKey, [...data]]),
        ).toEqual(records.map(({ partitionKey, explicitHashKey, data }) => [partitionKey, explicitHashKey, [...data]]));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  const sound = aggregate(three);
  const flipped = Buffer.from(sound);
  flipped[flipped.length - 1]! ^= 1;
  const noData = field(3, Buffer.from([8, 0]));
  const badIndex = Buffer.concat([field(1, Buffer.from('a')), field(3, Buffer.from([8, 5, 26, 1, 120]))]);
  test.each([
    ['plain bytes', Buffer.from('plain')],
    ['empty', Buffer.alloc(0)],
    ['the magic alone', sound.subarray(0, 4)],
    ['another magic', Buffer.concat([Buffer.from([1]), sound.subarray(1)])],
    ['wrong MD5', flipped],
    ['truncated', sound.subarray(0, sound.length - 3)],
    ['protobuf cut short, MD5 right', seal(message(three).subarray(0, -2))],
    ['a length beyond the end, MD5 right', seal(Buffer.from([26, 127, 1]))],
    ['an unending varint, MD5 right', seal(Buffer.alloc(12, 0xff))],
    ['an unknown wire type, MD5 right', seal(Buffer.from([15]))],
    ['a record without data, MD5 right', seal(Buffer.concat([field(1, Buffer.from('a')), noData]))],
    ['a key index outside the table, MD5 right', seal(badIndex)],
    [
      'an explicit hash key that is no number, MD5 right',
      aggregate([{ partitionKey: 'a', explicitHashKey: 'x', data: Buffer.from('d') }]),
    ],
  ])('%s: delivered raw, once', (_name, data) => {
    expect(deaggregate(record(data), ALL)).toEqual([{ ...record(data), subSequenceNumber: 0, aggregated: false }]);
  });

  test('an aggregate of nothing is nothing', () => {
    expect(deaggregate(record(aggregate([])), ALL)).toEqual([]);
  });

  test('records outside the shard’s hash key range are handed over and marked (KCL drops the aggregate)', () => {
    const middle = MAX_HASH_KEY / 2n;
    const records = [
      { partitionKey: 'a', explicitHashKey: String(middle), data: Buffer.from('in') },
      { partitionKey: 'a', explicitHashKey: String(middle + 1n), data: Buffer.from('out') },
      ...three,
    ];
    const out = deaggregate(record(aggregate(records)), { from: 0n, to: middle });
    expect(out.map((user) => user.outsideHashKeyRange ?? false)).toEqual([
      false,
      true,
      ...three.map(({ partitionKey }) => BigInt(`0x${hashKeyOf(partitionKey)}`) > middle),
    ]);
    expect(out).toHaveLength(5);
  });

  test('the hash key of a partition key is its MD5 as an unsigned integer', () => {
    expect(hashKeyOf('a')).toBe('0cc175b9c0f1b6a831c399e269772661');
    // More keys than are remembered, and the first ones again.
    for (let key = 0; key < 20_000; key++) hashKeyOf(`device-${key}`);
    expect(hashKeyOf('device-1')).toBe('d111f50a599b0a9fe3ef9e1c6b68ec88');
    expect(hashKeyOf('a')).toBe('0cc175b9c0f1b6a831c399e269772661');
  });
});

describe('recordsToDeliver (ProcessTaskTest)', () => {
  test('aggregate and checkpoint X.1: only X.2 and what follows', () => {
    const records = batch(record(aggregate(three), '7'), record(Buffer.from('next'), '8'));
    const out = recordsToDeliver(records, ALL, { sequenceNumber: '7', subSequenceNumber: 1 });
    expect(out.map((user) => `${user.sequenceNumber}.${user.subSequenceNumber}`)).toEqual(['7.2', '8.0']);
  });

  test('the record of the checkpoint itself is left out', () => {
    const records = batch(record(Buffer.from('x'), '99'), record(Buffer.from('y'), '100'));
    const out = recordsToDeliver(records, ALL, { sequenceNumber: '99', subSequenceNumber: 0 });
    expect(out.map((user) => user.sequenceNumber)).toEqual(['100']);
  });

  test('what was processed is measured; records outside the shard’s hash key range are counted', () => {
    const middle = MAX_HASH_KEY / 2n;
    const data = aggregate(
      [middle, middle + 1n, MAX_HASH_KEY].map((key) => ({
        partitionKey: 'a',
        explicitHashKey: String(key),
        data: Buffer.from('x'),
      })),
    );
    const measured = new Map<string, number>();
    const scope = { add: (name: string, value: number) => void measured.set(name, value), dimension() {}, end() {} };
    const whole = { ...batch(record(data)), bytes: 77 };
    measureBatch(scope, whole, recordsToDeliver(whole, { from: 0n, to: middle }, undefined));
    expect(Object.fromEntries(measured)).toMatchObject({
      RecordsProcessed: 3,
      DataBytesProcessed: 77,
      RecordsOutsideHashKeyRange: 2,
    });
  });
});
