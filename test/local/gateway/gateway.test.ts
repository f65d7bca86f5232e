import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID, readCredentialScope } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { RequestLog } from '../../../local/gateway/request-log';
import { AwsError } from '../../../local/gateway/service';
import type { AwsService, Caller, HttpResponse, JsonService, RestService } from '../../../local/gateway/service';

const root = { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'any' };

/** Answers with what it was called with, so that a test sees what came over the wire. */
class Echo implements JsonService {
  readonly calls: { operation: string; input: Record<string, unknown>; caller: Caller }[] = [];
  constructor(
    readonly name: string,
    readonly protocol: 'json-1.0' | 'json-1.1',
    private readonly answer: (operation: string, input: Record<string, unknown>) => unknown,
  ) {}
  async call(operation: string, input: Record<string, unknown>, caller: Caller): Promise<unknown> {
    this.calls.push({ operation, input, caller });
    return this.answer(operation, input);
  }
}

const objects = new Map<string, Buffer>();
const toyS3: RestService = {
  name: 's3',
  protocol: 'rest',
  async handle(request): Promise<HttpResponse> {
    if (request.method === 'PUT') {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request.body) chunks.push(chunk);
      objects.set(request.path, Buffer.concat(chunks));
      return { status: 200, headers: { etag: '"x"' } };
    }
    const object = objects.get(request.path);
    if (object === undefined) throw new AwsError('NoSuchKey', 'no such key', 404);
    const half = object.length >> 1;
    return {
      status: 200,
      headers: { 'content-length': String(object.length) },
      body: (async function* () {
        yield object.subarray(0, half);
        yield object.subarray(half);
      })(),
    };
  },
  renderError: (error, requestId) => ({
    status: error.status,
    headers: { 'content-type': 'application/xml' },
    body: `<Error><Code>${error.code}</Code><Message>${error.message}</Message><RequestId>${requestId}</RequestId></Error>`,
  }),
};

