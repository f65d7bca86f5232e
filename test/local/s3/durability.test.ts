import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetBucketNotificationConfigurationCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
} from '@aws-sdk/client-s3';
import { S3Service } from '../../../local/services/s3';
import { systemClock } from '../../../local/gateway/service';
import { Bucket, connect, get, put, useLake } from './lake-fixture';
import { serve } from './serve';

const lake = useLake();

describe('durability', () => {
  test('objects, metadata and sequencers are there after a restart; overwritten bytes belong to their ETag', async () => {
    await put('k', 'old', { Metadata: { a: '1' } });
    await put('k', 'new', { Metadata: { a: '2' } });
    await put('deleted', 'x');
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted' }));
    const before = await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
    await lake.stop();
    await lake.start();
    const after = await lake.client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
    expect({ ...after, $metadata: undefined }).toEqual({ ...before, $metadata: undefined });
    expect((await get('k')).toString()).toBe('new');
    await expect(get('deleted')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('a process that died after journalling a put has put it; one that died before has not', async () => {
    await put('k', 'old');
    await lake.stop();
    const meta = join(lake.directory, '.meta/lake');
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
    await lake.start();
    expect((await get('k')).toString()).toBe('newest');
    expect(readdirSync(join(meta, 'staging'))).toEqual([]);
    expect((await lake.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(1);
  });

  test('a process that died after journalling a delete has deleted it', async () => {
    await put('folder/k', 'x');
    await lake.stop();
    const journal = join(lake.directory, '.meta/lake/journal.jsonl');
    writeFileSync(
      journal,
      `${readFileSync(journal, 'utf8')}{"op":"delete","key":"folder/k","sequencer":"0000000000000001"}\n`,
    );
    await lake.start();
    expect(existsSync(join(lake.directory, 'lake/folder/k'))).toBe(false);
    await expect(get('folder/k')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('the journal is compacted at open', async () => {
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        Array.from({ length: 400 }, (_, index) =>
          lake.service.objects.put(Bucket, `k${index % 10}`, Buffer.from(`${round}`)),
        ),
      );
    }
    const lines = () =>
      readFileSync(join(lake.directory, '.meta/lake/journal.jsonl'), 'utf8').trim().split('\n').length;
    expect(lines()).toBe(1_200);
    await lake.stop();
    await lake.start();
    expect(lines()).toBe(10);
    await lake.stop();
    await lake.start();
    expect((await get('k3')).toString()).toBe('2');
  });
});

describe('events', () => {
  const enable = () =>
    lake.client.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { EventBridgeConfiguration: {} },
      }),
    );

  test('"Object Created" and "Object Deleted" in EventBridge’s shape, once EventBridge is on', async () => {
    await put('before', 'x');
    await enable();
    expect(
      (await lake.client.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).EventBridgeConfiguration,
    ).toEqual({});
    await put('features/_manifest.json', '{}');
    await put('features/_manifest.json', '{ }');
    await lake.client.send(new DeleteObjectCommand({ Bucket, Key: 'before' }));
    expect(lake.events.map((event) => [event['detail-type'], (event.detail['object'] as { key: string }).key])).toEqual(
      [
        ['Object Created', 'features/_manifest.json'],
        ['Object Created', 'features/_manifest.json'],
        ['Object Deleted', 'before'],
      ],
    );
    expect(lake.events[0]).toMatchObject({
      source: 'aws.s3',
      resources: ['arn:aws:s3:::lake'],
      detail: {
        version: '0',
        bucket: { name: 'lake' },
        object: { size: 2, etag: createHash('md5').update('{}').digest('hex') },
        reason: 'PutObject',
      },
    });
    const sequencers = lake.events.map((event) => (event.detail['object'] as { sequencer: string }).sequencer);
    expect([...sequencers].sort()).toEqual(sequencers);
  });

  test('an event that was not taken before the process ended is delivered by the next one', async () => {
    await enable();
    await lake.stop();
    lake.service = new S3Service({
      directory: lake.directory,
      clock: { ...systemClock, after: () => () => undefined },
      emit: () => Promise.reject(new Error('EventBridge is away')),
    });
    lake.server = await serve(lake.service);
    lake.client = connect(lake.server.endpoint);
    await put('k', 'x');
    await put('k', 'y');
    await lake.stop();
    await lake.start();
    expect(lake.events).toEqual([]);
    expect(lake.service.redeliverEvents()).toBe(2);
    expect(lake.events.map((event) => (event.detail['object'] as { key: string }).key)).toEqual(['k', 'k']);
    await new Promise((resolve) => setImmediate(resolve));
    await lake.stop();
    await lake.start();
    expect(lake.service.redeliverEvents()).toBe(0);
  });
});
