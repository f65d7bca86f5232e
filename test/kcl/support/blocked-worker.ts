/**
 * A worker whose record processor does not give the event loop back: for each record it blocks for as many milliseconds as the record's
 * data says, then checkpoints. Tells what happens as JSON lines on stdout.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { adapters, Scheduler, type ShardRecordProcessor } from '../../../consumer/kcl';
import type { BlockedWorkerSettings } from './blocked-event-loop';

const { config, renewerFile, busy } = JSON.parse(process.argv[2] as string) as BlockedWorkerSettings;

const say = (event: string, members: object = {}): boolean =>
  process.stdout.write(`${JSON.stringify({ event, ...members })}\n`);

function block(millis: number): void {
  const end = performance.now() + millis;
  if (busy) while (performance.now() < end);
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis);
}

const processor: ShardRecordProcessor = {
  initialize: async () => void say('initialized'),
  processRecords: async ({ records, checkpointer }) => {
    for (const { data } of records) block(Number(Buffer.from(data).toString()));
    try {
      await checkpointer.checkpoint();
      say('checkpointed');
    } catch (error) {
      say('refused', { error: (error as Error).name });
    }
  },
  leaseLost: async () => void say('leaseLost'),
  shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
  shutdownRequested: async () => undefined,
};

const dependencies = {
  ...adapters.systemDependencies(),
  kinesis: adapters.kinesisFromSdk(new KinesisClient({})),
  dynamodb: adapters.dynamoFromSdk(new DynamoDBClient({})),
  log: () => undefined,
  leaseHolder: adapters.renewalsInThread(adapters.systemClock, renewerFile),
};
void new Scheduler({ config, processorFactory: () => processor, dependencies }).run();
// Ends with its parent.
process.stdin.on('end', () => process.exit(0)).resume();