describe('Gateway', () => {
  let gateway: Gateway;
  let credentials: CredentialRegistry;
  const clients: { destroy(): void }[] = [];

  async function start(...services: AwsService[]): Promise<void> {
    gateway = await Gateway.listen({ port: 0, credentials });
    for (const service of services) gateway.add(service);
  }

  function client<Client extends { destroy(): void }>(
    type: new (configuration: object) => Client,
    configuration: object = {},
  ): Client {
    const made = new type({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      credentials: root,
      maxAttempts: 1,
      ...configuration,
    });
    clients.push(made);
    return made;
  }

  beforeEach(() => {
    credentials = new CredentialRegistry('000000000000');
  });
  afterEach(async () => {
    for (const one of clients.splice(0)) one.destroy();
    await gateway.close();
  });

  test('serves the Kinesis client, which speaks HTTP/2, and the DynamoDB client, which speaks HTTP/1.1, on one port', async () => {
    const kinesis = new Echo('kinesis', 'json-1.1', () => ({
      Records: [{ SequenceNumber: '1', PartitionKey: 'p', Data: Buffer.from('payload').toString('base64') }],
      MillisBehindLatest: 0,
    }));
    const dynamodb = new Echo('dynamodb', 'json-1.0', () => ({ Item: { pk: { S: 'a' } } }));
    await start(kinesis, dynamodb);

    const { Records } = await client(KinesisClient).send(new GetRecordsCommand({ ShardIterator: 'it' }));
    expect(Buffer.from(Records![0]!.Data!).toString()).toBe('payload');
    const { Item } = await client(DynamoDBClient).send(new GetItemCommand({ TableName: 't', Key: { pk: { S: 'a' } } }));
    expect(Item).toEqual({ pk: { S: 'a' } });

    expect(kinesis.calls).toEqual([
      { operation: 'GetRecords', input: { ShardIterator: 'it' }, caller: credentials.root },
    ]);
    expect(dynamodb.calls[0]!.input).toEqual({ TableName: 't', Key: { pk: { S: 'a' } } });
  });

  test('carries bodies of several megabytes both ways over HTTP/2', async () => {
    const data = Buffer.alloc(3_000_000, 7);
    const kinesis = new Echo('kinesis', 'json-1.1', (_operation, input) => ({
      Records: [{ SequenceNumber: '1', PartitionKey: 'p', Data: input['ShardIterator'] }],
    }));
    await start(kinesis);
    const { Records } = await client(KinesisClient).send(
      new GetRecordsCommand({ ShardIterator: data.toString('base64') }),
    );
    expect(data.equals(Records![0]!.Data!)).toBe(true);
  });

  test('streams REST bodies and waits for 100-continue as the SDK does for large ones', async () => {
    await start(toyS3);
    const s3 = client(S3Client);
    const body = Buffer.alloc(4_000_000, 'x');
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a key', Body: body }));
    expect([...objects.keys()]).toContain('/bucket/a%20key');
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'a key' }));
    expect(body.equals(Buffer.from(await Body!.transformToByteArray()))).toBe(true);
  });

  test('writes errors in the protocol of the service, with members of their shape', async () => {
    const dynamodb = new Echo('dynamodb', 'json-1.0', () => {
      throw new AwsError('ConditionalCheckFailedException', 'The conditional request failed', 400, {
        Item: { pk: { S: 'old' } },
      });
    });
    await start(dynamodb, toyS3);
    await expect(client(DynamoDBClient).send(new GetItemCommand({ TableName: 't', Key: {} }))).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
      message: 'The conditional request failed',
      Item: { pk: { S: 'old' } },
      $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    await expect(client(S3Client).send(new GetObjectCommand({ Bucket: 'b', Key: 'missing' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
  });

  test('tells a defect of a service from an answer of it', async () => {
    const defects: string[] = [];
    gateway = await Gateway.listen({ port: 0, credentials, onDefect: (message) => defects.push(message) });
    gateway.add(
      new Echo('dynamodb', 'json-1.0', () => {
        throw new TypeError('x is undefined');
      }),
    );
    await expect(client(DynamoDBClient).send(new GetItemCommand({ TableName: 't', Key: {} }))).rejects.toMatchObject({
      name: 'InternalFailure',
      $metadata: { httpStatusCode: 500 },
    });
    expect(defects[0]).toMatch(/^dynamodb GetItem: TypeError: x is undefined/);
  });

  test('names the caller by its access key, and refuses one that was not issued', async () => {
    const kinesis = new Echo('kinesis', 'json-1.1', () => ({}));
    await start(kinesis);
    const role = 'arn:aws:iam::000000000000:role/task';
    await client(KinesisClient, { credentials: credentials.issue(role) }).send(
      new GetRecordsCommand({ ShardIterator: 'it' }),
    );
    expect(kinesis.calls[0]!.caller.principalArn).toBe(role);
    await expect(
      client(KinesisClient, { credentials: { accessKeyId: 'AKIAFOREIGN', secretAccessKey: 's' } }).send(
        new GetRecordsCommand({ ShardIterator: 'it' }),
      ),
    ).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
    expect(gateway.log.entries().map(({ caller, status, error }) => ({ caller, status, error }))).toEqual([
      { caller: role, status: 200, error: undefined },
      { caller: 'unknown', status: 403, error: 'UnrecognizedClientException' },
    ]);
  });

  test('answers unsigned requests and unknown services with what to do', async () => {
    await start();
    const unsigned = await fetch(gateway.endpoint, { method: 'POST', body: '{}' });
    expect(unsigned.status).toBe(403);
    expect(unsigned.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
    const foreign = await fetch(gateway.endpoint, {
      method: 'POST',
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/20260101/us-east-1/rds/aws4_request, SignedHeaders=host, Signature=0`,
      },
    });
    expect(await foreign.json()).toMatchObject({ __type: 'UnknownService', message: expect.stringContaining('"rds"') });
  });

  test('refuses bodies that are no JSON object', async () => {
    const kinesis = new Echo('kinesis', 'json-1.1', () => ({}));
    await start(kinesis);
    const post = (body: string, target = 'Kinesis_20131202.GetRecords') =>
      fetch(gateway.endpoint, {
        method: 'POST',
        body,
        headers: {
          'x-amz-target': target,
          authorization: `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/20260101/us-east-1/kinesis/aws4_request`,
        },
      }).then((response) => response.json());
    expect(await post('{')).toMatchObject({ __type: 'SerializationException' });
    expect(await post('[]')).toMatchObject({ __type: 'SerializationException' });
    expect(await post('{}', '')).toMatchObject({ __type: 'UnknownOperationException' });
    expect(kinesis.calls).toEqual([]);
  });

  test('injects faults and delays before the service, for requests and for calls within the process', async () => {
    const kinesis = new Echo('kinesis', 'json-1.1', () => ({}));
    await start(kinesis);
    gateway.fault = (service, operation) =>
      service === 'kinesis' && operation === 'GetRecords'
        ? new AwsError('ProvisionedThroughputExceededException', 'slow down')
        : { delayMs: 1 };
    await expect(client(KinesisClient).send(new GetRecordsCommand({ ShardIterator: 'it' }))).rejects.toMatchObject({
      name: 'ProvisionedThroughputExceededException',
    });
    await expect(gateway.invoke('kinesis', 'GetRecords', {}, credentials.root)).rejects.toThrow('slow down');
    await expect(gateway.invoke('kinesis', 'PutRecord', {}, credentials.root)).resolves.toEqual({});
    expect(kinesis.calls.map(({ operation }) => operation)).toEqual(['PutRecord']);
    expect(gateway.log.entries().map(({ operation, status }) => `${operation} ${status}`)).toEqual([
      'GetRecords 400',
      'GetRecords 400',
      'PutRecord 200',
    ]);
  });

  test('serves mounted pages unsigned, over both protocols', async () => {
    await start();
    gateway.mount('/v4/', (path) => (path === 'known' ? { TaskARN: 'arn' } : undefined));
    expect(await (await fetch(`${gateway.endpoint}/v4/known`)).json()).toEqual({ TaskARN: 'arn' });
    expect((await fetch(`${gateway.endpoint}/v4/other`)).status).toBe(404);

    const session = connect(gateway.endpoint);
    const stream = session.request({ ':path': '/v4/known' });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    expect(JSON.parse(text)).toEqual({ TaskARN: 'arn' });
    session.close();
  });

  test('recognizes the protocol from bytes that trickle in, and survives a client that leaves', async () => {
    await start();
    gateway.mount('/v4/', () => ({ ok: true }));
    const socket = createConnection(gateway.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const received = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
    for (const part of ['G', 'ET /v4/a HT', 'TP/1.1\r\nhost: a\r\n\r\n']) {
      socket.write(part);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await received).toMatch(/^HTTP\/1\.1 200/);
    socket.destroy();
    const aborted = createConnection(gateway.port, '127.0.0.1', () => aborted.end('PRI'));
    await new Promise((resolve) => aborted.once('close', resolve).resume());
    expect((await fetch(`${gateway.endpoint}/v4/b`)).status).toBe(200);
  });

  test('a busy port is an error with its code', async () => {
    await start();
    await expect(Gateway.listen({ port: gateway.port, credentials })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('readCredentialScope', () => {
  test.each([
    [
      'AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0',
      '',
      { accessKeyId: 'K', region: 'us-east-1', service: 's3' },
    ],
    [
      undefined,
      'X-Amz-Credential=K%2F20260101%2Feu-west-1%2Fsqs%2Faws4_request',
      { accessKeyId: 'K', region: 'eu-west-1', service: 'sqs' },
    ],
    ['Bearer token', '', undefined],
    ['AWS4-HMAC-SHA256 Credential=K/today/us-east-1/s3/aws4_request', '', undefined],
    [undefined, '', undefined],
  ])('%s %s', (authorization, query, expected) => {
    expect(readCredentialScope(authorization, new URLSearchParams(query))).toEqual(expected);
  });
});

describe('CredentialRegistry', () => {
  test('gives each role one key of its own, the same in every run', () => {
    const one = new CredentialRegistry('000000000000');
    const other = new CredentialRegistry('000000000000');
    expect(one.issue('arn:a')).toEqual(other.issue('arn:a'));
    expect(one.issue('arn:a').accessKeyId).not.toBe(one.issue('arn:b').accessKeyId);
    expect(one.issue('arn:a').accessKeyId).toMatch(/^LOCAL[0-9A-F]{16}$/);
    expect(one.resolve(ROOT_ACCESS_KEY_ID)?.principalArn).toBe('arn:aws:iam::000000000000:root');
    expect(one.resolve('unknown')).toBeUndefined();
  });
});

describe('RequestLog', () => {
  const entry = (operation: string) => ({ time: '', service: 's', operation, caller: 'c', status: 200, ms: 1 });

  test('keeps the newest entries, oldest first, and counts all', () => {
    const log = new RequestLog({ capacity: 3 });
    for (const operation of ['a', 'b', 'c', 'd']) log.add(entry(operation));
    expect(log.entries().map(({ operation }) => operation)).toEqual(['b', 'c', 'd']);
    expect(log.totals()).toEqual({ s: 4 });
  });

  test('writes a line an entry, and puts a full file aside', () => {
    const directory = mkdtempSync(join(tmpdir(), 'request-log-'));
    const file = join(directory, 'logs', 'requests.ndjson');
    for (const operation of ['a', 'b']) {
      const log = new RequestLog({ file, fileLimit: 10 });
      log.add(entry(operation));
      log.close();
    }
    expect(JSON.parse(readFileSync(`${file}.1`, 'utf8'))).toMatchObject({ operation: 'a' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ operation: 'b' });
    rmSync(directory, { recursive: true });
  });
});
