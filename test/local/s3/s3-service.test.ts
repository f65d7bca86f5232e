import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { AwsError, systemClock } from '../../../local/gateway/service';
import { S3Service } from '../../../local/services/s3';
import type { S3Event } from '../../../local/services/s3';
import { serve } from './serve';
import type { TestServer } from './serve';

const Bucket = 'lake';
let directory: string;
let service: S3Service;
let server: TestServer;
let client: S3Client;
let events: S3Event[];
let fault: ((operation: string, bucket: string, key: string) => AwsError | undefined) | undefined;

function connect(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'LOCALROOT0000000000', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
}

async function start(): Promise<void> {
  service = new S3Service({
    directory,
    clock: systemClock,
    emit: (event) => void events.push(event),
    fault: (...call) => fault?.(...call),
  });
  server = await serve(service);
  client = connect(server.endpoint);
}

async function stop(): Promise<void> {
  client.destroy();
  await server.close();
  service.close();
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 's3-'));
  events = [];
  fault = undefined;
  await start();
  await client.send(new CreateBucketCommand({ Bucket }));
});

afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

const bytesOf = async (output: GetObjectCommandOutput): Promise<Buffer> =>
  Buffer.from(await output.Body!.transformToByteArray());
const put = (Key: string, Body: string | Uint8Array, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = async (Key: string, more: object = {}): Promise<Buffer> =>
  bytesOf(await client.send(new GetObjectCommand({ Bucket, Key, ...more })));

describe('objects', () => {
  test('a Buffer comes back byte for byte, validated by its CRC32, and is a plain file', async () => {
    const body = randomBytes(200_000);
    const written = await put('readings/dt=2025-06-01/hour=03/a.parquet', body, {
      ContentType: 'application/x-parquet',
      Metadata: { hash: 'abc' },
    });
    expect(written.ChecksumCRC32).toBeDefined();
    expect(written.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const read = await client.send(new GetObjectCommand({ Bucket, Key: 'readings/dt=2025-06-01/hour=03/a.parquet' }));
    expect(read.ChecksumCRC32).toBe(written.ChecksumCRC32);
    expect(read.ContentType).toBe('application/x-parquet');
    expect(read.Metadata).toEqual({ hash: 'abc' });
    expect((await bytesOf(read)).equals(body)).toBe(true);
    expect(readFileSync(join(directory, 'lake/readings/dt=2025-06-01/hour=03/a.parquet')).equals(body)).toBe(true);
  });

  test.each([0, 200_000, 3_500_000])(
    'a stream of %d bytes, sent aws-chunked with a trailer, comes back byte for byte',
    async (size) => {
      const body = randomBytes(size);
      const pieces = Array.from({ length: Math.ceil(size / 70_000) }, (_, index) =>
        body.subarray(index * 70_000, (index + 1) * 70_000),
      );
      await client.send(
        new PutObjectCommand({
          Bucket,
          Key: 'stream',
          Body: Readable.from(pieces, { objectMode: false }),
          ContentLength: size,
        }),
      );
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'stream' }));
      expect(head.ContentLength).toBe(size);
      expect(head.ContentEncoding).toBeUndefined();
      expect((await get('stream')).equals(body)).toBe(true);
      expect(readFileSync(join(directory, 'lake/stream')).equals(body)).toBe(true);
    },
  );

  test('a Buffer of 4 MB, sent with Expect: 100-continue, comes back byte for byte', async () => {
    const body = randomBytes(4_000_000);
    await put('big', body);
    expect((await get('big')).equals(body)).toBe(true);
  });

  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as ChecksumAlgorithm[])(
    '%s is verified, stored and returned',
    async (algorithm) => {
      const body = randomBytes(1_000);
      const written = await put('sum', body, { ChecksumAlgorithm: algorithm });
      const name = `Checksum${algorithm}` as const;
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' }));
      expect(head[name as 'ChecksumCRC32']).toBe(written[name as 'ChecksumCRC32']);
      expect(written[name as 'ChecksumCRC32']).toBeDefined();
      expect((await get('sum')).equals(body)).toBe(true);
    },
  );

  test.each([
    ['CRC32', 'y/Q5Jg=='],
    ['CRC32C', '4waSgw=='],
    ['CRC64NVME', 'rosUhgp5mIg='],
  ])('%s of the check string "123456789" is the published value', async (algorithm, value) => {
    await put('check', '123456789', { [`Checksum${algorithm}`]: value });
    expect((await get('check')).toString()).toBe('123456789');
  });

  test.each([
    { ChecksumCRC32: 'AAAAAA==' },
    { ChecksumCRC64NVME: 'AAAAAAAAAAA=' },
    { ContentMD5: createHash('md5').update('other').digest('base64') },
  ])('a wrong %j is BadDigest, and nothing is stored', async (checksum) => {
    await expect(put('bad', 'content', checksum)).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(get('bad')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect(readdirSync(join(directory, '.meta/lake/staging'))).toEqual([]);
  });

  test('odd keys keep apart, stay inside the bucket and survive a restart', async () => {
    const keys = [
      '../../etc/passwd',
      '..',
      '.',
      'a//b',
      '/lead',
      'trail/',
      'sp ace',
      'ünï/κλειδί/日本',
      'a%2Fb',
      'plus+and&<xml>"',
      'tab\there',
      'back\\slash',
      'emoji-😀',
      'q?x=1#frag',
      `long/${'x'.repeat(400)}/end`,
      'C:colon',
      '\uffee',
      'new\nline',
    ];
    for (const [index, key] of keys.entries()) await put(key, `content ${index}`);
    await stop();
    await start();
    for (const [index, key] of keys.entries()) {
      expect((await get(key)).toString()).toBe(`content ${index}`);
      expect(realpathSync(service.objects.path(Bucket, key)!).startsWith(realpathSync(directory))).toBe(true);
    }
    const listed = await client.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url' }));
    const listedKeys = listed.Contents!.map(({ Key }) => decodeURIComponent(Key!));
    expect(listedKeys).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(existsSync(join(directory, '..', 'etc'))).toBe(false);
  });

  test('a key may be another key’s folder: both are there, also after a restart', async () => {
    await put('a', 'file');
    await put('a/b', 'below');
    await put('c/d', 'below');
    await put('c', 'file');
    await stop();
    await start();
    for (const [key, content] of [
      ['a', 'file'],
      ['a/b', 'below'],
      ['c/d', 'below'],
      ['c', 'file'],
    ] as const) {
      expect((await get(key)).toString()).toBe(content);
    }
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
    await put('a/b', 'again');
    expect((await get('a/b')).toString()).toBe('again');
    await expect(get('a')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('ranges: inside, open, suffix, past the end, unsatisfiable', async () => {
    await put('ranged', '0123456789');
    const range = async (Range: string): Promise<string> => (await get('ranged', { Range })).toString();
    expect(await range('bytes=2-4')).toBe('234');
    expect(await range('bytes=7-')).toBe('789');
    expect(await range('bytes=-3')).toBe('789');
    expect(await range('bytes=8-100')).toBe('89');
    expect(await range('bytes=-100')).toBe('0123456789');
    const response = await client.send(new GetObjectCommand({ Bucket, Key: 'ranged', Range: 'bytes=2-4' }));
    expect(response.ContentRange).toBe('bytes 2-4/10');
    await expect(range('bytes=10-12')).rejects.toMatchObject({
      name: 'InvalidRange',
      $metadata: { httpStatusCode: 416 },
    });
  });

  test('conditional reads', async () => {
    const { ETag } = await put('seen', 'x');
    await expect(get('seen', { IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await expect(get('seen', { IfMatch: '"other"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(get('seen', { IfModifiedSince: new Date(Date.now() + 60_000) })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 304 },
    });
    expect((await get('seen', { IfMatch: ETag, IfNoneMatch: '"other"' })).toString()).toBe('x');
  });

  test('delete, delete many, copy with and without new metadata, attributes', async () => {
    await put('from', 'content', { Metadata: { kind: 'old' }, ContentType: 'text/plain' });
    await client.send(new CopyObjectCommand({ Bucket, Key: 'copy & paste', CopySource: `${Bucket}/from` }));
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'copy & paste' }))).Metadata).toEqual({
      kind: 'old',
    });
    await client.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'from',
        CopySource: `${Bucket}/from`,
        MetadataDirective: 'REPLACE',
        Metadata: { kind: 'new' },
      }),
    );
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'from' }))).Metadata).toEqual({ kind: 'new' });
    const attributes = await client.send(
      new GetObjectAttributesCommand({ Bucket, Key: 'from', ObjectAttributes: ['ObjectSize', 'ETag', 'Checksum'] }),
    );
    expect(attributes).toMatchObject({ ObjectSize: 7, Checksum: { ChecksumType: 'FULL_OBJECT' } });
    const result = await client.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: [{ Key: 'from' }, { Key: 'copy & paste' }, { Key: ' never\r<there>' }] },
      }),
    );
    expect(result.Deleted!.map(({ Key }) => Key)).toEqual(['from', 'copy & paste', ' never\r<there>']);
    expect((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'from' }));
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'from' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  test('a file that somebody removed by hand is NoSuchKey, not an internal error', async () => {
    await put('gone', 'x');
    rmSync(join(directory, 'lake/gone'));
    await expect(get('gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('what the service does not have is refused by name', async () => {
    const { GetObjectTaggingCommand } = await import('@aws-sdk/client-s3');
    await put('k', 'x');
    await expect(client.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))).rejects.toMatchObject({
      name: 'NotImplemented',
    });
  });
});

