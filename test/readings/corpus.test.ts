/** The own corpus of `npm run corpus`, in this process; the command adds a heap limit, and documents that others collected. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { payloadItem, readingText, type CorpusItem } from '../../bin/support/corpus-item';
import { documentItems, stringItems } from '../../bin/support/corpus-files';
import { ownCorpus } from '../../bin/support/corpus-own';
import { runCorpus, type CorpusReport } from '../../bin/support/corpus-run';

const run = (items: readonly CorpusItem[]): Promise<CorpusReport> =>
  runCorpus(items, { now: () => 0, onItem: () => {} });

test('every item of the own corpus gives what it must, on both paths, and touches no neighbour', async () => {
  const items = ownCorpus();
  const report = await run(items);
  expect(report.failures).toEqual([]);
  expect(report).toMatchObject({ items: items.length, right: items.length, agreed: items.length });
  expect(report.neighbours).toBeGreaterThan(items.length);
  expect(report.windows).toBe(12);
  expect(report.rows + report.quarantined).toBe(report.elements);
  expect(Math.min(report.rows, report.quarantined, report.takenByFastPath)).toBeGreaterThan(50);
});

test('an item that does not give what it should is named', async () => {
  const report = await run([
    payloadItem('right', readingText(), 'row'),
    payloadItem('no row', '{', 'row'),
    payloadItem('another reason', '{', { reason: 'too_deep' }),
    payloadItem('a row too many', readingText(), 'quarantine'),
    payloadItem('too few', `[${readingText()}]`, 'row', 2),
  ]);
  expect(report.right).toBe(1);
  expect(report.failures).toEqual([
    expect.stringMatching(/^no row: 0 rows, expected 1/),
    expect.stringMatching(/^another reason: quarantined as malformed_json, expected too_deep/),
    expect.stringMatching(/^a row too many: 1 rows, expected 0/),
    expect.stringMatching(/^too few: 1 rows and 0 quarantine entries for 2 elements/),
  ]);
});

describe('documents in a folder', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'corpus-'));
  const write = (name: string, text: string | Uint8Array): void => writeFileSync(path.join(directory, name), text);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('are published in four places each, and what may not be parsed is never a row', async () => {
    expect(() => documentItems(directory)).toThrow(/holds no files/);
    write('y_array.json', '[1,{"a":"\\u00e9"}]');
    write('y_number.json', '[20.5]');
    write('n_minus_zero_one.json', '[-01]');
    write('n_unclosed.json', '["');
    write('i_latin1.json', Buffer.from([0x5b, 0x22, 0xe9, 0x22, 0x5d]));
    const { files, items } = documentItems(directory);
    expect(files).toBe(5);
    const report = await run(items);
    expect(report).toMatchObject({ items: 20, right: 20, agreed: 20, failures: [] });
    // A document that is valid, and says that it is not.
    write('n_valid.json', '[21]');
    expect((await run(documentItems(directory).items)).failures).toEqual([
      expect.stringMatching(/^n_valid.json as an unknown member: 1 rows, expected 0/),
      expect.stringMatching(/^n_valid.json as the temperature: 1 rows, expected 0/),
      expect.stringMatching(/^n_valid.json between two readings: 2 rows, expected 0/),
    ]);
  });

  test('a folder that is not there, and texts that are none, are one message', () => {
    expect(() => documentItems(path.join(directory, 'nowhere'))).toThrow(/is no folder/);
    write('texts.json', '[1]');
    expect(() => stringItems(path.join(directory, 'texts.json'))).toThrow(/must be a JSON array of texts/);
    write('texts.json', '["a b"]');
    expect(stringItems(path.join(directory, 'texts.json'))).toHaveLength(8);
  });
});
