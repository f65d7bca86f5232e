import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm } from '@aws-sdk/client-s3';
import { Bucket, bytesOf, get, put, useLake } from './lake-fixture';

const lake = useLake();

describe('objects', () => {
  test('a Buffer comes back byte for byte, validated by its CRC32, and is a plain file', async () => {
    const body = randomBytes(200_000);
    const written = await put('readings/dt=2025-06-01/hour=03/a.parquet', body, {
      ContentType: 'application/x-parquet',
      Metadata: { hash: 'abc' },
    });
    expect(written.ChecksumCRC32).toBeDefined();
    expect(written.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const read = await lake.client.send(
      new GetObjectCommand({ Bucket, Key: 'readings/dt=2025-06-01/hour=03/a.parquet' }),
    );
    expect(read.ChecksumCRC32).toBe(written.ChecksumCRC32);
    expect(read.ContentType).toBe('application/x-parquet');
    expect(read.Metadata).toEqual({ hash: 'abc' });
    expect((await bytesOf(read)).equals(body)).toBe(true);
    expect(readFileSync(join(lake.directory, 'lake/readings/dt=2025-06-01/hour=03/a.parquet')).equals(body)).toBe(true);
  });

  test.each([0, 200_000, 3_500_000])(
    'a stream of %d bytes, sent aws-chunked with a trailer, comes back byte for byte',
    async (size) => {
      const body = randomBytes(size);
      const pieces = Array.from({ length: Math.ceil(size / 70_000) }, (_, index) =>
        body.subarray(index * 70_000, (index + 1) * 70_000),
      );
      await lake.client.send(
        new PutObjectCommand({
          Bucket,
          Key: 'stream',
          Body: Readable.from(pieces, { objectMode: false }),
          ContentLength: size,
        }),
      );
      const head = await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'stream' }));
      expect(head.ContentLength).toBe(size);
      expect(head.ContentEncoding).toBeUndefined();
      expect((await get('stream')).equals(body)).toBe(true);
      expect(readFileSync(join(lake.directory, 'lake/stream')).equals(body)).toBe(true);
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
      const head = await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' }));
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
    expect(readdirSync(join(lake.directory, '.meta/lake/staging'))).toEqual([]);
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
    await lake.stop();
    await lake.start();
    for (const [index, key] of keys.entries()) {
      expect((await get(key)).toString()).toBe(`content ${index}`);
      expect(realpathSync(lake.service.objects.path(Bucket, key)!).startsWith(realpathSync(lake.directory))).toBe(true);
    }
    const listed = await lake.client.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url' }));
    const listedKeys = listed.Contents!.map(({ Key }) => decodeURIComponent(Key!));
    expect(listedKeys).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(existsSync(join(lake.directory, '..', 'etc'))).toBe(false);
  });

  test('a key may be another key’s folder: both are there, also after a restart', async () => {
    await put('a', 'file');
    await put('a/b', 'below');
    await put('c/d', 'below');
    await put('c', 'file');
    await lake.stop();
    await lake.start();
    for (const [key, content] of [
      ['a', 'file'],
      ['a/b', 'below'],
      ['c/d', 'below'],
      ['c', 'file'],
    ] as const) {
      expect((await get(key)).toString()).toBe(content);
    }
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
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
    const response = await lake.client.send(new GetObjectCommand({ Bucket, Key: 'ranged', Range: 'bytes=2-4' }));
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
    await lake.client.send(new CopyObjectCommand({ Bucket, Key: 'copy & paste', CopySource: `${Bucket}/from` }));
    expect((await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'copy & paste' }))).Metadata).toEqual({
      kind: 'old',
    });
    await lake.client.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'from',
        CopySource: `${Bucket}/from`,
        MetadataDirective: 'REPLACE',
        Metadata: { kind: 'new' },
      }),
    );
    expect((await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'from' }))).Metadata).toEqual({ kind: 'new' });
    const attributes = await lake.client.send(
      new GetObjectAttributesCommand({ Bucket, Key: 'from', ObjectAttributes: ['ObjectSize', 'ETag', 'Checksum'] }),
    );
    expect(attributes).toMatchObject({ ObjectSize: 7, Checksum: { ChecksumType: 'FULL_OBJECT' } });
    const result = await lake.client.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: [{ Key: 'from' }, { Key: 'copy & paste' }, { Key: ' never\r<there>' }] },
      }),
    );
    expect(result.Deleted!.map(({ Key }) => Key)).toEqual(['from', 'copy & paste', ' never\r<there>']);
    expect((await lake.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'from' }));
    await expect(lake.client.send(new HeadObjectCommand({ Bucket, Key: 'from' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  test('a file that somebody removed by hand is NoSuchKey, not an internal error', async () => {
    await put('gone', 'x');
    rmSync(join(lake.directory, 'lake/gone'));
    await expect(get('gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('what the service does not have is refused by name', async () => {
    const { GetObjectTaggingCommand } = await import('@aws-sdk/client-s3');
    await put('k', 'x');
    await expect(lake.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))).rejects.toMatchObject({
      name: 'NotImplemented',
    });
  });
});