describe('conditional writes', () => {
  test('32 writers with If-None-Match: * have exactly one winner, whose bytes stay', async () => {
    const bodies = Array.from({ length: 32 }, (_, index) => Buffer.alloc(20_000, index));
    const results = await Promise.allSettled(bodies.map((body) => put('race', body, { IfNoneMatch: '*' })));
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
    }
    expect((await get('race')).equals(bodies[winners[0]!]!)).toBe(true);
  });

  test('32 writers with If-Match of the same ETag have exactly one winner', async () => {
    const { ETag } = await put('cas', 'start');
    const results = await Promise.allSettled(
      Array.from({ length: 32 }, (_, index) => put('cas', `next ${index}`, { IfMatch: ETag })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(put('absent', 'x', { IfMatch: ETag })).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('after a delete the key can be created again', async () => {
    await put('k', 'x', { IfNoneMatch: '*' });
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await put('k', 'y', { IfNoneMatch: '*' });
    expect((await get('k')).toString()).toBe('y');
  });

  test('409 ConditionalRequestConflict can be injected', async () => {
    fault = (operation, bucket, key) =>
      operation === 'PutObject' && bucket === Bucket && key === 'k'
        ? new AwsError('ConditionalRequestConflict', 'A conflicting operation is under way', 409)
        : undefined;
    await expect(put('k', 'x', { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'ConditionalRequestConflict',
      $metadata: { httpStatusCode: 409 },
    });
    fault = undefined;
    await put('k', 'x', { IfNoneMatch: '*' });
  });

  test('a bucket policy makes a prefix create-only, multipart uploads included', async () => {
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Action: 's3:PutObject',
          Resource: `arn:aws:s3:::${Bucket}/features/*`,
          Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
        },
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Resource: `arn:aws:s3:::${Bucket}/*`,
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ],
    });
    await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    expect(JSON.parse((await client.send(new GetBucketPolicyCommand({ Bucket }))).Policy!)).toEqual(JSON.parse(Policy));
    await stop();
    await start();
    await expect(put('features/a', 'x')).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    });
    await put('features/a', 'x', { IfNoneMatch: '*' });
    await put('other/a', 'x');
    await expect(
      client.send(new CopyObjectCommand({ Bucket, Key: 'features/b', CopySource: `${Bucket}/other/a` })),
    ).rejects.toMatchObject({ name: 'AccessDenied' });
    const Key = 'features/m';
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' }));
    const complete = { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
    await expect(client.send(new CompleteMultipartUploadCommand(complete))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    await client.send(new CompleteMultipartUploadCommand({ ...complete, IfNoneMatch: '*' }));
    expect((await get(Key)).toString()).toBe('part');
  });
});

