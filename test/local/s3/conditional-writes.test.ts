import { createHash, randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutBucketPolicyCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { AwsError } from '../../../local/gateway/service';
import { Bucket, bytesOf, get, put, useLake } from './lake-fixture';

const lake = useLake();

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
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await put('k', 'y', { IfNoneMatch: '*' });
    expect((await get('k')).toString()).toBe('y');
  });

  test('409 ConditionalRequestConflict can be injected', async () => {
    lake.fault = (operation, bucket, key) =>
      operation === 'PutObject' && bucket === Bucket && key === 'k'
        ? new AwsError('ConditionalRequestConflict', 'A conflicting operation is under way', 409)
        : undefined;
    await expect(put('k', 'x', { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'ConditionalRequestConflict',
      $metadata: { httpStatusCode: 409 },
    });
    lake.fault = undefined;
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
    await lake.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    expect(JSON.parse((await lake.client.send(new GetBucketPolicyCommand({ Bucket }))).Policy!)).toEqual(
      JSON.parse(Policy),
    );
    await lake.stop();
    await lake.start();
    await expect(put('features/a', 'x')).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    });
    await put('features/a', 'x', { IfNoneMatch: '*' });
    await put('other/a', 'x');
    await expect(
      lake.client.send(new CopyObjectCommand({ Bucket, Key: 'features/b', CopySource: `${Bucket}/other/a` })),
    ).rejects.toMatchObject({ name: 'AccessDenied' });
    const Key = 'features/m';
    const { UploadId } = await lake.client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const { ETag } = await lake.client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' }),
    );
    const complete = { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
    await expect(lake.client.send(new CompleteMultipartUploadCommand(complete))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    await lake.client.send(new CompleteMultipartUploadCommand({ ...complete, IfNoneMatch: '*' }));
    expect((await get(Key)).toString()).toBe('part');
  });
});

describe('multipart uploads', () => {
  const part = 5 * 1024 * 1024;

  test('parts are joined in order, with S3’s ETag, and outlive a restart', async () => {
    const body = randomBytes(part + 1_000);
    const Key = 'joined';
    const { UploadId } = await lake.client.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'CRC32', ContentType: 'text/x' }),
    );
    const second = await lake.client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: 2,
        Body: body.subarray(part),
        ChecksumAlgorithm: 'CRC32',
      }),
    );
    await lake.stop();
    await lake.start();
    const first = await lake.client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: 1,
        Body: body.subarray(0, part),
        ChecksumAlgorithm: 'CRC32',
      }),
    );
    const parts = await lake.client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    expect(parts.Parts!.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, part],
      [2, 1_000],
    ]);
    const done = await lake.client.send(
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
    const read = await lake.client.send(new GetObjectCommand({ Bucket, Key }));
    expect(read.ContentType).toBe('text/x');
    expect((await bytesOf(read)).equals(body)).toBe(true);
    await expect(lake.client.send(new ListPartsCommand({ Bucket, Key, UploadId }))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    });
  });

  test('If-None-Match on completion, small and missing parts, abort', async () => {
    const Key = 'k';
    await put(Key, 'first');
    const { UploadId } = await lake.client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const small = await lake.client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'small' }),
    );
    await lake.client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 2, Body: 'last' }));
    const complete = (Parts: { PartNumber: number; ETag?: string }[], more: object = {}) =>
      lake.client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }),
      );
    await expect(complete([{ PartNumber: 1 }, { PartNumber: 2 }])).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await expect(complete([{ PartNumber: 2 }, { PartNumber: 1 }])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete([{ PartNumber: 3 }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([{ PartNumber: 1, ETag: small.ETag }], { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    expect((await get(Key)).toString()).toBe('first');
    await lake.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    await expect(complete([{ PartNumber: 1 }])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });
});
