import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../../../local/storage/journal';

let path: string;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'journal-')), 'entries.jsonl');
});
afterEach(() => {
  Journal.room = undefined;
});

function entries(): string[] {
  const found: string[] = [];
  Journal.open<string>(path, (entry) => found.push(entry)).close();
  return found;
}

test('what was confirmed is there after a death in the middle of a write', async () => {
  const journal = Journal.open<string>(path, () => undefined);
  await Promise.all([journal.append('a'), journal.append('b')]);
  journal.close();
  appendFileSync(path, '"tor');
  expect(entries()).toEqual(['a', 'b']);
});

test('a full disk: told of it, no part of the entry stays, and what comes once there is room again follows whole', async () => {
  const journal = Journal.open<string>(path, () => undefined);
  await journal.append('before');
  Journal.room = () => 5;
  const together = await Promise.allSettled([journal.append('lost'), journal.append('lost too')]);
  expect(together).toMatchObject([
    { status: 'rejected', reason: { code: 'ENOSPC' } },
    { status: 'rejected', reason: { code: 'ENOSPC' } },
  ]);
  expect(readFileSync(path, 'utf8')).toBe('"before"\n');
  Journal.room = undefined;
  await journal.append('after');
  journal.close();
  expect(entries()).toEqual(['before', 'after']);
});

test('an entry that a rewrite had to write and could not is not confirmed', async () => {
  const journal = Journal.open<string>(path, () => undefined);
  Journal.room = () => 0;
  const appended = journal.append('lost').catch((error: NodeJS.ErrnoException) => error.code);
  journal.rewrite(['rewritten']);
  expect(await appended).toBe('ENOSPC');
  Journal.room = undefined;
  await journal.append('after');
  journal.close();
  expect(entries()).toEqual(['rewritten', 'after']);
});