describe('listing', () => {
  test('prefix, delimiter, start-after and paging', async () => {
    const keys = ['a/1', 'a/2', 'b/1', 'b/2', 'c', 'd/x/1', 'd/y/1'];
    for (const key of keys) await put(key, key);
    const list = (more: object) => client.send(new ListObjectsV2Command({ Bucket, ...more }));
    const top = await list({ Delimiter: '/' });
    expect(top.CommonPrefixes!.map(({ Prefix }) => Prefix)).toEqual(['a/', 'b/', 'd/']);
    expect(top.Contents!.map(({ Key }) => Key)).toEqual(['c']);
    expect((await list({ Prefix: 'd/', Delimiter: '/' })).CommonPrefixes!.map(({ Prefix }) => Prefix)).toEqual([
      'd/x/',
      'd/y/',
    ]);
    expect((await list({ StartAfter: 'a/2' })).Contents!.map(({ Key }) => Key)).toEqual(keys.slice(2));
    const pages: unknown[] = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Delimiter: '/' })) {
      expect(page.KeyCount).toBeLessThanOrEqual(2);
      pages.push(
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
        ...(page.Contents ?? []).map(({ Key }) => Key),
      );
    }
    expect(pages.sort()).toEqual(['a/', 'b/', 'c', 'd/']);
    const first = await client.send(new ListObjectsCommand({ Bucket, MaxKeys: 3 }));
    expect(first.IsTruncated).toBe(true);
    const rest = await client.send(new ListObjectsCommand({ Bucket, Marker: first.Contents!.at(-1)!.Key }));
    expect([...first.Contents!, ...rest.Contents!].map(({ Key }) => Key)).toEqual(keys);
    await expect(list({ ContinuationToken: 'nonsense' })).rejects.toMatchObject({ name: 'InvalidArgument' });
  });

  test('7,000 keys under a prefix are paged in order, each once', async () => {
    const keys = Array.from(
      { length: 7_000 },
      (_, index) => `readings/${String((index * 7919) % 7_000).padStart(5, '0')}`,
    );
    await Promise.all(keys.map((key) => service.objects.put(Bucket, key, Buffer.from(key))));
    await put('zebra', 'x');
    const listed: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix: 'readings/' }))
      listed.push(...page.Contents!.map(({ Key }) => Key!));
    expect(listed).toEqual([...keys].sort());
    expect((await service.objects.list(Bucket, 'readings/0001')).map(({ key }) => key)).toEqual(
      listed.filter((key) => key.startsWith('readings/0001')),
    );
  });
});

