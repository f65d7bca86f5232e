/** Both tables are lost: the operators' tools rebuild them from the bucket, and the local run goes on to the reading. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const state = mkdtempSync(join(tmpdir(), 'lost-tables-'));
const root = join(__dirname, '..', '..');

afterAll(() => rmSync(state, { recursive: true, force: true }));

function command<Result>(entry: string, ...args: string[]): Result {
  const options = [join('scripts', 'run.mjs'), join('bin', entry), ...args, '--json', '--state', state];
  const stdout = execFileSync(process.execPath, options, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(stdout.toString('utf8')) as Result;
}

interface Verified {
  readonly ok: boolean;
  readonly hours: number;
  readonly readings: number;
  readonly folded: number;
  readonly records: number;
  readonly conservation: string;
}

test('what was sealed stays as it is, nothing is read twice, and the next backlog is counted exactly', () => {
  const run = ['--exit', '--port', '0', '--mqtt-port', '0'];
  expect(command('local-run.ts', ...run)).toMatchObject({ ok: true });
  const before = command<Verified>('verify.ts');
  expect(before).toMatchObject({ ok: true, hours: 72, conservation: 'checked' });

  const tables = join(state, 'dynamodb', 'tables.jsonl');
  const lines = readFileSync(tables, 'utf8').split('\n');
  writeFileSync(tables, `${lines.filter((line) => line.includes('"settings"')).join('\n')}\n`);
  expect(command<{ items: number; leases: number }>('rebuild-leases.ts')).toMatchObject({
    applied: false,
    items: 0,
    leases: 0,
  });
  const rebuilt = command<{ heads: number; items: number; leases: number }>('rebuild-leases.ts', '--apply');
  expect(rebuilt.items).toBeGreaterThan(72);
  expect(rebuilt.leases).toBeGreaterThanOrEqual(rebuilt.heads);
  const { hours, readings, folded } = before;
  expect(command<Verified>('verify.ts')).toMatchObject({ ok: true, hours, readings, folded, conservation: 'checked' });

  // Its own devices' counts are compared with what is committed and sealed: it fails where a reading is lost or repeated.
  expect(command('local-run.ts', ...run)).toMatchObject({ ok: true });
  const after = command<Verified>('verify.ts');
  expect(after).toMatchObject({ ok: true, conservation: 'checked' });
  expect(after.records).toBeGreaterThan(before.records);
}, 900_000);
