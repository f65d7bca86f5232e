/** A consumer as a user of the library writes one; it tells its parent what it processed. Bundled with the renewer thread. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { adapters, Scheduler, type ShardRecordProcessorFactory } from '../../consumer/kcl';
import type { FromWorker, WorkerConfig } from './messages';

const STATUS_INTERVAL_MILLIS = 50;

const { checkpointIntervalMillis, ...config } = JSON.parse(process.argv[2] as string) as WorkerConfig;
const tell = (message: FromWorker): Promise<void> =>
  new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));

const processorFactory: ShardRecordProcessorFactory = (shardId) => {
  let checkpointedAt = Date.now();
  return {
    initialize: async () => {},
    processRecords: async ({ records, checkpointer }) => {
      const sequenceNumbers = records.map(({ sequenceNumber }) => sequenceNumber);
      await tell({ type: 'batch', shardId, at: Date.now(), sequenceNumbers });
      if (Date.now() - checkpointedAt < checkpointIntervalMillis) return;
      checkpointedAt = Date.now();
      await checkpointer.checkpoint();
    },
    leaseLost: async () => {},
    shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
    shutdownRequested: ({ checkpointer }) => checkpointer.checkpoint(),
  };
};

const dependencies = {
  ...adapters.systemDependencies(),
  log: () => undefined,
  kinesis: adapters.kinesisFromSdk(new KinesisClient()),
  dynamodb: adapters.dynamoFromSdk(new DynamoDBClient()),
};
const scheduler = new Scheduler({ config, processorFactory, dependencies });
const status = setInterval(() => {
  const { heldLeases, isLeader } = scheduler.status();
  void tell({ type: 'status', heldLeases, isLeader });
}, STATUS_INTERVAL_MILLIS);

process.on('SIGTERM', () => void scheduler.shutdown());
// A worker whose parent is gone has nobody to work for.
process.on('disconnect', () => process.exit(1));
scheduler.run().then(
  () => {
    clearInterval(status);
    process.exit(0);
  },
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
