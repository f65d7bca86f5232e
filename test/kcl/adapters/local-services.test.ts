/** The library over the AWS SDK against the local services: over real sockets, in real time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { PutRecordsCommand, SplitShardCommand } from '@aws-sdk/client-kinesis';
import { adapters, Scheduler, type ProcessRecordsInput } from '../../../consumer/kcl';
import { aggregate } from '../support/kpl';
import { startLocalServices, type LocalServices } from '../support/local-services';

const REPOSITORY = path.resolve(__dirname, '../../..');

let services: LocalServices;
beforeAll(async () => {
  services = await startLocalServices();
});
afterAll(() => services.stop());

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 20_000) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function publish(stream: string, payloads: readonly Uint8Array[]): Promise<void> {
  const Records = payloads.map((Data, i) => ({ Data, PartitionKey: `key-${i}` }));
  await services.kinesis.send(new PutRecordsCommand({ StreamName: stream, Records }));
}

test('reads plain and aggregated records through a split, checkpoints them, and gives its leases up', async () => {
  await services.createStream('stream', 2);
  await services.createLeaseTable('app');
  const got: string[] = [];
  const inputs: ProcessRecordsInput[] = [];
  const scheduler = new Scheduler({
    config: {
      applicationName: 'app',
      streamName: 'stream',
      workerId: 'w',
      initialPosition: { type: 'TRIM_HORIZON' },
      failoverTimeMillis: 3_000,
      idleTimeBetweenReadsMillis: 200,
      callProcessRecordsEvenForEmptyRecordList: true,
    },
    processorFactory: () => ({
      initialize: async () => undefined,
      processRecords: async (input) => {
        inputs.push(input);
        for (const record of input.records) got.push(Buffer.from(record.data).toString());
        await input.checkpointer.checkpoint();
      },
      leaseLost: async () => undefined,
      shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
      shutdownRequested: ({ checkpointer }) => checkpointer.checkpoint(),
    }),
    dependencies: {
      ...adapters.systemDependencies(),
      log: () => undefined,
      kinesis: adapters.kinesisFromSdk(services.kinesis),
      dynamodb: adapters.dynamoFromSdk(services.dynamodb),
    },
  });
  const users = ['p', 'q', 'r'].map((name) => ({ partitionKey: name, data: Buffer.from(`in ${name}`) }));
  await publish('stream', [...Array.from({ length: 50 }, (_, i) => Buffer.from(`before ${i}`)), aggregate(users)]);
  const running = scheduler.run();
  await until(() => got.length === 53, '53 records');
  await services.kinesis.send(
    new SplitShardCommand({
      StreamName: 'stream',
      ShardToSplit: 'shardId-000000000000',
      NewStartingHashKey: String(2n ** 126n),
    }),
  );
  await publish(
    'stream',
    Array.from({ length: 50 }, (_, i) => Buffer.from(`after ${i}`)),
  );
  await until(() => got.length === 103, '103 records');
  expect(new Set(got).size).toBe(103);
  const tip = inputs.filter((input) => input.atTip).at(-1)!;
  expect(Math.abs(tip.serviceTime! - Date.now())).toBeLessThan(10_000);
  expect(scheduler.status()).toMatchObject({ state: 'STARTED', heldLeases: 4 });
  await scheduler.shutdown();
  await running;
  const row = await services.dynamodb.send(
    new GetItemCommand({ TableName: 'app', Key: { leaseKey: { S: 'shardId-000000000000' } } }),
  );
  expect(row.Item).toMatchObject({
    entityType: { S: 'LEASE' },
    checkpoint: { S: 'SHARD_END' },
    childShardIds: { SS: ['shardId-000000000002', 'shardId-000000000003'] },
    startingHashKey: { S: '0' },
  });
  expect(row.Item!['leaseOwner']).toBeUndefined();
});

describe('the README’s consumer', () => {
  let directory: string;
  const children: ChildProcess[] = [];

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'kcl-readme-'));
    const readme = readFileSync(path.join(REPOSITORY, 'consumer/kcl/README.md'), 'utf8');
    writeFileSync(path.join(directory, 'example.ts'), /```ts\n([\s\S]*?)```/.exec(readme)![1]!);
    for (const name of ['consumer', 'node_modules']) {
      symlinkSync(path.join(REPOSITORY, name), path.join(directory, name));
    }
  });

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  function startExample(): { child: ChildProcess; output: () => string } {
    let output = '';
    const child = spawn(process.execPath, ['--import', 'tsx', 'example.ts'], {
      cwd: directory,
      env: { ...services.environment, PATH: process.env['PATH'] },
    });
    children.push(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    return { child, output: () => output };
  }

  test('runs as written; SIGTERM hands its shards to a peer that processes nothing twice', async () => {
    await services.createStream('my-stream', 1);
    await services.createLeaseTable('my-app');
    await publish('my-stream', [Buffer.from('one'), Buffer.from('two')]);
    const first = startExample();
    await until(() => first.output().includes('shardId-000000000000 two'), 'the first worker');
    const ended = new Promise((resolve) => first.child.on('exit', resolve));
    first.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await publish('my-stream', [Buffer.from('three')]);
    const second = startExample();
    await until(() => second.output().includes('shardId-000000000000 three'), 'the second worker');
    expect(second.output()).not.toMatch(/000 (one|two)/);
    const over = new Promise((resolve) => second.child.on('exit', resolve));
    second.child.kill('SIGTERM');
    expect(await over).toBe(0);
  }, 40_000);
});
