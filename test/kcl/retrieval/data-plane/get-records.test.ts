/** GetRecords over real sockets: what goes out is signed for HTTP/1.1, what comes back is read from its bytes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { kinesisFromSdk } from '../../../../consumer/kcl/adapters/kinesis-sdk';
import type { KinesisApi } from '../../../../consumer/kcl/dependencies';
import { generateKeys, issueCertificate } from '../../../../local/services/iot/x509';

let answer: (response: ServerResponse, request: IncomingMessage) => void;
let requests: { headers: IncomingMessage['headers']; body: string; port: number | undefined }[] = [];
let server: Server;
let client: KinesisClient;
let kinesis: KinesisApi;
let host: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      requests.push({ headers: request.headers, body, port: request.socket.remotePort });
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new KinesisClient({
    endpoint: `http://${host}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: 'session' },
    maxAttempts: 2,
  });
  kinesis = kinesisFromSdk(client);
});
beforeEach(() => (requests = []));
afterAll(async () => {
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const read = (signal?: AbortSignal) => kinesis.getRecords({ shardIterator: 'iterator', limit: 7 }, signal);

function bodyOf(payloads: readonly string[], more: Record<string, unknown> = { NextShardIterator: 'next' }): string {
  const Records = payloads.map((payload, index) => ({
    ApproximateArrivalTimestamp: 1_700_000_000.5,
    Data: Buffer.from(payload).toString('base64'),
    PartitionKey: 'k',
    SequenceNumber: String(index),
  }));
  return JSON.stringify({ MillisBehindLatest: 5, Records, ...more });
}

const payloadsOf = async () => (await read()).records.map(({ data }) => Buffer.from(data).toString());

test('the request is the client’s, signed for the host it goes to, on one connection', async () => {
  answer = (response) => response.end(bodyOf([]));
  await read();
  await read();
  const [{ headers, body, port }, second] = requests as [(typeof requests)[0], (typeof requests)[0]];
  expect(headers).toMatchObject({
    host,
    'x-amz-target': 'Kinesis_20131202.GetRecords',
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-security-token': 'session',
  });
  expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/us-east-1\/kinesis\/aws4_request/);
  expect(/SignedHeaders=([^,]+)/.exec(headers.authorization!)![1]!.split(';')).toContain('host');
  expect(headers.authorization).not.toContain(':authority');
  expect(JSON.parse(body)).toEqual({ ShardIterator: 'iterator', Limit: 7 });
  expect(second.port).toBe(port);
});

test('records, iterator, lag, date, and the children at the end of the shard', async () => {
  const child = { ShardId: 's-1', ParentShards: ['s-0'], HashKeyRange: { StartingHashKey: '0', EndingHashKey: '9' } };
  answer = (response) => {
    response.setHeader('date', 'Mon, 23 Nov 2026 10:00:00 GMT');
    response.end(bodyOf(['a', ''], { ChildShards: [child] }));
  };
  const result = await read();
  expect(result).toMatchObject({
    millisBehindLatest: 5,
    date: Date.UTC(2026, 10, 23, 10),
    childShards: [
      { shardId: 's-1', parentShards: ['s-0'], hashKeyRange: { startingHashKey: '0', endingHashKey: '9' } },
    ],
  });
  expect(result).not.toHaveProperty('nextShardIterator');
  expect(result.records).toMatchObject([
    { sequenceNumber: '0', partitionKey: 'k', approximateArrivalTimestamp: 1_700_000_000_500 },
    { sequenceNumber: '1' },
  ]);
  expect(Buffer.from(result.records[0]!.data).toString()).toBe('a');
});

test('records stay as they are while the memory of their response is used again', async () => {
  answer = (response) => response.end(bodyOf(['first', 'one']));
  const first = await read();
  answer = (response) => response.end(bodyOf(['other', 'two', 'x'.repeat(3_000_000)]));
  await read();
  answer = (response) => response.end(bodyOf(['third']));
  await read();
  expect(first.records.map(({ data }) => Buffer.from(data).toString())).toEqual(['first', 'one']);
});

test('responses at the same time do not mix; without a length, in small pieces too', async () => {
  const large = Array.from({ length: 2_000 }, (_, index) => `${index} `.repeat(100 + (index % 7)));
  let count = 0;
  answer = (response) => {
    const body = Buffer.from(bodyOf(count++ % 2 === 0 ? large : ['small']));
    for (let at = 0; at < body.length; at += 65_537) response.write(body.subarray(at, at + 65_537));
    response.end();
  };
  const results = await Promise.all([payloadsOf(), payloadsOf(), payloadsOf(), payloadsOf()]);
  expect(results.map((payloads) => payloads.length).sort((a, b) => a - b)).toEqual([1, 1, 2_000, 2_000]);
  for (const payloads of results) expect(payloads).toEqual(payloads.length === 1 ? ['small'] : large);
});

test('a response that cannot be scanned is read by the client', async () => {
  answer = (response) => response.end(JSON.stringify(JSON.parse(bodyOf(['a'])), undefined, 2));
  expect(await payloadsOf()).toEqual(['a']);
});

test('errors are the client’s, and so are its attempts', async () => {
  answer = (response) => {
    response.statusCode = 400;
    response.end(JSON.stringify({ __type: 'ExpiredIteratorException', message: 'expired' }));
  };
  await expect(read()).rejects.toMatchObject({ name: 'ExpiredIteratorException', message: 'expired' });
  expect(requests).toHaveLength(1);
  answer = (response) => {
    response.statusCode = requests.length === 2 ? 500 : 200;
    response.end(requests.length === 2 ? '{"__type":"InternalFailure"}' : bodyOf(['a']));
  };
  expect(await payloadsOf()).toEqual(['a']);
  expect(requests).toHaveLength(3);
});

test('a response that breaks off is tried again, not taken for complete', async () => {
  answer = (response, request) => {
    const body = bodyOf(['a']);
    if (requests.length > 1) return response.end(body);
    response.setHeader('content-length', body.length);
    response.write(body.slice(0, 40), () => request.socket.destroy());
  };
  expect(await payloadsOf()).toEqual(['a']);
  expect(requests).toHaveLength(2);
});

test('the signal ends a read that gets no answer', async () => {
  const abort = new AbortController();
  answer = () => abort.abort();
  await expect(read(abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
});

describe('over TLS', () => {
  let tls: Server;
  let directory: string;
  const versions: string[] = [];

  beforeAll(async () => {
    const { publicKey, privateKey } = generateKeys();
    const subject = 'localhost';
    const [notBefore, notAfter] = [Date.now() - 3_600_000, Date.now() + 3_600_000];
    const issuer = { subject: 'authority', privateKey };
    const alternativeNames = ['127.0.0.1'];
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const cert = issueCertificate(
      { subject, publicKey, notBefore, notAfter, usage: 'server', alternativeNames },
      issuer,
    );
    const authority = { subject: issuer.subject, publicKey, notBefore, notAfter, usage: 'authority' } as const;
    directory = mkdtempSync(path.join(tmpdir(), 'kcl-tls-'));
    writeFileSync(path.join(directory, 'authority.pem'), issueCertificate(authority, issuer));
    tls = createTlsServer({ key, cert }, (request, response) => {
      versions.push(request.httpVersion);
      request.resume().on('end', () => response.end(bodyOf(['secret'])));
    });
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    tls.closeAllConnections();
    tls.close();
    rmSync(directory, { recursive: true });
  });

  /** In a process of its own: Node reads the authorities at its start. It ends by itself, idle connections or not. */
  async function readInProcess(environment: Record<string, string>): Promise<string> {
    const program = `
      const { KinesisClient } = require('@aws-sdk/client-kinesis');
      const { kinesisFromSdk } = require('./consumer/kcl/adapters/kinesis-sdk');
      const endpoint = 'https://127.0.0.1:${(tls.address() as AddressInfo).port}';
      const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' };
      const client = new KinesisClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
      kinesisFromSdk(client).getRecords({ shardIterator: 'i', limit: 1 }).then(
        ({ records }) => console.log(records.map(({ data }) => Buffer.from(data).toString()).join()),
        (error) => console.log(error.code),
      );`;
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', program], {
      cwd: path.resolve(__dirname, '../../../..'),
      env: { PATH: process.env['PATH'], ...environment },
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    await new Promise((resolve) => child.on('close', resolve));
    return output.trim();
  }

  test('a server is believed whose authority is known to the process; HTTP/1.1 is spoken', async () => {
    const trusting = { NODE_EXTRA_CA_CERTS: path.join(directory, 'authority.pem') };
    expect(await Promise.all([readInProcess(trusting), readInProcess({})])).toEqual([
      'secret',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]);
    expect(versions).toEqual(['1.1']);
  }, 20_000);
});
