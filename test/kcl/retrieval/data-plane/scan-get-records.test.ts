/** The scan of a GetRecords response against the SDK's own reading of the same bytes. */
import { KinesisClient } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { kinesisFromSdk } from '../../../../consumer/kcl/adapters/kinesis-sdk';
import { scanGetRecords } from '../../../../consumer/kcl/retrieval/data-plane/scan-get-records';
import type { GetRecordsResult, KinesisRecord } from '../../../../consumer/kcl/dependencies';

/** What the SDK's client makes of the response: with a handler that is not its default one it parses as always. */
async function bySdk(body: Buffer): Promise<GetRecordsResult> {
  const requestHandler = {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async () => ({ response: { statusCode: 200, headers: {}, body: Uint8Array.from(body) } }),
  };
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = new KinesisClient({ region: 'us-east-1', credentials, requestHandler: requestHandler as never });
  return kinesisFromSdk(client).getRecords({ shardIterator: 'i', limit: 10_000 });
}

const comparable = (records: readonly KinesisRecord[]) =>
  records.map((record) => ({ ...record, data: Buffer.from(record.data).toString('hex') }));

const sequenceNumber = fc.bigInt({ min: 10n ** 55n, max: 10n ** 56n - 1n }).map(String);
const millis = fc.integer({ min: 1_300_000_000_000, max: 4_102_444_800_000 });
/** Numbers as the service and as others write them. */
const epochSeconds = fc.tuple(millis, fc.constantFrom('plain', 'exponent', 'whole', 'micros')).map(([time, form]) => {
  if (form === 'plain') return String(time / 1_000);
  if (form === 'whole') return String(Math.floor(time / 1_000));
  if (form === 'micros') return `${(time / 1_000).toFixed(6)}`;
  const digits = String(time);
  return `${digits[0]}.${digits.slice(1)}E9`;
});
const partitionKey = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }),
);
const member = (name: string, value: fc.Arbitrary<string>) => value.map((text) => `"${name}":${text}`);
const quoted = (text: fc.Arbitrary<string>) => text.map((value) => JSON.stringify(value));
const base64 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const record = fc
  .tuple(
    member('ApproximateArrivalTimestamp', epochSeconds),
    member('Data', quoted(base64)),
    member('PartitionKey', quoted(partitionKey)),
    member('SequenceNumber', quoted(sequenceNumber)),
    fc.constantFrom('"EncryptionType":"KMS"', ''),
  )
  .chain((members) => fc.shuffledSubarray(members, { minLength: members.length }))
  .map((members) => `{${members.filter((text) => text !== '').join(',')}}`);
const response = fc
  .tuple(
    fc.array(record, { maxLength: 20 }).map((records) => `"Records":[${records.join(',')}]`),
    member('MillisBehindLatest', fc.nat().map(String)),
    member('NextShardIterator', quoted(fc.base64String({ maxLength: 200 }))),
    fc.constantFrom(
      '',
      '"ChildShards":[{"ShardId":"s-1","ParentShards":["s-0"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"1"}}]',
      '"Later":{"a":[[],{"b":"\\"]}"}],"c":null}',
    ),
  )
  .chain((members) => fc.shuffledSubarray(members, { minLength: members.length }))
  .map((members) => Buffer.from(`{${members.filter((text) => text !== '').join(',')}}`));

test('records are equal to those of the SDK, byte for byte, and so is the rest of the response', async () => {
  await fc.assert(
    fc.asyncProperty(response, async (body) => {
      const scanned = scanGetRecords(body)!;
      const expected = await bySdk(body);
      expect(comparable(scanned.records)).toEqual(comparable(expected.records));
      expect(await bySdk(Buffer.from(scanned.rest))).toEqual({ ...expected, records: [] });
    }),
    { numRuns: 300 },
  );
});

const RECORD = '{"ApproximateArrivalTimestamp":1.5E9,"Data":"YWJj","PartitionKey":"k","SequenceNumber":"1"}';
const around = (records: string) => Buffer.from(`{"MillisBehindLatest":0,"Records":[${records}]}`);

test('the base of the cases below is one that is scanned', () => {
  expect(comparable(scanGetRecords(around(RECORD))!.records)).toEqual([
    {
      sequenceNumber: '1',
      partitionKey: 'k',
      data: Buffer.from('abc').toString('hex'),
      approximateArrivalTimestamp: 1_500_000_000_000,
    },
  ]);
});

test.each([
  ['whitespace', Buffer.from(`{ "Records":[${RECORD}]}`)],
  ['no records', Buffer.from('{"MillisBehindLatest":0}')],
  ['null for records', Buffer.from('{"Records":null}')],
  ['two lists of records', Buffer.from(`{"Records":[${RECORD}],"Records":[]}`)],
  ['something after the end', Buffer.concat([around(RECORD), Buffer.from(' ')])],
  ['an unknown member of a record', around(RECORD.replace('{', '{"New":1,'))],
  ['a record without data', around(RECORD.replace('"Data":"YWJj",', ''))],
  ['an escape in base64', around(RECORD.replace('YWJj', 'YW\\u004aj'))],
  ['four escapes in base64, its length a multiple of four', around(RECORD.replace('YWJj', '\\/\\/\\/\\/'))],
  ['a character that is not base64', around(RECORD.replace('YWJj', 'YW*j'))],
  ['base64 without its padding', around(RECORD.replace('YWJj', 'YWI'))],
  ['a time that is no number', around(RECORD.replace('1.5E9', '1.5.E9'))],
  ['a time that is a string', around(RECORD.replace('1.5E9', '"now"'))],
  ['null for a key', around(RECORD.replace('"k"', 'null'))],
  ['an error', Buffer.from('{"__type":"ExpiredIteratorException","message":"m"}')],
  ['a list', Buffer.from('[]')],
  ['nothing', Buffer.alloc(0)],
])('%s is left to the SDK', (_name, body) => {
  expect(scanGetRecords(body)).toBeUndefined();
});

test('a response that is cut anywhere is left to the SDK', () => {
  const body = around([RECORD, RECORD.replace('"k"', '"\\u00fc"'), RECORD.replace('"k"', '"ü"')].join(','));
  expect(scanGetRecords(body)?.records.map((found) => found.partitionKey)).toEqual(['k', 'ü', 'ü']);
  for (let length = 0; length < body.length; length++) {
    expect(scanGetRecords(body.subarray(0, length))).toBeUndefined();
  }
});
