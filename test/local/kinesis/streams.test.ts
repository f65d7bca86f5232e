import { Harness } from './support';

const ARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/s';

describe('streams', () => {
  test('are described', async () => {
    const harness = await Harness.start(3);
    const { StreamDescriptionSummary } = await harness.call<{ StreamDescriptionSummary: unknown }>(
      'DescribeStreamSummary',
      { StreamARN: ARN },
    );
    expect(StreamDescriptionSummary).toEqual({
      StreamName: 's',
      StreamARN: ARN,
      StreamStatus: 'ACTIVE',
      StreamModeDetails: { StreamMode: 'PROVISIONED' },
      RetentionPeriodHours: 24,
      StreamCreationTimestamp: harness.clock.now() / 1_000,
      EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
      EncryptionType: 'NONE',
      OpenShardCount: 3,
      ConsumerCount: 0,
      MaxRecordSizeInKiB: 1_024,
    });
    const page = await harness.call('DescribeStream', { StreamName: 's', Limit: 2 });
    expect(page).toMatchObject({
      StreamDescription: { HasMoreShards: true, Shards: [{}, { ShardId: 'shardId-000000000001' }] },
    });
    const rest = await harness.call('DescribeStream', {
      StreamName: 's',
      ExclusiveStartShardId: 'shardId-000000000001',
    });
    expect(rest).toMatchObject({
      StreamDescription: { HasMoreShards: false, Shards: [{ ShardId: 'shardId-000000000002' }] },
    });
  });

  test('on demand begin with four shards', async () => {
    const harness = await Harness.start(1);
    await harness.call('CreateStream', { StreamName: 'd', StreamModeDetails: { StreamMode: 'ON_DEMAND' } });
    expect(await harness.call('DescribeStreamSummary', { StreamName: 'd' })).toMatchObject({
      StreamDescriptionSummary: { OpenShardCount: 4, StreamModeDetails: { StreamMode: 'ON_DEMAND' } },
    });
    expect(await harness.call('DescribeLimits')).toMatchObject({ OpenShardCount: 5, OnDemandStreamCount: 1 });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a name twice', { StreamName: 's', ShardCount: 1 }, 'ResourceInUseException'],
    ['no shard count', { StreamName: 't' }, 'ValidationException'],
    [
      'a shard count on demand',
      { StreamName: 't', ShardCount: 1, StreamModeDetails: { StreamMode: 'ON_DEMAND' } },
      'ValidationException',
    ],
    ['no shards', { StreamName: 't', ShardCount: 0 }, 'ValidationException'],
    ['a bad name', { StreamName: 'a/b', ShardCount: 1 }, 'ValidationException'],
    ['no name', { ShardCount: 1 }, 'ValidationException'],
    ['text for the shard count', { StreamName: 't', ShardCount: '2' }, 'SerializationException'],
    ['more shards than the account has', { StreamName: 't', ShardCount: 20_000 }, 'LimitExceededException'],
  ])('CreateStream refuses %s', async (_name, input, code) => {
    const harness = await Harness.start(1);
    await expect(harness.call('CreateStream', input)).rejects.toMatchObject({ code });
  });

  test('are listed page by page', async () => {
    const harness = await Harness.start(1);
    for (const name of ['c', 'a', 'b']) await harness.call('CreateStream', { StreamName: name, ShardCount: 1 });
    const first = await harness.call<{ NextToken: string }>('ListStreams', { Limit: 2 });
    expect(first).toMatchObject({ StreamNames: ['a', 'b'], HasMoreStreams: true });
    expect(await harness.call('ListStreams', { NextToken: first.NextToken })).toMatchObject({
      StreamNames: ['c', 's'],
      HasMoreStreams: false,
    });
    expect(await harness.call('ListStreams', { ExclusiveStartStreamName: 'c' })).toMatchObject({ StreamNames: ['s'] });
  });

  test('are deleted, with consumers only by force', async () => {
    const harness = await Harness.start(1);
    await harness.call('RegisterStreamConsumer', { StreamARN: ARN, ConsumerName: 'app' });
    await expect(harness.call('DeleteStream', { StreamName: 's' })).rejects.toMatchObject({
      code: 'ResourceInUseException',
    });
    await harness.call('DeleteStream', { StreamName: 's', EnforceConsumerDeletion: true });
    await expect(harness.call('DescribeStream', { StreamName: 's' })).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
    await expect(harness.call('DeleteStream', { StreamName: 's' })).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
  });

  test('have tags, by stream and by ARN', async () => {
    const harness = await Harness.start(1);
    await harness.call('AddTagsToStream', { StreamName: 's', Tags: { b: '2', a: '1' } });
    await harness.call('TagResource', { ResourceARN: ARN, Tags: { c: '3' } });
    expect(await harness.call('ListTagsForStream', { StreamName: 's', Limit: 2 })).toEqual({
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
      HasMoreTags: true,
    });
    await harness.call('RemoveTagsFromStream', { StreamName: 's', TagKeys: ['a', 'c'] });
    expect(await harness.call('ListTagsForResource', { ResourceARN: ARN })).toEqual({
      Tags: [{ Key: 'b', Value: '2' }],
    });
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, '']));
    await expect(harness.call('AddTagsToStream', { StreamName: 's', Tags: many })).rejects.toMatchObject({
      code: 'InvalidArgumentException',
    });
  });

  test('take shard-level metrics on and off', async () => {
    const harness = await Harness.start(1);
    expect(
      await harness.call('EnableEnhancedMonitoring', { StreamName: 's', ShardLevelMetrics: ['IncomingBytes'] }),
    ).toMatchObject({
      CurrentShardLevelMetrics: [],
      DesiredShardLevelMetrics: ['IncomingBytes'],
    });
    expect(
      await harness.call('DisableEnhancedMonitoring', { StreamName: 's', ShardLevelMetrics: ['ALL'] }),
    ).toMatchObject({
      CurrentShardLevelMetrics: ['IncomingBytes'],
      DesiredShardLevelMetrics: [],
    });
  });
});

