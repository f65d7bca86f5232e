/** A worker of consumer/kcl that notes what the Java worker notes, in the same form. */
import { appendFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { adapters, Scheduler, type ShardRecordProcessorFactory } from '../../consumer/kcl';
import type { ClientVersionConfig } from '../../consumer/kcl/coordinator/fleet-mode';

function env(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`The environment variable ${name} is missing`);
  return value;
}

const output = env('WORKER_OUTPUT');
const note = (event: string, shardId: string, detail = '-'): void =>
  appendFileSync(output, `${Date.now()} ${event} ${shardId} ${detail}\n`);

const processorFactory: ShardRecordProcessorFactory = (shardId) => ({
  initialize: async ({ checkpoint }) => note('initialize', shardId, checkpoint.sequenceNumber),
  processRecords: async ({ records, checkpointer }) => {
    for (const { data } of records) note('record', shardId, Buffer.from(data).toString('utf8'));
    await checkpointer.checkpoint();
  },
  leaseLost: async () => note('leaseLost', shardId),
  shardEnded: async ({ checkpointer }) => {
    note('shardEnded', shardId);
    await checkpointer.checkpoint();
  },
  shutdownRequested: async ({ checkpointer }) => {
    note('shutdownRequested', shardId);
    await checkpointer.checkpoint();
  },
});

const scheduler = new Scheduler({
  config: {
    applicationName: env('APPLICATION_NAME'),
    streamName: env('STREAM_NAME'),
    workerId: env('WORKER_ID'),
    initialPosition: { type: 'TRIM_HORIZON' },
    failoverTimeMillis: Number(env('FAILOVER_TIME_MILLIS')),
    idleTimeBetweenReadsMillis: 300,
    parentShardPollIntervalMillis: 1_000,
    clientVersionConfig: env('CLIENT_VERSION_CONFIG') as ClientVersionConfig,
  },
  processorFactory,
  dependencies: {
    ...adapters.systemDependencies(),
    kinesis: adapters.kinesisFromSdk(new KinesisClient()),
    dynamodb: adapters.dynamoFromSdk(new DynamoDBClient()),
  },
});
process.on('SIGTERM', () => void scheduler.shutdown());
note('started', '-');
scheduler.run().then(
  () => {
    note('stopped', '-');
    process.exit(0);
  },
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
