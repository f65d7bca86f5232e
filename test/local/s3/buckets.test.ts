import { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { Bucket, put, useLake } from './lake-fixture';

const lake = useLake();

describe('buckets', () => {
  test('create, head, list, location, delete', async () => {
    await lake.client.send(new CreateBucketCommand({ Bucket: 'another' }));
    expect((await lake.client.send(new ListBucketsCommand({}))).Buckets!.map(({ Name }) => Name)).toEqual([
      'another',
      'lake',
    ]);
    await lake.client.send(new HeadBucketCommand({ Bucket }));
    expect((await lake.client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeFalsy();
    await put('k', 'x');
    await expect(lake.client.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    });
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await lake.client.send(new DeleteBucketCommand({ Bucket }));
    await expect(lake.client.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(put('k', 'x')).rejects.toMatchObject({ name: 'NoSuchBucket' });
    await expect(lake.client.send(new CreateBucketCommand({ Bucket: 'Not_Valid' }))).rejects.toMatchObject({
      name: 'InvalidBucketName',
    });
  });

  test('settings are stored and returned, also after a restart; a bucket created anew has none', async () => {
    await lake.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    await lake.stop();
    await lake.start();
    expect((await lake.client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
    await lake.client.send(new DeleteBucketCommand({ Bucket }));
    await lake.client.send(new CreateBucketCommand({ Bucket }));
    await lake.stop();
    await lake.start();
    expect((await lake.client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined();
    await expect(lake.client.send(new GetBucketPolicyCommand({ Bucket }))).rejects.toMatchObject({
      name: 'NoSuchBucketPolicy',
    });
  });

  test('virtual-host style names the bucket in the host', async () => {
    await put('folder/k', 'x');
    const request = (host: string, path: string) =>
      lake.service.handle(
        { method: 'GET', path, query: new URLSearchParams(), headers: { host }, body: Readable.from([]) },
        { accessKeyId: 'x', principalArn: 'x' },
      );
    for (const host of ['lake.s3.us-east-1.amazonaws.com', 'lake.localhost:9000', 'lake.s3.localhost:80']) {
      expect(String((await request(host, '/folder/k')).body)).toBe('x');
    }
    expect(String((await request('127.0.0.1:9000', '/lake/folder/k')).body)).toBe('x');
  });
});

describe('listing', () => {
  test('prefix, delimiter, start-after and paging', async () => {
    const keys = ['a/1', 'a/2', 'b/1', 'b/2', 'c', 'd/x/1', 'd/y/1'];
    for (const key of keys) await put(key, key);
    const list = (more: object) => lake.client.send(new ListObjectsV2Command({ Bucket, ...more }));
    const top = await list({ Delimiter: '/' });
    expect(top.CommonPrefixes!.map(({ Prefix }) => Prefix)).toEqual(['a/', 'b/', 'd/']);
    expect(top.Contents!.map(({ Key }) => Key)).toEqual(['c']);
    expect((await list({ Prefix: 'd/', Delimiter: '/' })).CommonPrefixes!.map(({ Prefix }) => Prefix)).toEqual([
      'd/x/',
      'd/y/',
    ]);
    expect((await list({ StartAfter: 'a/2' })).Contents!.map(({ Key }) => Key)).toEqual(keys.slice(2));
    const pages: unknown[] = [];
    for await (const page of paginateListObjectsV2({ client: lake.client, pageSize: 2 }, { Bucket, Delimiter: '/' })) {
      expect(page.KeyCount).toBeLessThanOrEqual(2);
      pages.push(
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
        ...(page.Contents ?? []).map(({ Key }) => Key),
      );
    }
    expect(pages.sort()).toEqual(['a/', 'b/', 'c', 'd/']);
    const first = await lake.client.send(new ListObjectsCommand({ Bucket, MaxKeys: 3 }));
    expect(first.IsTruncated).toBe(true);
    const rest = await lake.client.send(new ListObjectsCommand({ Bucket, Marker: first.Contents!.at(-1)!.Key }));
    expect([...first.Contents!, ...rest.Contents!].map(({ Key }) => Key)).toEqual(keys);
    await expect(list({ ContinuationToken: 'nonsense' })).rejects.toMatchObject({ name: 'InvalidArgument' });
  });

  test('7,000 keys under a prefix are paged in order, each once', async () => {
    const keys = Array.from(
      { length: 7_000 },
      (_, index) => `readings/${String((index * 7919) % 7_000).padStart(5, '0')}`,
    );
    await Promise.all(keys.map((key) => lake.service.objects.put(Bucket, key, Buffer.from(key))));
    await put('zebra', 'x');
    const listed: string[] = [];
    for await (const page of paginateListObjectsV2({ client: lake.client }, { Bucket, Prefix: 'readings/' }))
      listed.push(...page.Contents!.map(({ Key }) => Key!));
    expect(listed).toEqual([...keys].sort());
    expect((await lake.service.objects.list(Bucket, 'readings/0001')).map(({ key }) => key)).toEqual(
      listed.filter((key) => key.startsWith('readings/0001')),
    );
  });
});
