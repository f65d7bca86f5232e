/** What a device may send by mistake, through MQTT to the quarantine, on a local run with two consumers; and a small replay. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pause } from '../../bin/support/command-line';
import { Device } from '../../bin/support/device';
import { mqttEndpoint, provisionFleet } from '../../bin/support/fleet';
import { startSession, type Session } from '../../bin/support/local-session';
import { ProgressDisplay } from '../../bin/support/terminal';
import type { QuarantineEntry } from '../../lib/contracts/documents';
import { fileList, newestManifests, query } from './support/lake';
import { newStateDirectory, runCommand } from './support/run';

const USE_CASE = 'sensor-monitoring';
const state = newStateDirectory();
// The hour after it is over as well, so nothing waits for its end.
const someHoursAgo = Date.now() - 3 * 3_600_000;
let session: Session;

function reading(members: Record<string, unknown> = {}): Record<string, unknown> {
  return { timestamp: someHoursAgo, temperature: 21, humidity: 40, pressure: 1013, ...members };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

const BAD: readonly (readonly [string, Buffer, string])[] = [
  ['malformed JSON', Buffer.from('{"timestamp": 1, "temperature": '), 'malformed_json'],
  ['a wrong type', json(reading({ temperature: 'warm' })), 'wrong_type'],
  ['a value out of range', json(reading({ temperature: 9_999 })), 'out_of_range'],
  ['a missing required field', json({ timestamp: someHoursAgo, humidity: 40 }), 'missing_field'],
  ['NaN as text', json(reading({ temperature: 'NaN' })), 'wrong_type'],
  ['bare NaN', Buffer.from(`{"timestamp": ${someHoursAgo}, "temperature": NaN}`), 'malformed_json'],
  ['a huge number', Buffer.from(`{"timestamp": ${someHoursAgo}, "temperature": 1e400}`), 'not_finite'],
  ['deep nesting', Buffer.from('['.repeat(5_000) + ']'.repeat(5_000)), 'too_deep'],
  ['another device in the payload', json(reading({ deviceId: 'somebody-else' })), 'wrong_device'],
  ['a future timestamp', json(reading({ timestamp: Date.now() + 86_400_000 })), 'clock_skew'],
  ['an ancient timestamp', json(reading({ timestamp: -1 })), 'clock_skew'],
  ['an empty payload', Buffer.alloc(0), 'empty_payload'],
  ['gzip', gzipSync(json(reading())), 'compressed'],
  ['plain binary', Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x01]), 'not_utf8'],
  ['128 KB of nothing readable', Buffer.alloc(128 * 1024, 'x'), 'malformed_json'],
];
const GOOD = BAD.length + 1;

beforeAll(async () => {
  const display = new ProgressDisplay(process.stderr, () => -Infinity);
  display.say = () => {};
  session = await startSession({ stateDirectory: state, display });
  const [identity] = await provisionFleet({ ...session.fleet, useCase: USE_CASE, names: ['mistaken-device'] });
  if (!identity) throw new Error('no device was provisioned');
  const device = await Device.connect(identity, await mqttEndpoint(session.fleet.iot, session.ca));
  // Between any two bad payloads stands a good one, which must come through.
  for (let at = 0; at < GOOD; at++) {
    await device.publish(json(reading({ timestamp: someHoursAgo + at, messageId: `good-${at}` })), () => {});
    const bad = BAD[at];
    if (bad) await device.publish(bad[1], () => {});
  }
  await device.drain();
  await device.close();
  const publishedAt = Date.now();
  for (;;) {
    const status = await session.status.read();
    const useCase = status.useCases.find((each) => each.name === USE_CASE);
    if (status.committedUntil >= publishedAt && useCase?.unfoldedSegments === 0) break;
    await pause(500);
  }
}, 180_000);

afterAll(async () => {
  await session?.close();
  rmSync(state, { recursive: true, force: true });
});

function quarantined(): QuarantineEntry[] {
  const root = path.join(session.files, 'quarantine', USE_CASE);
  if (!existsSync(root)) return [];
  return (readdirSync(root, { recursive: true }) as string[])
    .filter((leaf) => leaf.endsWith('.ndjson'))
    .flatMap((leaf) => readFileSync(path.join(root, leaf), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line) as QuarantineEntry);
}

describe('bad payloads', () => {
  it.each(BAD)('%s becomes exactly one quarantine entry', (_what, payload, reason) => {
    const matching = quarantined().filter((entry) => Buffer.from(entry.raw, 'base64').equals(payload));
    expect(matching.map((entry) => entry.reason)).toEqual([reason]);
    expect(matching[0]).toMatchObject({ device: 'mistaken-device', detail: expect.stringMatching(/\S/) });
  });

  it('leave their neighbours unaffected', async () => {
    expect(quarantined()).toHaveLength(BAD.length);
    const segments = newestManifests(session.files, USE_CASE).flatMap(({ manifest }) =>
      manifest.segments.map(({ key }) => key),
    );
    const rows = await query(
      `SELECT message_id FROM read_parquet(${fileList(session.files, segments)}) ORDER BY event_time`,
    );
    expect(rows.map((row) => row['message_id'])).toEqual(Array.from({ length: GOOD }, (_, at) => `good-${at}`));
  });
});

describe('npm run replay', () => {
  const file = path.join(state, 'readings.csv');
  const replay = [
    '--use-case',
    USE_CASE,
    '--file',
    file,
    '--time',
    'at',
    '--map',
    'temperature=value',
    '--state',
    state,
    '--json',
  ];

  it('publishes a file of old readings and ends when their hours are sealed; the second time changes nothing', async () => {
    const rows = Array.from(
      { length: 150 },
      (_, at) => `${new Date(Date.UTC(2014, 0, 1, at)).toISOString()},${(20 + (at % 7) / 3).toFixed(3)}`,
    );
    writeFileSync(file, `at,value\n${rows.join('\n')}\n`);
    const first = await runCommand('bin/replay.ts', replay);
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({
      readings: 150,
      folded: 150,
      duplicates: 0,
      quarantined: 0,
      partitions: 150,
    });
    const second = await runCommand('bin/replay.ts', replay);
    expect(second).toMatchObject({ code: 0 });
    expect(JSON.parse(second.stdout)).toMatchObject({
      folded: 0,
      duplicates: 150,
      quarantined: 0,
      partitionsChanged: 0,
    });
  }, 180_000);

  it.each([
    [
      'a row that holds no number',
      'at,value\n2014-01-01 00:00:00,20\n2014-01-01 01:00:00,warm\n',
      /readings\.csv line 3: column "value" \(field temperature\) holds text of 4 characters/,
    ],
    [
      'a row that holds no time',
      'at,value\nyesterday,20\n',
      /line 2: column "at" holds text of 9 characters, not a time/,
    ],
    ['a row with too many cells', 'at,value\n2014-01-01 00:00:00,20,7\n', /line 2/],
    ['a column that is not there', 'when,value\n2014-01-01,20\n', /has no column "at"; it has: when, value/],
  ])(
    '%s: one message, and nothing is published',
    async (_what, text, message) => {
      writeFileSync(file, text);
      const before = (await session.status.ledgerCounts(USE_CASE)).registered;
      const { code, stderr, stdout } = await runCommand('bin/replay.ts', replay);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(stdout).toBe('');
      expect((await session.status.ledgerCounts(USE_CASE)).registered).toBe(before);
    },
    60_000,
  );

  it('an unreadable file, an unknown use case and a missing option are one message each', async () => {
    const missing = await runCommand('bin/replay.ts', [
      ...replay.slice(0, 3),
      path.join(state, 'nowhere.csv'),
      ...replay.slice(4),
    ]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/nowhere\.csv cannot be read: ENOENT/) });
    const unknown = await runCommand('bin/replay.ts', ['--use-case', 'submarines', ...replay.slice(2)]);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/"submarines" is unknown/) });
    const incomplete = await runCommand('bin/replay.ts', replay.slice(0, 2));
    expect(incomplete).toMatchObject({ code: 1, stderr: expect.stringMatching(/--file is missing/) });
  }, 60_000);
});
