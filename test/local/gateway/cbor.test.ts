/** CBOR: the examples of RFC 8949, appendix A, and a Kinesis client that speaks it as the AWS SDK for Java does. */
import { request } from 'node:http';
import { decodeCbor, encodeCbor, CBOR_CONTENT_TYPE } from '../../../local/gateway/cbor';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { systemClock } from '../../../local/gateway/service';
import { KinesisEngine } from '../../../local/services/kinesis/engine';

const none = { blobs: new Set<string>(), timestamps: new Set<string>() };

test.each<[string, unknown]>([
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1_000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['20', -1],
  ['3903e7', -1_000],
  ['fb3ff199999999999a', 1.1],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['60', ''],
  ['6449455446', 'IETF'],
  ['62c3bc', 'ü'],
  ['83010203', [1, 2, 3]],
  ['a26161016162820203', { a: 1, b: [2, 3] }],
])('%s is %j, both ways', (hex, value) => {
  expect(decodeCbor(Buffer.from(hex, 'hex'))).toEqual(value);
  expect(encodeCbor(value, none).toString('hex')).toBe(hex);
});

test.each<[string, unknown]>([
  ['f93c00', 1],
  ['f97bff', 65_504],
  ['f90001', 5.960464477539063e-8],
  ['f9c400', -4],
  ['fa47c35000', 100_000],
  ['9fff', []],
  ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
  ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
  ['7f657374726561646d696e67ff', 'streaming'],
  ['5f42010243030405ff', 'AQIDBAU='],
  ['c11a514b67b0', 1_363_896.24],
])('%s is read as %j', (hex, value) => {
  expect(decodeCbor(Buffer.from(hex, 'hex'))).toEqual(value);
});

test.each(['', '18', '62c3', '9f01', '8101ff', '5f6101ff', '1c', 'f8ff', '81'.repeat(100)])('%s is refused', (hex) => {
  expect(() => decodeCbor(Buffer.from(hex, 'hex'))).toThrow(/The request body is not CBOR/);
});

test('blobs are byte strings, timestamps milliseconds under tag 1', () => {
  const members = { blobs: new Set(['Data']), timestamps: new Set(['At']) };
  const bytes = encodeCbor({ Records: [{ Data: 'AQI=', At: 1_363_896.24, Other: undefined }] }, members);
  expect(bytes.toString('hex')).toBe('a1675265636f72647381a26444617461420102624174c11a514b67b0');
});

describe('Kinesis', () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
    gateway.add(new KinesisEngine({ clock: systemClock }));
  });
  afterAll(() => gateway.close());

  const call = (operation: string, input: unknown, blobs: string[] = []) =>
    new Promise<{ status?: number; type?: string; body: unknown }>((resolve, reject) => {
      const scope = `${ROOT_ACCESS_KEY_ID}/20260101/us-east-1/kinesis/aws4_request`;
      const headers = {
        'content-type': CBOR_CONTENT_TYPE,
        'x-amz-target': `Kinesis_20131202.${operation}`,
        authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=x`,
      };
      const sent = request({ host: '127.0.0.1', port: gateway.port, method: 'POST', headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode: status, headers: received } = response;
          resolve({ status, type: received['content-type'], body: decodeCbor(Buffer.concat(chunks)) });
        });
      });
      sent.on('error', reject);
      sent.end(encodeCbor(input, { ...none, blobs: new Set(blobs) }));
    });

  test('is asked and answers in CBOR, errors too', async () => {
    const StreamName = 's';
    expect(await call('CreateStream', { StreamName, ShardCount: 1 })).toEqual({
      status: 200,
      type: CBOR_CONTENT_TYPE,
      body: {},
    });
    const Data = Buffer.from([0, 255, 7]).toString('base64');
    await call('PutRecord', { StreamName, PartitionKey: 'k', Data }, ['Data']);
    const before = Date.now() / 1_000;
    const from = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
    const { body: iterator } = await call('GetShardIterator', from);
    const { body } = await call('GetRecords', iterator);
    const [record] = (body as { Records: { Data: string; ApproximateArrivalTimestamp: number }[] }).Records;
    expect(record?.Data).toBe(Data);
    expect(Math.abs((record?.ApproximateArrivalTimestamp ?? 0) - before)).toBeLessThan(60);
    expect(await call('GetRecords', { ShardIterator: 'no such' })).toMatchObject({
      status: 400,
      type: CBOR_CONTENT_TYPE,
      body: { __type: expect.stringMatching(/Exception$/) },
    });
  });
});
