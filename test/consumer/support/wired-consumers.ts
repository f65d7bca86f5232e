/** Consumers as they run, with the library, over HTTP against the local services; only the process is the test's. */
import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import type { ConsumerConfig } from '../../../consumer/config';
import { Consumer } from '../../../consumer/consumer';
import { adapters } from '../../../consumer/kcl';
import { InProcessFoldRunner } from '../../../consumer/lake/fold/runner';
import { partitionOf } from '../../../lib/contracts/lake-layout';
import { ledgerPk, type LedgerItem, type PartitionItem, partitionPk } from '../../../lib/contracts/registry';
import { systemClock } from '../../../local/gateway/service';
import { KinesisEngine } from '../../../local/services/kinesis/engine';
import { enveloped, HOUR, testUseCase } from '../../lake/support/telemetry';
import { wiredStores, type WiredStores } from '../../lake/support/wire';

const ROOT = { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' };
const STREAM = 'telemetry';
const SHARDS = [0, 1];

export interface RunningConsumer {
  readonly consumer: Consumer;
  readonly done: Promise<void>;
}

/** Local services with a stream of two shards, and the consumers that a test starts on it. */
export class WiredConsumers {
  private readonly running: RunningConsumer[] = [];

  private constructor(
    private readonly stores: WiredStores,
    readonly kinesis: KinesisEngine,
  ) {}

  static async open(): Promise<WiredConsumers> {
    const stores = await wiredStores();
    const kinesis = new KinesisEngine({ clock: systemClock });
    stores.gateway.add(kinesis);
    await kinesis.call('CreateStream', { StreamName: STREAM, ShardCount: SHARDS.length }, ROOT);
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
    return new WiredConsumers(stores, kinesis);
  }

  async close(): Promise<void> {
    for (const { consumer } of this.running) consumer.stop();
    await Promise.all(this.running.map(({ done }) => done));
    await this.stores.close();
  }

  start(workerId: string, overrides: Partial<ConsumerConfig> = {}): RunningConsumer {
    const { registry, objects, client } = this.stores;
    const log = (): void => undefined;
    const consumer = new Consumer(
      {
        config: {
          streamName: STREAM,
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
          ...overrides,
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
          kinesis: adapters.kinesisFromSdk(new KinesisClient(client)),
          dynamodb: adapters.dynamoFromSdk(new DynamoDBClient(client)),
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
    const running = { consumer, done: consumer.run() };
    this.running.push(running);
    return running;
  }

  async put(payloads: readonly { payload: object | string; device: string }[]): Promise<void> {
    const Records = payloads.map(({ payload, device }) => ({
      Data: Buffer.from(enveloped(payload, { device, received: Date.now() }).data).toString('base64'),
      PartitionKey: device,
    }));
    await this.kinesis.call('PutRecords', { StreamName: STREAM, Records }, ROOT);
  }

  /** ARN of a consumer that is registered for enhanced fan-out. */
  async registerConsumer(): Promise<string> {
    const StreamARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`;
    const answer = await this.kinesis.call('RegisterStreamConsumer', { StreamARN, ConsumerName: 'test' }, ROOT);
    return (answer as { Consumer: { ConsumerARN: string } }).Consumer.ConsumerARN;
  }

  async sealed(hour: number): Promise<PartitionItem | undefined> {
    const pk = partitionPk(partitionOf(testUseCase.name, hour));
    const item = (await this.stores.registry.get({ pk, sk: 'PARTITION' })) as unknown as PartitionItem | undefined;
    return item?.generation === undefined ? undefined : item;
  }

  /** What the ledgers of all shards count. */
  async committed(): Promise<{ readings: number; quarantined: number }> {
    const rows = await Promise.all(
      SHARDS.map((shard) => this.stores.registry.query(ledgerPk(`shardId-${String(shard).padStart(12, '0')}`))),
    );
    const counts = { readings: 0, quarantined: 0 };
    for (const { readings, quarantined } of rows.flat() as unknown as LedgerItem[]) {
      counts.readings += readings;
      counts.quarantined += quarantined;
    }
    return counts;
  }
}

export async function until<Result>(what: string, look: () => Promise<Result | undefined>): Promise<Result> {
  const deadline = Date.now() + 100_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await adapters.systemClock.sleep(100);
  }
}