describe('multipart uploads', () => {
  const part = 5 * 1024 * 1024;

  test('parts are joined in order, with S3’s ETag, and outlive a restart', async () => {
    const body = randomBytes(part + 1_000);
    const Key = 'joined';
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'CRC32', ContentType: 'text/x' }),
    );
    const second = await client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: 2,
        Body: body.subarray(part),
        ChecksumAlgorithm: 'CRC32',
      }),
    );
    await stop();
    await start();
    const first = await client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: 1,
        Body: body.subarray(0, part),
        ChecksumAlgorithm: 'CRC32',
      }),
    );
    const parts = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    expect(parts.Parts!.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, part],
      [2, 1_000],
    ]);
    const done = await client.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: {
          Parts: [
            { PartNumber: 1, ETag: first.ETag, ChecksumCRC32: first.ChecksumCRC32 },
            { PartNumber: 2, ETag: second.ETag, ChecksumCRC32: second.ChecksumCRC32 },
          ],
        },
      }),
    );
    const md5 = createHash('md5');
    for (const slice of [body.subarray(0, part), body.subarray(part)])
      md5.update(createHash('md5').update(slice).digest());
    expect(done.ETag).toBe(`"${md5.digest('hex')}-2"`);
    expect(done.ChecksumCRC32).toMatch(/-2$/);
    const read = await client.send(new GetObjectCommand({ Bucket, Key }));
    expect(read.ContentType).toBe('text/x');
    expect((await bytesOf(read)).equals(body)).toBe(true);
    await expect(client.send(new ListPartsCommand({ Bucket, Key, UploadId }))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    });
  });

  test('If-None-Match on completion, small and missing parts, abort', async () => {
    const Key = 'k';
    await put(Key, 'first');
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const small = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'small' }));
    await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 2, Body: 'last' }));
    const complete = (Parts: { PartNumber: number; ETag?: string }[], more: object = {}) =>
      client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }));
    await expect(complete([{ PartNumber: 1 }, { PartNumber: 2 }])).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await expect(complete([{ PartNumber: 2 }, { PartNumber: 1 }])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete([{ PartNumber: 3 }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([{ PartNumber: 1, ETag: small.ETag }], { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    expect((await get(Key)).toString()).toBe('first');
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    await expect(complete([{ PartNumber: 1 }])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });
});

describe('buckets', () => {
  test('create, head, list, location, delete', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'another' }));
    expect((await client.send(new ListBucketsCommand({}))).Buckets!.map(({ Name }) => Name)).toEqual([
      'another',
      'lake',
    ]);
    await client.send(new HeadBucketCommand({ Bucket }));
    expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeFalsy();
    await put('k', 'x');
    await expect(client.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'BucketNotEmpty' });
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await client.send(new DeleteBucketCommand({ Bucket }));
    await expect(client.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(put('k', 'x')).rejects.toMatchObject({ name: 'NoSuchBucket' });
    await expect(client.send(new CreateBucketCommand({ Bucket: 'Not_Valid' }))).rejects.toMatchObject({
      name: 'InvalidBucketName',
    });
  });

  test('settings are stored and returned, also after a restart; a bucket created anew has none', async () => {
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    await stop();
    await start();
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
    await client.send(new DeleteBucketCommand({ Bucket }));
    await client.send(new CreateBucketCommand({ Bucket }));
    await stop();
    await start();
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined();
    await expect(client.send(new GetBucketPolicyCommand({ Bucket }))).rejects.toMatchObject({
      name: 'NoSuchBucketPolicy',
    });
  });

  test('virtual-host style names the bucket in the host', async () => {
    await put('folder/k', 'x');
    const request = (host: string, path: string) =>
      service.handle(
        { method: 'GET', path, query: new URLSearchParams(), headers: { host }, body: Readable.from([]) },
        { accessKeyId: 'x', principalArn: 'x' },
      );
    for (const host of ['lake.s3.us-east-1.amazonaws.com', 'lake.localhost:9000', 'lake.s3.localhost:80']) {
      expect(String((await request(host, '/folder/k')).body)).toBe('x');
    }
    expect(String((await request('127.0.0.1:9000', '/lake/folder/k')).body)).toBe('x');
  });
});