describe('consumers', () => {
  test('are registered, described, listed and deregistered', async () => {
    const harness = await Harness.start(1, { statusDelayMs: 1_000 });
    const { Consumer } = await harness.call<{ Consumer: { ConsumerARN: string } }>('RegisterStreamConsumer', {
      StreamARN: ARN,
      ConsumerName: 'app',
    });
    expect(Consumer).toMatchObject({ ConsumerName: 'app', ConsumerStatus: 'CREATING' });
    harness.clock.advance(1_000);
    for (const input of [{ ConsumerARN: Consumer.ConsumerARN }, { StreamARN: ARN, ConsumerName: 'app' }]) {
      expect(await harness.call('DescribeStreamConsumer', input)).toMatchObject({
        ConsumerDescription: { ...Consumer, ConsumerStatus: 'ACTIVE', StreamARN: ARN },
      });
    }
    await expect(harness.call('RegisterStreamConsumer', { StreamARN: ARN, ConsumerName: 'app' })).rejects.toMatchObject(
      { code: 'ResourceInUseException' },
    );
    await harness.call('RegisterStreamConsumer', { StreamARN: ARN, ConsumerName: 'bpp' });
    const page = await harness.call<{ NextToken: string }>('ListStreamConsumers', { StreamARN: ARN, MaxResults: 1 });
    expect(page).toMatchObject({ Consumers: [{ ConsumerName: 'app' }] });
    expect(await harness.call('ListStreamConsumers', { StreamARN: ARN, NextToken: page.NextToken })).toMatchObject({
      Consumers: [{ ConsumerName: 'bpp' }],
    });
    await harness.call('DeregisterStreamConsumer', { ConsumerARN: Consumer.ConsumerARN });
    await expect(harness.call('DescribeStreamConsumer', { ConsumerARN: Consumer.ConsumerARN })).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
  });

  test('are at most twenty', async () => {
    const harness = await Harness.start(1);
    for (let index = 0; index < 20; index++)
      await harness.call('RegisterStreamConsumer', { StreamARN: ARN, ConsumerName: `c${index}` });
    await expect(
      harness.call('RegisterStreamConsumer', { StreamARN: ARN, ConsumerName: 'more' }),
    ).rejects.toMatchObject({
      code: 'LimitExceededException',
    });
  });
});
