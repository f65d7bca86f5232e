/**
 * The whole path on one machine: `npm start -- --exit --json`, which reshards its stream during the backlog, with one of
 * the four consumers killed meanwhile. What the files hold is compared with what the devices say they sent.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { RunSummary } from '../../bin/support/run-report';
import type { SentPublish } from '../../bin/support/simulation';
import { findRunning, localCredentials, localRegion, type RunningLocally } from '../../bin/support/target';
import { segmentShard } from '../../consumer/lake/registry-items';
import type { RunningTask } from '../../local/runtime/pages';
import { useCases } from '../../use-cases';
import { fileList, newestManifests, query } from './support/lake';
import { newStateDirectory, startCommand, until, type CommandResult } from './support/run';

const BACKLOG_HOURS = 24;
const TASKS = 4;
const state = newStateDirectory();
let result: CommandResult;
let summary: RunSummary;
let killed: number;

beforeAll(async () => {
  const command = startCommand('bin/local-run.ts', [
    '--exit',
    '--json',
    '--state',
    state,
    '--port',
    '0',
    '--mqtt-port',
    '0',
  ]);
  const ended = command.result.then((value) => {
    result = value;
  });
  killed = await Promise.race([killOneConsumer(), ended.then(() => 0)]);
  await ended;
  if (result.code !== 0) throw new Error(`npm start ended with ${result.code}: ${result.stderr.slice(-2_000)}`);
  summary = JSON.parse(result.stdout) as RunSummary;
}, 600_000);

afterAll(() => rmSync(state, { recursive: true, force: true }));

/** kill -9 of a consumer task that holds a lease, while the devices publish their backlog. */
async function killOneConsumer(): Promise<number> {
  const running = await until('the local run', () => findRunning(state), 240_000);
  const sent = path.join(state, 'devices', 'sent', 'sim', `${useCases[0]?.name}.ndjson`);
  await until('a first publish', () => existsSync(sent) || undefined, 240_000);
  const tasks = await until('four consumer tasks', () => consumerTasks(running.endpoint), 60_000);
  const pid = await until('the owner of a lease', async () => ownerOfLease(running, tasks), 60_000);
  process.kill(pid, 'SIGKILL');
  return pid;
}

async function consumerTasks(endpoint: string): Promise<RunningTask[] | undefined> {
  const tasks = (await (await fetch(`${endpoint}/_local/tasks`)).json()) as RunningTask[];
  return tasks.length === TASKS ? tasks : undefined;
}

async function ownerOfLease(running: RunningLocally, tasks: readonly RunningTask[]): Promise<number | undefined> {
  const dynamodb = new DynamoDBClient({
    endpoint: running.endpoint,
    region: localRegion,
    credentials: localCredentials,
  });
  const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: running.outputs['LeaseTableName'] }));
  const owners = Items.map((item) => item['leaseOwner']?.S ?? '');
  return tasks.find(({ id }) => owners.some((owner) => owner.startsWith(`${id}:`)))?.pid;
}

