/** The real client drives the engine: the shapes on the wire are those of the service's model. */
import * as kinesis from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { KinesisEngine } from '../../../local/services/kinesis/engine';
import { serve } from '../support/http';
import type { TestServer } from '../support/http';
import { ManualClock } from '../support/manual-clock';

let server: TestServer;
let client: kinesis.KinesisClient;
beforeAll(async () => {
  server = await serve(new KinesisEngine({ clock: new ManualClock() }));
  client = new kinesis.KinesisClient({ ...server.client, requestHandler: new NodeHttpHandler() });
});
afterAll(async () => {
  client.destroy();
  await server.close();
});

test('from creation to the end of a shard', async () => {
  await client.send(new kinesis.CreateStreamCommand({ StreamName: 'wire', ShardCount: 1, Tags: { team: 'iot' } }));
  await kinesis.waitUntilStreamExists({ client, maxWaitTime: 20 }, { StreamName: 'wire' });
  const { StreamDescriptionSummary: summary } = await client.send(
    new kinesis.DescribeStreamSummaryCommand({ StreamName: 'wire' }),
  );
  expect(summary?.StreamCreationTimestamp).toEqual(new Date(Date.UTC(2026, 0, 1)));

  const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => index % 256);
  const put = await client.send(
    new kinesis.PutRecordsCommand({
      StreamARN: summary?.StreamARN,
      Records: [
        { Data: bytes, PartitionKey: 'ü' },
        { Data: new Uint8Array(), PartitionKey: 'b' },
      ],
    }),
  );
  expect(put.FailedRecordCount).toBe(0);
  const { Shards } = await client.send(
    new kinesis.ListShardsCommand({ StreamName: 'wire', ShardFilter: { Type: 'AT_TRIM_HORIZON' } }),
  );
  const ShardId = Shards?.[0]?.ShardId;
  const { ShardIterator } = await client.send(
    new kinesis.GetShardIteratorCommand({
      StreamName: 'wire',
      ShardId,
      ShardIteratorType: 'AT_TIMESTAMP',
      Timestamp: new Date(Date.UTC(2026, 0, 1)),
    }),
  );
  const read = await client.send(new kinesis.GetRecordsCommand({ ShardIterator }));
  expect(read.Records?.map(({ Data, PartitionKey }) => [Buffer.from(Data ?? []), PartitionKey])).toEqual([
    [Buffer.from(bytes), 'ü'],
    [Buffer.alloc(0), 'b'],
  ]);
  expect(read.Records?.[0]?.ApproximateArrivalTimestamp).toEqual(new Date(Date.UTC(2026, 0, 1)));
  expect(read).toMatchObject({ MillisBehindLatest: 0, NextShardIterator: expect.any(String) as string });

  await client.send(
    new kinesis.SplitShardCommand({
      StreamName: 'wire',
      ShardToSplit: ShardId,
      NewStartingHashKey: String(2n ** 127n),
    }),
  );
  const end = await client.send(new kinesis.GetRecordsCommand({ ShardIterator: read.NextShardIterator }));
  expect(end.NextShardIterator).toBeUndefined();
  expect(end.ChildShards?.map(({ ParentShards }) => ParentShards)).toEqual([[ShardId], [ShardId]]);
});

test('errors arrive as the classes of the client', async () => {
  await expect(client.send(new kinesis.DescribeStreamCommand({ StreamName: 'nobody' }))).rejects.toBeInstanceOf(
    kinesis.ResourceNotFoundException,
  );
  await expect(client.send(new kinesis.GetRecordsCommand({ ShardIterator: 'garbage' }))).rejects.toBeInstanceOf(
    kinesis.InvalidArgumentException,
  );
});
