/** Renewals in a worker thread, over real sockets and in real time: bundled as for the container, and starved of its event loop. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoFromSdk } from '../../../consumer/kcl/adapters/dynamodb-sdk';
import { systemClock } from '../../../consumer/kcl/adapters/system';
import { ShutdownError } from '../../../consumer/kcl/common/errors';
import { DynamoDbLeaseRefresher } from '../../../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import type { LeaseHolder } from '../../../consumer/kcl/leases/lease-holder';
import { newLease } from '../../../consumer/kcl/leases/lease';
import { renewalsInThread } from '../../../consumer/kcl/workers/threaded-lease-holder';
import { bundleRenewerThread } from '../support/blocked-event-loop';

const REPOSITORY = path.resolve(__dirname, '../../..');
const FAILOVER = 1_200;
const LIVENESS = 2_000;
const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });

/** User code that does not give the event loop back. */
function block(millis: number): void {
  const end = performance.now() + millis;
  while (performance.now() < end);
}

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

let directory: string;
let file: string;
let services: ChildProcess;
let client: DynamoDBClient;
let refresher: DynamoDbLeaseRefresher;
const before = { ...process.env };
const holders: LeaseHolder[] = [];

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'kcl-thread-'));
  file = path.join(directory, 'renewer-thread.js');
  bundleRenewerThread(file);
  services = spawn(process.execPath, ['--import', 'tsx', 'test/kcl/support/services-process.ts'], {
    cwd: REPOSITORY,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const environment = await new Promise<Record<string, string>>((resolve) => {
    services.stdout!.once('data', (data) => resolve(JSON.parse(String(data)) as Record<string, string>));
  });
  Object.assign(process.env, environment);
  client = new DynamoDBClient({});
  refresher = new DynamoDbLeaseRefresher({
    dynamodb: dynamoFromSdk(client),
    clock: systemClock,
    log: () => undefined,
    tableName: 'app',
    requestTimeout: 5_000,
  });
});

afterAll(async () => {
  await Promise.all(holders.map((holder) => holder.stop()));
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  client.destroy();
  services.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const lost: string[] = [];
const logged: string[] = [];
const measured = new Map<string, number>();
async function holderOf(workerId: string, keys: readonly string[]): Promise<LeaseHolder> {
  let tokens = 0;
  lost.length = 0;
  const holder = renewalsInThread(systemClock, file)(
    {
      workerId,
      tableName: 'app',
      failoverTime: FAILOVER,
      epsilon: 25,
      livenessTimeout: LIVENESS,
      maxConcurrency: 20,
      requestTimeout: 1_000,
    },
    {
      log: (_level, event) => void logged.push(event),
      uuid: () => `token-${tokens++}`,
      metrics: {
        scope: (operation) => ({
          add: (name, value) => void measured.set(`${operation} ${name}`, value),
          dimension: () => undefined,
          end: () => undefined,
        }),
      },
      onLost: (key) => void lost.push(key),
      onHandoff: () => undefined,
    },
  )!;
  holders.push(holder);
  await holder.start();
  for (const key of keys) {
    const lease = newLease(key, at('100'), [], undefined);
    await refresher.createLeaseIfNotExists(lease);
    const sentAt = systemClock.monotonic();
    const taken = await refresher.takeLease(lease, workerId);
    if (!taken.written) throw new Error('not taken');
    holder.hold(taken.lease, sentAt);
  }
  return holder;
}

test('without a bundled file there is no thread', () => {
  expect(renewalsInThread(systemClock, path.join(directory, 'none.js'))({} as never, {} as never)).toBeUndefined();
});

test('a worker whose event loop is blocked beyond the failover time keeps its lease; beyond its liveness it writes nothing more', async () => {
  const holder = await holderOf('me', ['s1']);
  const held = holder.held('s1')!;
  await sleep(300);
  block(1.6 * FAILOVER);
  expect(holder.remaining('s1', held.concurrencyToken)).toBeGreaterThan(0);
  await holder.update('s1', held.concurrencyToken, { checkpoint: at('200') });
  expect(await refresher.getLease('s1')).toMatchObject({ leaseOwner: 'me', checkpoint: at('200') });
  expect(lost).toEqual([]);
  await sleep(50);
  expect(measured.get('RenewAllLeases CurrentLeases')).toBe(1);
  expect(measured.get('RenewAllLeases Time')).toBeGreaterThan(0);

  holder.stamp('s1', held.concurrencyToken);
  block(LIVENESS + FAILOVER + 500);
  expect(holder.remaining('s1', held.concurrencyToken)).toBe(0);
  const late = holder.update('s1', held.concurrencyToken, { checkpoint: at('300') });
  await expect(late).rejects.toThrow(ShutdownError);
  await sleep(600);
  expect(await refresher.getLease('s1')).toMatchObject({ checkpoint: at('200') });
  expect(lost).toEqual(['s1']);
  expect(logged).toContain('a lease is not renewed: its consumer gives no sign of life');
});

test('a stolen lease is reported and its checkpoint refused; an eviction leaves the row unowned', async () => {
  const holder = await holderOf('me', ['s2', 's3']);
  const [two, three] = [holder.held('s2')!.concurrencyToken, holder.held('s3')!.concurrencyToken];
  await refresher.takeLease((await refresher.getLease('s2'))!, 'other');
  await expect(holder.update('s2', two, { checkpoint: at('200') })).rejects.toThrow(ShutdownError);
  await sleep(50);
  expect(lost).toEqual(['s2']);
  expect(holder.all().map((held) => held.lease.leaseKey)).toEqual(['s3']);
  await holder.evict('s3', three);
  expect((await refresher.getLease('s3'))!.leaseOwner).toBeUndefined();
});