describe('npm start -- --exit --json, with a reshard and one consumer killed', () => {
  it('killed a consumer that was running', () => {
    expect(killed).toBeGreaterThan(0);
  });

  it('resharded the stream from two to four to three shards, and read from each generation of them', () => {
    expect(summary.shards).toEqual([2, 4, 3]);
    const shards = new Set(
      useCases.flatMap(({ name }) =>
        newestManifests(summary.files, name).flatMap(({ manifest }) =>
          manifest.segments.map(({ key }) => Number(segmentShard(key).slice('shardId-'.length))),
        ),
      ),
    );
    // Shards 0 and 1, then 2 to 5; even ranges of thirds need two splits (6 to 9) and three merges: 10 to 12.
    expect(Math.min(...shards)).toBeLessThan(2);
    expect([...shards].filter((shard) => shard >= 2 && shard <= 5)).not.toEqual([]);
    expect([...shards].filter((shard) => shard >= 10).sort()).toEqual([10, 11, 12]);
  });

  it('prints one JSON object on stdout and nothing else', () => {
    expect(result.stdout.trim().split('\n')).toHaveLength(1);
    expect(summary.ok).toBe(true);
    expect(summary.useCases.map((each) => each.name)).toEqual(useCases.map((each) => each.name));
  });

  it.each(useCases.map((each) => each.name))('%s: 24 sealed partitions and an execution that ended', (name) => {
    const useCase = summary.useCases.find((each) => each.name === name);
    expect(useCase?.sealedPartitions).toBeGreaterThanOrEqual(BACKLOG_HOURS);
    expect(['Succeeded', 'Failed']).toContain(useCase?.execution?.status);
    if (useCase?.execution?.status === 'Failed') expect(useCase.execution.failureReason).toMatch(/at most|at least/);
    else expect(useCase?.model?.packageArn).toMatch(/^arn:aws:sagemaker:.*:model-package\//);
  });

  it.each(useCases.map((each) => each.name))(
    '%s: readings in = folded + duplicates + quarantined, as the devices sent them',
    (name) => {
      const counts = summary.useCases.find((each) => each.name === name);
      const sent = readSent(name);
      expect(counts?.readingsIn).toBe(
        (counts?.readingsFolded ?? 0) + (counts?.duplicates ?? 0) + (counts?.quarantined ?? 0),
      );
      expect(counts?.readingsFolded).toBe(sent.distinct.size);
      expect(counts?.quarantined).toBe(sent.malformed);
      expect(counts?.readingsIn).toBe(sent.wellFormed + sent.malformed);
    },
  );

  it.each(useCases.map((each) => each.name))(
    '%s: the files alone hold each reading that was sent, once',
    async (name) => {
      const lake = summary.files;
      const manifests = newestManifests(lake, name);
      const segments = manifests.flatMap(({ manifest }) => manifest.segments.map((segment) => segment.key));
      const parts = manifests.flatMap(({ manifest }) => manifest.parts.map((part) => part.key));
      const rows = await query(
        `SELECT device || ' ' || message_id AS id, count(DISTINCT date_trunc('hour', event_time)) AS hours
       FROM read_parquet(${fileList(lake, segments)}) GROUP BY ALL`,
      );
      const { distinct } = readSent(name);
      expect(rows.length).toBe(distinct.size);
      expect(rows.filter((row) => !distinct.has(String(row['id'])))).toEqual([]);
      expect(rows.filter((row) => Number(row['hours']) !== 1)).toEqual([]);
      const [folded] = await query(
        `SELECT sum(readings)::BIGINT AS readings FROM read_parquet(${fileList(lake, parts)})`,
      );
      expect(Number(folded?.['readings'])).toBe(distinct.size);
    },
  );

  it.each(useCases.map((each) => each.name))(
    '%s: every malformed payload is one quarantine entry with a reason',
    (name) => {
      const entries = quarantineEntries(summary.files, name);
      expect(entries).toHaveLength(readSent(name).malformed);
      for (const entry of entries)
        expect(entry).toMatchObject({ reason: expect.stringMatching(/\S/), detail: expect.stringMatching(/\S/) });
    },
  );
});

function readSent(useCase: string): { distinct: Set<string>; wellFormed: number; malformed: number } {
  const distinct = new Set<string>();
  let wellFormed = 0;
  let malformed = 0;
  for (const line of readFileSync(path.join(state, 'devices', 'sent', 'sim', `${useCase}.ndjson`), 'utf8')
    .trim()
    .split('\n')) {
    const sent = JSON.parse(line) as SentPublish;
    for (const id of sent.messageIds) distinct.add(`${sent.device} ${id}`);
    wellFormed += sent.messageIds.length;
    malformed += sent.malformed;
  }
  return { distinct, wellFormed, malformed };
}

function quarantineEntries(lake: string, useCase: string): unknown[] {
  const root = path.join(lake, 'quarantine', useCase);
  if (!existsSync(root)) return [];
  return findFiles(root).flatMap((file) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  );
}

function findFiles(root: string): string[] {
  return (readdirSync(root, { recursive: true }) as string[])
    .filter((leaf) => leaf.endsWith('.ndjson'))
    .map((leaf) => path.join(root, leaf));
}
