/**
 * Replays the office temperature file of the Numenta Anomaly Benchmark (7,267 hourly readings of 2013–2014), where it is
 * at hand: READINGS_DATA names its folder; the default is `shared/data` beside the checkout.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileList, newestManifests, query } from '../e2e/support/lake';
import { newStateDirectory, projectRoot, runCommand } from '../e2e/support/run';

const folder = process.env['READINGS_DATA'] ?? path.resolve(projectRoot, '..', 'shared', 'data');
const file = path.join(folder, 'nab_ambient_temperature.csv');
const present = existsSync(file);
if (!present)
  console.warn(`SKIPPED: ${file} is not there; set READINGS_DATA to the folder that holds nab_ambient_temperature.csv`);

const READINGS = 7_267;
const USE_CASE = 'sensor-monitoring';
const state = newStateDirectory();
const replay = [
  '--use-case',
  USE_CASE,
  '--file',
  file,
  '--time',
  'timestamp',
  '--map',
  'temperature=value',
  '--state',
  state,
  '--json',
];

afterAll(() => rmSync(state, { recursive: true, force: true }));

(present ? describe : describe.skip)('a year of hourly office temperatures', () => {
  let lake: string;

  it('is folded whole: every hour that holds a reading is sealed with exactly those readings', async () => {
    const { code, stdout, stderr } = await runCommand('bin/replay.ts', replay);
    expect([code, stderr.split('\n').at(-2)]).toEqual([0, expect.any(String)]);
    const summary = JSON.parse(stdout) as { files: string };
    expect(summary).toMatchObject({ readings: READINGS, folded: READINGS, duplicates: 0, quarantined: 0 });
    lake = summary.files;
    const manifests = newestManifests(lake, USE_CASE);
    const segments = manifests.flatMap(({ manifest }) => manifest.segments.map(({ key }) => key));
    const rows = await query(
      `SELECT strftime(event_time, '%Y-%m-%d %H:%M:%S') || ',' || CAST(temperature AS VARCHAR) AS line
       FROM read_parquet(${fileList(lake, segments)})`,
    );
    const numbers = (line: string): string => line.replace(/,(.*)$/, (_all, value: string) => `,${Number(value)}`);
    const wanted = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => numbers(line.trim()));
    expect(rows.map((row) => numbers(String(row['line']))).sort()).toEqual(wanted.sort());
    expect(new Set(manifests.map(({ hour }) => hour))).toEqual(
      new Set(wanted.map((line) => `${line.slice(0, 10)}T${line.slice(11, 13)}`)),
    );
  }, 900_000);

  it('a second time is all duplicates, and no partition changes in content', async () => {
    const before = newestManifests(lake, USE_CASE).map(({ hour, manifest }) => [hour, manifest.contentHash]);
    const { code, stdout } = await runCommand('bin/replay.ts', replay);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ folded: 0, duplicates: READINGS, quarantined: 0, partitionsChanged: 0 });
    expect(newestManifests(lake, USE_CASE).map(({ hour, manifest }) => [hour, manifest.contentHash])).toEqual(before);
  }, 900_000);
});
