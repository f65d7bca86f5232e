import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { CfnResource } from 'aws-cdk-lib';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { LocalRun } from '../../../local/runtime/local-run';
import { synthesizeToyApp } from './toy-app';

let directory: string;
let state: string;
const runs: LocalRun[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'local-run-'));
  state = path.join(directory, 'state');
});
afterEach(async () => {
  for (const run of runs.splice(0)) await run.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function start(
  assembly: string,
  overrides: Partial<Parameters<typeof LocalRun.start>[0]> = {},
): Promise<LocalRun> {
  const run = await LocalRun.start({ assembly, stateDirectory: state, port: 0, mqttPort: 0, ...overrides });
  runs.push(run);
  return run;
}

async function until<Found>(what: string, probe: () => Promise<Found | undefined> | Found | undefined): Promise<Found> {
  for (const end = Date.now() + 20_000; ;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function recordsOf(run: LocalRun): Promise<string[]> {
  const kinesis = new KinesisClient({
    endpoint: run.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'x' },
  });
  const StreamName = run.outputs['StreamName'];
  const found: string[] = [];
  for (const { ShardId } of (await kinesis.send(new ListShardsCommand({ StreamName }))).Shards ?? []) {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records = [] } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
    found.push(...Records.map(({ Data }) => Buffer.from(Data!).toString()));
  }
  kinesis.destroy();
  return found.sort();
}

test('objects that tasks write reach the stream, by bus, queue and function; state and names outlive the run', async () => {
  const assembly = synthesizeToyApp({ directory });
  let run = await start(assembly);
  const bucket = run.outputs['BucketName']!;
  expect(bucket).toMatch(/^toy-lake-bucket-[0-9a-f]{12}$/);
  expect(run.resources().find(({ logicalId }) => logicalId === 'Bucket')).toEqual({
    stack: 'Toy-Lake',
    logicalId: 'Bucket',
    type: 'AWS::S3::Bucket',
    physicalId: bucket,
  });
  const keys = run
    .tasks()
    .map(({ id }) => `out/${id}-app.txt`)
    .sort();
  expect(keys).toHaveLength(2);
  const first = run;
  await until('both keys on the stream', async () => {
    const records = await recordsOf(first);
    return records.length >= 2 ? records : undefined;
  }).then((records) => expect(records).toEqual(keys));
  // Objects are plain files.
  expect(readFileSync(path.join(state, 's3', bucket, keys[0]!), 'utf8')).toBe(`hello-${bucket}`);

  // Each call carries its own role.
  const requests = run.gateway.log.entries();
  const callers = (operation: string) =>
    new Set(
      requests.filter((entry) => entry.operation === operation).map(({ caller }) => caller.replace(/-[^-]*$/, '')),
    );
  expect(callers('PutObject')).toEqual(new Set(['arn:aws:iam::000000000000:role/Toy-Work-TaskRole']));
  expect(callers('PutRecord')).toEqual(new Set(['arn:aws:iam::000000000000:role/Toy-Work-FunctionRole']));
  expect(callers('ReceiveMessage')).toEqual(new Set(['arn:aws:iam::000000000000:role/Toy-Work-FunctionRole']));

  // Other commands find the run by its file.
  expect(JSON.parse(readFileSync(path.join(state, 'run.json'), 'utf8'))).toMatchObject({
    endpoint: run.endpoint,
    pid: process.pid,
    mqttPort: run.mqttPort,
    outputs: run.outputs,
  });
  const page = (await (await fetch(`${run.endpoint}/_local/`)).json()) as { tasks: unknown[]; resources: number };
  expect(page.tasks).toHaveLength(2);
  expect(page.resources).toBe(run.resources().length);

  // A killed task is replaced, and the new one does its work.
  process.kill(run.tasks()[0]!.pid!, 'SIGKILL');
  const third = await until('a third object', async () => {
    const records = await recordsOf(first);
    return records.length >= 3 ? records : undefined;
  });
  expect(third).toEqual(expect.arrayContaining(keys));

  const logs = path.join(state, 'logs', run.tasks()[0]!.service);
  await run.stop();
  expect(existsSync(path.join(state, 'run.json'))).toBe(false);
  const texts = readdirSync(logs).map((file) => readFileSync(path.join(logs, file), 'utf8'));
  expect(texts.filter((text) => text.includes('draining'))).toHaveLength(2);

  run = await start(synthesizeToyApp({ directory, desiredCount: 0 }));
  expect(run.outputs['BucketName']).toBe(bucket);
  expect(await recordsOf(run)).toEqual(third);
  expect(run.tasks()).toEqual([]);
});

test('a resource type that is not known stops the run, and leaves nothing behind', async () => {
  const assembly = synthesizeToyApp({
    directory,
    change: (stack) => new CfnResource(stack, 'Files', { type: 'AWS::EFS::FileSystem' }),
  });
  await expect(start(assembly)).rejects.toThrow('stack Toy-Work: Files is of type AWS::EFS::FileSystem');
  const again = await start(synthesizeToyApp({ directory, desiredCount: 0 }));
  expect(again.tasks()).toEqual([]);
});

test('a busy port is one message that names the port and the option', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const assembly = synthesizeToyApp({ directory, desiredCount: 0 });
  await expect(start(assembly, { port })).rejects.toThrow(
    `port ${port} is taken by another program: choose another with --port N`,
  );
  await expect(start(assembly, { mqttPort: port })).rejects.toThrow(
    `port ${port} is taken by another program: choose another with --mqtt-port N`,
  );
  await new Promise((resolve) => server.close(resolve));
});

test('one run per state directory; the lock of a run that was killed is taken over', async () => {
  const assembly = synthesizeToyApp({ directory, desiredCount: 0 });
  const run = await start(assembly);
  await expect(start(assembly)).rejects.toThrow(`a local run is up already over ${state} (process ${process.pid})`);
  await run.stop();
  writeFileSync(path.join(state, 'lock'), '999999999');
  writeFileSync(path.join(state, 'run.json'), '{}');
  await start(assembly);
  expect(readFileSync(path.join(state, 'lock'), 'utf8')).toBe(String(process.pid));
});
