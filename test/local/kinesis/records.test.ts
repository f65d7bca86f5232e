import { createHash } from 'node:crypto';
import { AwsError, ResponseDropped } from '../../../local/gateway/service';
import { base64, Harness, id, LAST_HASH_KEY, texts } from './support';

const HALF = 2n ** 127n;
const MEBIBYTE = 1 << 20;

describe('PutRecord and PutRecords', () => {
  test('the partition key is routed by its MD5, an explicit hash key by itself', async () => {
    const harness = await Harness.start(2);
    for (const key of ['a', 'device-1', 'ü', '😀']) {
      const digest = BigInt(`0x${createHash('md5').update(key, 'utf8').digest('hex')}`);
      expect((await harness.put('x', key)).ShardId).toBe(id(digest < HALF ? 0 : 1));
    }
    expect((await harness.put('x', 'a', 0n)).ShardId).toBe(id(0));
    expect((await harness.put('x', 'a', HALF - 1n)).ShardId).toBe(id(0));
    expect((await harness.put('x', 'a', HALF)).ShardId).toBe(id(1));
    expect((await harness.put('x', 'a', LAST_HASH_KEY)).ShardId).toBe(id(1));
    await expect(harness.put('x', 'a', LAST_HASH_KEY + 1n)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
  });

  test('sequence numbers have 56 digits and grow', async () => {
    const harness = await Harness.start(2);
    let last = 0n;
    for (let index = 0; index < 20; index++) {
      const { SequenceNumber } = await harness.put(`record ${index}`);
      expect(SequenceNumber).toMatch(/^[1-9]\d{55}$/);
      expect(BigInt(SequenceNumber)).toBeGreaterThan(last);
      last = BigInt(SequenceNumber);
    }
  });

  const record = (data: string, key = 'k') => ({ Data: data, PartitionKey: key });
  test.each<[string, Record<string, unknown>, string]>([
    ['no records', { Records: [] }, 'ValidationException'],
    ['501 records', { Records: Array.from({ length: 501 }, () => record('')) }, 'ValidationException'],
    ['an empty partition key', { Records: [record('', '')] }, 'ValidationException'],
    ['a partition key of 257 characters', { Records: [record('', 'k'.repeat(257))] }, 'ValidationException'],
    ['no data', { Records: [{ PartitionKey: 'k' }] }, 'ValidationException'],
    ['data that is not base64', { Records: [record('?')] }, 'SerializationException'],
    ['a record above 1 MiB', { Records: [record(Buffer.alloc(MEBIBYTE).toString('base64'))] }, 'ValidationException'],
    ['a stream nobody made', { StreamName: 'nobody', Records: [record('')] }, 'ResourceNotFoundException'],
  ])('%s is refused whole', async (_name, input, code) => {
    const harness = await Harness.start(1);
    const good = record(base64('good'));
    const Records =
      Array.isArray(input['Records']) && input['Records'].length === 1
        ? [good, ...(input['Records'] as unknown[])]
        : input['Records'];
    await expect(harness.call('PutRecords', { StreamName: 's', ...input, Records })).rejects.toMatchObject({ code });
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual([]);
  });

  test('a record of exactly 1 MiB with its key passes, a larger one after UpdateMaxRecordSize', async () => {
    const harness = await Harness.start(1);
    const data = Buffer.alloc(MEBIBYTE - 1).toString('base64');
    await harness.call('PutRecord', { StreamName: 's', PartitionKey: 'k', Data: data });
    const larger = { StreamName: 's', PartitionKey: 'kk', Data: data };
    await expect(harness.call('PutRecord', larger)).rejects.toMatchObject({ code: 'ValidationException' });
    await harness.call('UpdateMaxRecordSize', {
      StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
      MaxRecordSizeInKiB: 2_048,
    });
    await harness.call('PutRecord', larger);
  });

  test('a request above 10 MiB is refused', async () => {
    const harness = await Harness.start(1);
    const Records = Array.from({ length: 11 }, () => record(Buffer.alloc(MEBIBYTE - 1).toString('base64')));
    await expect(harness.call('PutRecords', { StreamName: 's', Records })).rejects.toMatchObject({
      code: 'InvalidArgumentException',
    });
  });

  test('arbitrary bytes come back as they were', async () => {
    const harness = await Harness.start(1);
    const payloads = [0, 1, 2, 3, 255, 70_000].map((size) =>
      Buffer.from(Array.from({ length: size }, (_, at) => (at * 37) % 256)),
    );
    for (const payload of payloads)
      await harness.call('PutRecord', { StreamName: 's', PartitionKey: 'k', Data: payload.toString('base64') });
    const { Records } = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'));
    expect(Records.map(({ Data }) => Data)).toEqual(payloads.map((payload) => payload.toString('base64')));
  });

  test('a stream ARN does for the name; a wrong pair is refused', async () => {
    const harness = await Harness.start(1);
    const StreamARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/s';
    await harness.call('PutRecord', { StreamARN, PartitionKey: 'k', Data: '' });
    await expect(
      harness.call('PutRecord', { StreamARN, StreamName: 't', PartitionKey: 'k', Data: '' }),
    ).rejects.toMatchObject({
      code: 'InvalidArgumentException',
    });
  });

  test('encryption shows in responses and records', async () => {
    const harness = await Harness.start(1);
    await harness.call('StartStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId: 'alias/key' });
    expect(await harness.put('x')).toMatchObject({ EncryptionType: 'KMS' });
    await harness.call('StopStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId: 'alias/key' });
    expect(await harness.put('y')).not.toHaveProperty('EncryptionType');
    const { Records } = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'));
    expect(Records.map(({ EncryptionType }) => EncryptionType)).toEqual(['KMS', undefined]);
  });
});

describe('GetShardIterator and GetRecords', () => {
  async function three(): Promise<{ harness: Harness; numbers: string[] }> {
    const harness = await Harness.start(1);
    const numbers: string[] = [];
    for (const text of ['a', 'b', 'c']) {
      numbers.push((await harness.put(text)).SequenceNumber);
      harness.clock.advance(1_000);
    }
    return { harness, numbers };
  }

  test.each<[string, (numbers: string[], now: number) => Record<string, unknown>, string[]]>([
    ['TRIM_HORIZON', () => ({}), ['a', 'b', 'c']],
    ['LATEST', () => ({}), []],
    ['AT_SEQUENCE_NUMBER', (numbers) => ({ StartingSequenceNumber: numbers[1] }), ['b', 'c']],
    ['AFTER_SEQUENCE_NUMBER', (numbers) => ({ StartingSequenceNumber: numbers[1] }), ['c']],
    ['AT_TIMESTAMP', (_numbers, now) => ({ Timestamp: now / 1_000 - 2 }), ['b', 'c']],
    ['AT_TIMESTAMP', (_numbers, now) => ({ Timestamp: now / 1_000 - 1.5 }), ['c']],
    ['AT_TIMESTAMP', (_numbers, now) => ({ Timestamp: now / 1_000 }), []],
    ['AT_TIMESTAMP', () => ({ Timestamp: 0 }), ['a', 'b', 'c']],
  ])('%s', async (type, more, expected) => {
    const { harness, numbers } = await three();
    const input = more(numbers, harness.clock.now());
    const iterator = await harness.iterator(0, type, input);
    await harness.put('later');
    expect(texts(await harness.get(iterator))).toEqual([...expected, 'later']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['AT_SEQUENCE_NUMBER', {}],
    ['AT_SEQUENCE_NUMBER', { StartingSequenceNumber: '1' }],
    ['AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: '49'.padEnd(56, '9') }],
    ['AT_TIMESTAMP', {}],
    ['AT_TIMESTAMP', { Timestamp: 9e9 }],
  ])('%s with %j is refused', async (type, more) => {
    const { harness } = await three();
    await expect(harness.iterator(0, type, more)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
  });

  test("another shard's or another incarnation's sequence number is refused", async () => {
    const harness = await Harness.start(2);
    const { SequenceNumber } = await harness.put('x', 'k', 0n);
    const position = { StartingSequenceNumber: SequenceNumber };
    await expect(harness.iterator(1, 'AT_SEQUENCE_NUMBER', position)).rejects.toThrow(/encodes shard 0/);
    harness.clock.advance(1);
    await harness.call('DeleteStream', { StreamName: 's' });
    await harness.call('CreateStream', { StreamName: 's', ShardCount: 2 });
    await expect(harness.iterator(0, 'AT_SEQUENCE_NUMBER', position)).rejects.toThrow(/did not come from this stream/);
    expect(BigInt((await harness.put('y')).SequenceNumber)).toBeGreaterThan(BigInt(SequenceNumber));
  });

  test('Limit pages, and MillisBehindLatest says how far back', async () => {
    const { harness } = await three();
    const first = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'), 2);
    expect(texts(first)).toEqual(['a', 'b']);
    expect(first.MillisBehindLatest).toBe(2_000);
    const second = await harness.get(first.NextShardIterator as string, 2);
    expect(texts(second)).toEqual(['c']);
    expect(second.MillisBehindLatest).toBe(0);
    const third = await harness.get(second.NextShardIterator as string);
    expect(third).toMatchObject({ Records: [], MillisBehindLatest: 0 });
    expect(third.NextShardIterator).toBeDefined();
    for (const limit of [0, 10_001])
      await expect(harness.get(third.NextShardIterator as string, limit)).rejects.toMatchObject({
        code: 'ValidationException',
      });
  });

  test('unread records of this very millisecond leave the reader behind', async () => {
    const harness = await Harness.start(1);
    await harness.put('a');
    await harness.put('b');
    const output = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'), 1);
    expect(output.MillisBehindLatest).toBeGreaterThan(0);
  });

  test('a response holds 10 MiB', async () => {
    const harness = await Harness.start(1);
    const Data = Buffer.alloc(MEBIBYTE - 1).toString('base64');
    for (let index = 0; index < 12; index++)
      await harness.call('PutRecord', { StreamName: 's', PartitionKey: 'k', Data });
    const first = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'));
    expect(first.Records).toHaveLength(10);
    const second = await harness.get(first.NextShardIterator as string);
    expect(second.Records).toHaveLength(2);
  });

  test('the end of a split shard has no iterator but its children', async () => {
    const { harness } = await three();
    const open = await harness.get(await harness.iterator(0, 'LATEST'));
    expect(open.NextShardIterator).toBeDefined();
    expect(open).not.toHaveProperty('ChildShards');
    await harness.split(0, HALF);
    const part = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'), 2);
    expect(part.NextShardIterator).toBeDefined();
    expect(part).not.toHaveProperty('ChildShards');
    for (const iterator of [
      part.NextShardIterator as string,
      open.NextShardIterator as string,
      await harness.iterator(0, 'LATEST'),
    ]) {
      const end = await harness.get(iterator);
      expect(end).not.toHaveProperty('NextShardIterator');
      expect(end.ChildShards).toEqual([
        {
          ShardId: id(1),
          ParentShards: [id(0)],
          HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(HALF - 1n) },
        },
        {
          ShardId: id(2),
          ParentShards: [id(0)],
          HashKeyRange: { StartingHashKey: String(HALF), EndingHashKey: String(LAST_HASH_KEY) },
        },
      ]);
    }
  });

  test('the end of both merged shards names the child with both parents', async () => {
    const harness = await Harness.start(2);
    await harness.merge(0, 1);
    for (const shard of [0, 1]) {
      const end = await harness.get(await harness.iterator(shard, 'TRIM_HORIZON'));
      expect(end.ChildShards).toEqual([
        {
          ShardId: id(2),
          ParentShards: [id(0), id(1)],
          HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(LAST_HASH_KEY) },
        },
      ]);
    }
  });

  test('an iterator lives five minutes; garbage is no iterator', async () => {
    const { harness } = await three();
    const iterator = await harness.iterator(0, 'TRIM_HORIZON');
    harness.clock.advance(300_000);
    expect(texts(await harness.get(iterator))).toHaveLength(3);
    harness.clock.advance(1);
    await expect(harness.get(iterator)).rejects.toMatchObject({ code: 'ExpiredIteratorException' });
    const tampered = Buffer.from(Buffer.from(iterator, 'base64').toString().replace('"s"', '"t"')).toString('base64');
    for (const garbage of ['garbage', tampered, base64('iterator')]) {
      await expect(harness.get(garbage)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
    }
  });

  test('records go after the retention period, and come back by no longer one', async () => {
    const { harness } = await three();
    const retention = (direction: string, hours: number) =>
      harness.call(`${direction}StreamRetentionPeriod`, { StreamName: 's', RetentionPeriodHours: hours });
    harness.clock.advance(24 * 3_600_000 - 2_000);
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['b', 'c']);
    await retention('Increase', 48);
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['b', 'c']);
    harness.clock.advance(12 * 3_600_000);
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['b', 'c']);
    await retention('Decrease', 24);
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual([]);
    for (const [direction, hours] of [
      ['Increase', 23],
      ['Increase', 8_761],
      ['Decrease', 25],
    ] as const) {
      await expect(retention(direction, hours)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
    }
  });

  test('a reader whose place was trimmed goes on at the trim horizon', async () => {
    const { harness, numbers } = await three();
    harness.clock.advance(24 * 3_600_000 - 1_000);
    expect(await harness.read(0, 'AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: numbers[0] })).toEqual(['c']);
  });
});

describe('limits', () => {
  const put = (harness: Harness, sizes: number[]) =>
    harness.call<{ FailedRecordCount: number; Records: { ErrorCode?: string; SequenceNumber?: string }[] }>(
      'PutRecords',
      {
        StreamName: 's',
        Records: sizes.map((size) => ({ Data: Buffer.alloc(size).toString('base64'), PartitionKey: 'k' })),
      },
    );

  test('1,000 records a second and shard: the rest of PutRecords fails record by record', async () => {
    const harness = await Harness.start(1, { limits: 'enforced' });
    const five = Array.from({ length: 500 }, () => 10);
    expect((await put(harness, five)).FailedRecordCount).toBe(0);
    expect((await put(harness, five)).FailedRecordCount).toBe(0);
    const over = await put(harness, [10, 10]);
    expect(over).toMatchObject({
      FailedRecordCount: 2,
      Records: [{ ErrorCode: 'ProvisionedThroughputExceededException' }, {}],
    });
    harness.clock.advance(1);
    expect((await put(harness, [10, 10])).FailedRecordCount).toBe(1);
    harness.clock.advance(1_000);
    expect((await put(harness, five)).FailedRecordCount).toBe(0);
    expect(await harness.read(0, 'TRIM_HORIZON')).toHaveLength(1_501);
  });

  test('1 MiB a second and shard: a smaller record passes where a larger one failed', async () => {
    const harness = await Harness.start(1, { limits: 'enforced' });
    const { FailedRecordCount, Records } = await put(harness, [600_000, 600_000, 300_000]);
    expect(FailedRecordCount).toBe(1);
    expect(Records.map(({ ErrorCode }) => ErrorCode !== undefined)).toEqual([false, true, false]);
    await expect(
      harness.call('PutRecord', { StreamName: 's', PartitionKey: 'k', Data: Buffer.alloc(300_000).toString('base64') }),
    ).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
  });

  test('shards have limits of their own', async () => {
    const harness = await Harness.start(2, { limits: 'enforced' });
    const Records = [0n, HALF].flatMap((key) =>
      Array.from({ length: 2 }, () => ({
        Data: Buffer.alloc(700_000).toString('base64'),
        PartitionKey: 'k',
        ExplicitHashKey: String(key),
      })),
    );
    expect(await harness.call('PutRecords', { StreamName: 's', Records })).toMatchObject({ FailedRecordCount: 2 });
  });

  test('five reads a second and shard, also where writes are unlimited', async () => {
    const harness = await Harness.start(1, { limits: 'reads-only' });
    for (let index = 0; index < 4; index++)
      expect(
        (
          await put(
            harness,
            Array.from({ length: 500 }, () => 10),
          )
        ).FailedRecordCount,
      ).toBe(0);
    const iterator = await harness.iterator(0, 'LATEST');
    for (let index = 0; index < 5; index++) await harness.get(iterator);
    await expect(harness.get(iterator)).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
    harness.clock.advance(200);
    await harness.get(iterator);
    await expect(harness.get(iterator)).rejects.toMatchObject({ code: 'ProvisionedThroughputExceededException' });
  });

  test('a read of 10 MiB blocks the shard for five seconds', async () => {
    const harness = await Harness.start(1, { limits: 'reads-only' });
    const size = MEBIBYTE - 1;
    await put(
      harness,
      Array.from({ length: 10 }, () => size),
    );
    const { NextShardIterator } = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'));
    harness.clock.advance(4_900);
    await expect(harness.get(NextShardIterator as string)).rejects.toMatchObject({
      code: 'ProvisionedThroughputExceededException',
    });
    harness.clock.advance(150);
    await harness.get(NextShardIterator as string);
  });
});

describe('faults', () => {
  test('an error is thrown instead of the call', async () => {
    const harness = await Harness.start(1, {
      faults: (operation) =>
        operation === 'GetRecords' ? new AwsError('ExpiredIteratorException', 'injected') : undefined,
    });
    await harness.put('x');
    await expect(harness.read(0, 'TRIM_HORIZON')).rejects.toMatchObject({ code: 'ExpiredIteratorException' });
  });

  test('a dropped response leaves the effect', async () => {
    let drop = false;
    const harness = await Harness.start(1, { faults: () => (drop ? 'drop-response' : undefined) });
    drop = true;
    await expect(harness.put('x')).rejects.toBeInstanceOf(ResponseDropped);
    drop = false;
    expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['x']);
  });

  test('an operation that Kinesis does not have', async () => {
    const harness = await Harness.start(1);
    for (const operation of ['Nothing', 'toString', '__proto__']) {
      await expect(harness.call(operation)).rejects.toMatchObject({ code: 'UnknownOperationException' });
    }
  });
});