describe('events', () => {
  const enable = () =>
    client.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { EventBridgeConfiguration: {} },
      }),
    );

  test('"Object Created" and "Object Deleted" in EventBridge’s shape, once EventBridge is on', async () => {
    await put('before', 'x');
    await enable();
    expect(
      (await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).EventBridgeConfiguration,
    ).toEqual({});
    await put('features/_manifest.json', '{}');
    await put('features/_manifest.json', '{ }');
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'before' }));
    expect(events.map((event) => [event['detail-type'], (event.detail['object'] as { key: string }).key])).toEqual([
      ['Object Created', 'features/_manifest.json'],
      ['Object Created', 'features/_manifest.json'],
      ['Object Deleted', 'before'],
    ]);
    expect(events[0]).toMatchObject({
      source: 'aws.s3',
      resources: ['arn:aws:s3:::lake'],
      detail: {
        version: '0',
        bucket: { name: 'lake' },
        object: { size: 2, etag: createHash('md5').update('{}').digest('hex') },
        reason: 'PutObject',
      },
    });
    const sequencers = events.map((event) => (event.detail['object'] as { sequencer: string }).sequencer);
    expect([...sequencers].sort()).toEqual(sequencers);
  });

  test('an event that was not taken before the process ended is delivered by the next one', async () => {
    await enable();
    await stop();
    service = new S3Service({
      directory,
      clock: { ...systemClock, after: () => () => undefined },
      emit: () => Promise.reject(new Error('EventBridge is away')),
    });
    server = await serve(service);
    client = connect(server.endpoint);
    await put('k', 'x');
    await put('k', 'y');
    await stop();
    await start();
    expect(events).toEqual([]);
    expect(service.redeliverEvents()).toBe(2);
    expect(events.map((event) => (event.detail['object'] as { key: string }).key)).toEqual(['k', 'k']);
    await new Promise((resolve) => setImmediate(resolve));
    await stop();
    await start();
    expect(service.redeliverEvents()).toBe(0);
  });
});

