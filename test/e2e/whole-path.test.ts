/**
 * The whole path on one machine: `npm start -- --exit --json` with one of the two consumers killed during the backlog,
 * then a replay over the same state. What the files hold is compared with what the devices say they sent.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { RunSummary } from '../../bin/support/run-report';
import type { SentPublish } from '../../bin/support/simulation';
import { useCases } from '../../use-cases';
import { fileList, newestManifests, query } from './support/lake';
import { newStateDirectory, startCommand, until, type CommandResult } from './support/run';

const BACKLOG_HOURS = 24;
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

/** kill -9 of one of the two consumer tasks once the first readings are committed and the backlog still runs. */
async function killOneConsumer(): Promise<number> {
  await until('a first segment', () => existsSync(path.join(state, 'devices', 'sent', 'sim')) || undefined, 240_000);
  const running = await until(
    'two consumer tasks',
    async () => {
      const file = path.join(state, 'run.json');
      if (!existsSync(file)) return undefined;
      const { endpoint } = JSON.parse(readFileSync(file, 'utf8')) as { endpoint: string };
      const tasks = (await (await fetch(`${endpoint}/_local/tasks`)).json()) as { pid: number; service: string }[];
      return tasks.length >= 2 ? tasks : undefined;
    },
    60_000,
  );
  await until(
    'a first committed segment',
    () => {
      const sent = path.join(state, 'devices', 'sent', 'sim', `${useCases[0]?.name}.ndjson`);
      return existsSync(sent) || undefined;
    },
    60_000,
  );
  const pid = running[0]?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  return pid;
}

describe('npm start -- --exit --json, with one consumer killed', () => {
  it('killed a consumer that was running', () => {
    expect(killed).toBeGreaterThan(0);
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
