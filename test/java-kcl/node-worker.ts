/** A worker of consumer/kcl that does and notes what the Java worker does and notes, in the same form. */
import { appendFileSync, readFileSync } from 'node:fs';
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
const note = (event: string, shardId: string, sequenceNumber = '-', detail = '-'): void =>
  appendFileSync(output, `${Date.now()} ${event} ${shardId} ${sequenceNumber} ${detail}\n`);

const processorFactory: ShardRecordProcessorFactory = (shardId) => {
  let last = '-';
  let prepared = false;
  const attempt = async (what: string, sequenceNumber: string, write: () => Promise<unknown>): Promise<void> => {
    try {
      await write();
      note(what, shardId, sequenceNumber);
    } catch (error) {
      note('checkpointFailed', shardId, sequenceNumber, (error as Error).name);
    }
  };
  return {
    initialize: async ({ checkpoint, pendingCheckpoint, pendingCheckpointState }) => {
      const state = pendingCheckpointState && Buffer.from(pendingCheckpointState).toString('utf8');
      const pending = pendingCheckpoint && `${pendingCheckpoint.sequenceNumber}/${state ?? '-'}`;
      note('initialize', shardId, checkpoint.sequenceNumber, pending);
    },
    processRecords: async ({ records, checkpointer }) => {
      let text = '';
      for (const { data, sequenceNumber } of records) {
        text = Buffer.from(data).toString('utf8');
        last = sequenceNumber;
        note('record', shardId, last, text);
      }
      prepared = text.startsWith('prepare');
      const state = Buffer.from(text);
      if (prepared) await attempt('prepare', last, () => checkpointer.prepareCheckpoint(undefined, state));
      else await attempt('checkpoint', last, () => checkpointer.checkpoint());
    },
    leaseLost: async () => note('leaseLost', shardId),
    shardEnded: async ({ checkpointer }) => {
      note('shardEnded', shardId);
      await attempt('checkpoint', 'SHARD_END', () => checkpointer.checkpoint());
    },
    shutdownRequested: async ({ checkpointer }) => {
      note('shutdownRequested', shardId);
      if (!prepared) await attempt('checkpoint', last, () => checkpointer.checkpoint());
    },
  };
};

const scheduler = new Scheduler({
  config: {
    applicationName: env('APPLICATION_NAME'),
    streamName: env('STREAM_NAME'),
    workerId: env('WORKER_ID'),
    initialPosition: { type: 'TRIM_HORIZON' },
    ...(env('RETRIEVAL') === 'FAN_OUT' ? { consumerArn: env('CONSUMER_ARN') } : {}),
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
    // The utilisation that the test asks for.
    workerMetrics: [
      {
        shortName: 'C',
        maxUtilization: 100,
        capture: async () => Number(readFileSync(env('WORKER_CPU'), 'utf8')),
      },
    ],
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