describe('durability', () => {
  test('objects, metadata and sequencers are there after a restart; overwritten bytes belong to their ETag', async () => {
    await put('k', 'old', { Metadata: { a: '1' } });
    await put('k', 'new', { Metadata: { a: '2' } });
    await put('deleted', 'x');
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted' }));
    const before = await client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
    await stop();
    await start();
    const after = await client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
    expect({ ...after, $metadata: undefined }).toEqual({ ...before, $metadata: undefined });
    expect((await get('k')).toString()).toBe('new');
    await expect(get('deleted')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('a process that died after journalling a put has put it; one that died before has not', async () => {
    await put('k', 'old');
    await stop();
    const meta = join(directory, '.meta/lake');
    const lines = readFileSync(join(meta, 'journal.jsonl'), 'utf8').trim().split('\n');
    const entry = JSON.parse(lines[0]!) as { object: { key: string; etag: string; size: number }; staged: string };
    const next = {
      ...entry,
      staged: 'journalled',
      object: { ...entry.object, size: 6, etag: createHash('md5').update('newest').digest('hex'), checksum: undefined },
    };
    writeFileSync(join(meta, 'staging/journalled'), 'newest');
    writeFileSync(join(meta, 'staging/never-journalled'), 'lost');
    writeFileSync(
      join(meta, 'journal.jsonl'),
      `${lines.join('\n')}\n${JSON.stringify(next)}\n{"op":"put","object":{"key":"to`,
    );
    await start();
    expect((await get('k')).toString()).toBe('newest');
    expect(readdirSync(join(meta, 'staging'))).toEqual([]);
    expect((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(1);
  });

  test('a process that died after journalling a delete has deleted it', async () => {
    await put('folder/k', 'x');
    await stop();
    const journal = join(directory, '.meta/lake/journal.jsonl');
    writeFileSync(
      journal,
      `${readFileSync(journal, 'utf8')}{"op":"delete","key":"folder/k","sequencer":"0000000000000001"}\n`,
    );
    await start();
    expect(existsSync(join(directory, 'lake/folder/k'))).toBe(false);
    await expect(get('folder/k')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('the journal is compacted at open', async () => {
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        Array.from({ length: 400 }, (_, index) =>
          service.objects.put(Bucket, `k${index % 10}`, Buffer.from(`${round}`)),
        ),
      );
    }
    const lines = () => readFileSync(join(directory, '.meta/lake/journal.jsonl'), 'utf8').trim().split('\n').length;
    expect(lines()).toBe(1_200);
    await stop();
    await start();
    expect(lines()).toBe(10);
    await stop();
    await start();
    expect((await get('k3')).toString()).toBe('2');
  });
});
