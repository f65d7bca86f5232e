/** A connection of which nothing comes back any more, and which nobody closes: a middlebox forgot it, a host was taken away. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { TcpProxy } from '../../chaos/tcp-proxy';
import { adapters } from '../../consumer/kcl';
import { kinesisFromSdk } from '../../consumer/kcl/adapters/kinesis-sdk';
import type { KinesisApi } from '../../consumer/kcl/dependencies';
import { DynamoDbRegistryStore } from '../../consumer/lake/stores/dynamodb-registry-store';
import { HTTP_TIMEOUTS } from '../../consumer/lake/stores/http-timeouts';
import { S3ObjectStore } from '../../consumer/lake/stores/s3-object-store';
import { systemClock } from '../../local/gateway/service';
import { KinesisEngine } from '../../local/services/kinesis/engine';
import { wiredStores, type WiredStores } from '../lake/support/wire';

const ROOT = { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' };
const streamName = 'telemetry';
const shardId = 'shardId-000000000000';

let stores: WiredStores;
let proxy: TcpProxy;
let shardIterator: string;
beforeEach(async () => {
  stores = await wiredStores();
  const kinesis = new KinesisEngine({ clock: systemClock });
  stores.gateway.add(kinesis);
  await kinesis.call('CreateStream', { StreamName: streamName, ShardCount: 1 }, ROOT);
  proxy = await TcpProxy.listen((ms, callback) => void setTimeout(callback, ms).unref());
  proxy.forwardTo(stores.gateway.endpoint);
});
afterEach(async () => {
  await proxy.close();
  await stores.close();
});

const open = (kinesis: KinesisApi, signal?: AbortSignal): Promise<string> =>
  kinesis.getShardIterator({ streamName, shardId, position: { type: 'TRIM_HORIZON' } }, signal);

test.each<[string, (kinesis: KinesisApi, signal?: AbortSignal) => Promise<unknown>]>([
  ['ListShards', (kinesis, signal) => kinesis.listShards({ streamName }, signal)],
  ['GetShardIterator', open],
  ['GetRecords', (kinesis, signal) => kinesis.getRecords({ shardIterator, limit: 1 }, signal)],
])('%s: once its caller gives a request up, the next one goes over a connection of its own', async (_, call) => {
  const client = new KinesisClient({ ...stores.client, endpoint: proxy.url });
  const kinesis = kinesisFromSdk(client);
  shardIterator = await open(kinesis);
  await call(kinesis);
  proxy.setMode('half-open');
  await expect(call(kinesis, AbortSignal.timeout(300))).rejects.toThrow();
  proxy.setMode(undefined);
  await call(kinesis, AbortSignal.timeout(3_000));
  client.destroy();
});

test('S3 and DynamoDB: the client gives the request up by itself, and its retry goes over a connection of its own', async () => {
  const requestHandler = { ...HTTP_TIMEOUTS, socketTimeout: 400 };
  const options = { ...stores.client, endpoint: proxy.url, requestHandler };
  const dynamodb = new DynamoDBClient(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  const registry = new DynamoDbRegistryStore(dynamodb, 'registry', adapters.systemClock);
  const objects = new S3ObjectStore(s3, 'lake', adapters.systemClock);
  await registry.write({ put: { pk: 'P', sk: '1' } });
  await objects.create('one', Buffer.from('1'), {});

  proxy.setMode('half-open');
  const writes = [registry.write({ put: { pk: 'P', sk: '2' } }), objects.create('two', Buffer.from('2'), {})];
  await adapters.systemClock.sleep(200);
  proxy.setMode(undefined);
  // The first request arrived, and only its answer was lost.
  expect(await Promise.all(writes)).toEqual([undefined, 'exists']);
  expect(await registry.get({ pk: 'P', sk: '2' })).toBeDefined();
  for (const client of [dynamodb, s3]) client.destroy();
});
