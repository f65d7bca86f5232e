/** The fold thread as it is bundled. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { InProcessFoldRunner, type FoldRequest } from '../../consumer/lake/fold/runner';
import { WorkerFoldRunner } from '../../consumer/lake/fold/worker-runner';
import { buildCut } from '../../consumer/lake/append/cut';
import { Batch } from '../../consumer/lake/append/batch';
import { RecordDecoder } from '../../consumer/readings/decode';
import { readingSchema } from '../../consumer/readings/schema';
import { telemetryTopic } from '../../lib/contracts/topics';
import { AwsError } from '../../local/gateway/service';
import { useCases } from '../../use-cases';
import { BASE, limits, raw } from './support/telemetry';
import { wiredStores, type WiredStores } from './support/wire';

let stores: WiredStores;
let directory: string;
let runner: WorkerFoldRunner;
const [useCase] = useCases;

beforeAll(async () => {
  stores = await wiredStores();
  directory = mkdtempSync(join(tmpdir(), 'fold-worker-'));
  const script = join(directory, 'fold-worker.js');
  buildSync({
    entryPoints: [join(__dirname, '../../consumer/lake/fold-worker.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  });
  runner = new WorkerFoldRunner(script, 'lake', 64, {
    AWS_ENDPOINT_URL: stores.gateway.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'LOCALROOT0000000000',
    AWS_SECRET_ACCESS_KEY: 'any',
  });
});

afterAll(async () => {
  await runner.close();
  await stores.close();
  rmSync(directory, { recursive: true });
});

async function request(generation: number, rows: number): Promise<FoldRequest> {
  const batch = new Batch();
  const decoder = new RecordDecoder(
    new Map([[useCase!.name, readingSchema(useCase!)]]),
    limits,
    'shardId-000000000000',
  );
  const values = Object.fromEntries(
    Object.entries(useCase!.schema).map(([name, { minimum, maximum }]) => [name, Math.round((minimum + maximum) / 2)]),
  );
  for (let at = 0; at < 20; at++) {
    const payload = Buffer.from(JSON.stringify({ timestamp: BASE + at * 1000, ...values })).toString('base64');
    const envelope = { payload, topic: telemetryTopic(useCase!.name, 'd-1'), device: 'd-1', received: BASE + 60_000 };
    const record = raw(JSON.stringify(envelope), { sequence: at });
    batch.beginRecord(record);
    const { elements, stoppedAt } = decoder.decode(record, batch);
    batch.endRecord(elements, stoppedAt);
  }
  const cut = buildCut(batch, {
    shardId: 'shardId-000000000000',
    start: 'TRIM_HORIZON',
    id: `g${generation}`,
    codeVersion: 'v',
    gap: false,
  });
  const [object] = cut.objects;
  const [segment] = cut.pending.segments;
  await stores.objects.create(object!.key, object!.body, {});
  const { key, bytes, contentHash } = segment!;
  return {
    bucket: 0,
    inputs: {
      useCase: useCase!.name,
      hour: segment!.hour,
      generation,
      codeVersion: 'v',
      buckets: 1,
      segments: [{ key, bytes, contentHash, rows }],
      tailSegments: [],
    },
  };
}

test('the thread folds as this process does, tells a fold that fails from a request that fails, and starts anew', async () => {
  const first = await request(1, 20);
  const outcome = await runner.run(first);
  expect(outcome).toMatchObject({ registered: 20, folded: 20, duplicates: 0, part: { rows: expect.any(Number) } });
  const here = new InProcessFoldRunner(stores.objects, new Map([[useCase!.name, useCase!]]));
  // The part exists by now: this one adopts it.
  expect(await here.run(first)).toEqual(outcome);

  await expect(runner.run(await request(2, 21))).rejects.toMatchObject({
    name: 'FoldFailedError',
    message: expect.stringContaining('20 rows'),
  });
  // More rows than share a thread: one of its own.
  await expect(runner.run(await request(3, 1_000_000))).rejects.toMatchObject({ name: 'FoldFailedError' });
  const fourth = await request(4, 20);
  stores.gateway.fault = () => new AwsError('AccessDenied', 'no', 403);
  await expect(runner.run(fourth)).rejects.toMatchObject({ name: 'AccessDenied' });
  stores.gateway.fault = undefined;
  await runner.close();
  expect((await runner.run(first)).folded).toBe(20);
});
