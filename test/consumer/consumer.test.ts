/** Consumers as they run, with the library, over HTTP against the local services; only the process is this one. */
import { randomUUID } from 'node:crypto';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Consumer } from '../../consumer/consumer';
import { adapters } from '../../consumer/kcl';
import { InProcessFoldRunner } from '../../consumer/lake/fold/runner';
import type { LedgerItem, PartitionItem } from '../../lib/contracts/registry';
import { ledgerPk, partitionPk } from '../../lib/contracts/registry';
import { partitionOf } from '../../lib/contracts/lake-layout';
import { systemClock } from '../../local/gateway/service';
import { KinesisEngine } from '../../local/services/kinesis/engine';
import { enveloped, HOUR, testUseCase } from '../lake/support/telemetry';
import { wiredStores, type WiredStores } from '../lake/support/wire';

let stores: WiredStores;
let kinesis: KinesisEngine;
const root = { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' };
const running: { consumer: Consumer; done: Promise<void> }[] = [];

beforeAll(async () => {
  stores = await wiredStores();
  kinesis = new KinesisEngine({ clock: systemClock });
  stores.gateway.add(kinesis);
  await kinesis.call('CreateStream', { StreamName: 'telemetry', ShardCount: 2 }, root);
  await stores.dynamodb.send(
    new CreateTableCommand({
      TableName: 'leases',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['leaseKey', 'leaseOwner'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S' as const,
      })),
      KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'LeaseOwnerToLeaseKeyIndex',
          KeySchema: [
            { AttributeName: 'leaseOwner', KeyType: 'HASH' },
            { AttributeName: 'leaseKey', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
});

afterAll(async () => {
  for (const { consumer } of running) consumer.stop();
  await Promise.all(running.map(({ done }) => done));
  await stores.close();
});

function start(workerId: string): Consumer {
  const { registry, objects } = stores;
  const log = (): void => undefined;
  const consumer = new Consumer(
    {
      config: {
        streamName: 'telemetry',
        applicationName: 'leases',
        registryTable: 'registry',
        lakeBucket: 'lake',
        codeVersion: 'test',
        failoverTime: 2_000,
        initialPosition: 'TRIM_HORIZON',
        flushInterval: 300,
        flushBytes: 1024 * 1024,
        lateness: 1_000,
        maximumEventAge: 10 * 365 * 24 * HOUR,
        maximumEventAhead: 300_000,
        metricsNamespace: 'Test',
      },
      workerId,
      useCases: [testUseCase],
      bufferBytes: 64 * 1024 * 1024,
    },
    {
      kcl: {
        ...adapters.systemDependencies(),
        uuid: randomUUID,
        log,
        kinesis: adapters.kinesisFromSdk(new KinesisClient(stores.client)),
        dynamodb: adapters.dynamoFromSdk(new DynamoDBClient(stores.client)),
      },
      registry,
      objects,
      runner: new InProcessFoldRunner(objects, new Map([[testUseCase.name, testUseCase]])),
      log,
      metrics: () => undefined,
      publishMetrics: () => undefined,
      retention: async () => 24 * HOUR,
    },
  );
  running.push({ consumer, done: consumer.run() });
  return consumer;
}

async function put(payloads: { payload: object | string; device: string }[]): Promise<void> {
  const Records = payloads.map(({ payload, device }) => ({
    Data: Buffer.from(enveloped(payload, { device, received: Date.now() }).data).toString('base64'),
    PartitionKey: device,
  }));
  await kinesis.call('PutRecords', { StreamName: 'telemetry', Records }, root);
}

async function until<Result>(what: string, look: () => Promise<Result | undefined>): Promise<Result> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await systemClockSleep(100);
  }
}

const systemClockSleep = (ms: number): Promise<void> => adapters.systemClock.sleep(ms);

async function sealed(hour: number): Promise<PartitionItem | undefined> {
  const pk = partitionPk(partitionOf(testUseCase.name, hour));
  const item = (await stores.registry.get({ pk, sk: 'PARTITION' })) as unknown as PartitionItem | undefined;
  return item?.generation === undefined ? undefined : item;
}

test('records put on the stream end in sealed partitions, once each; a worker that stops hands its shards over', async () => {
  const hour = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;
  const first = start('worker-1');
  const batch = Array.from({ length: 60 }, (_, at) => ({
    payload: { timestamp: hour + at * 1000, temperature: at, messageId: `m-${at}` },
    device: `sensor-${at % 6}`,
  }));
  await put([...batch, ...batch.slice(0, 10), { payload: '{', device: 'sensor-1' }]);
  const item = await until('the first seal', () => sealed(hour));
  expect(item).toMatchObject({ generation: 1, registered: 70, folded: 60, duplicates: 10, rows: 6 });
  const ledgers = await Promise.all(
    [0, 1].map((shard) => stores.registry.query(ledgerPk(`shardId-00000000000${shard}`))),
  );
  const rows = ledgers.flat() as unknown as LedgerItem[];
  expect(rows.reduce((sum, { readings }) => sum + readings, 0)).toBe(70);
  expect(rows.reduce((sum, { quarantined }) => sum + quarantined, 0)).toBe(1);

  expect(first.health()).toMatchObject({ healthy: true, detail: { state: 'STARTED' } });
  start('worker-2');
  first.stop();
  await running[0]!.done;
  await put([{ payload: { timestamp: hour + HOUR, temperature: 1 }, device: 'sensor-1' }]);
  expect(await until('the second seal', () => sealed(hour + HOUR))).toMatchObject({ registered: 1, folded: 1 });
  // Late for an hour that is sealed: the next generation, with everything.
  await put([{ payload: { timestamp: hour + 59_500, temperature: 100 }, device: 'sensor-1' }]);
  const again = await until('the second generation', async () => {
    const now = await sealed(hour);
    return now?.generation === 2 ? now : undefined;
  });
  expect(again).toMatchObject({ registered: 71, folded: 61, duplicates: 10 });
  expect(again.contentHash).not.toBe(item.contentHash);
});
