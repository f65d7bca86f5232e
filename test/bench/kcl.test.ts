/** Every section of `npm run bench:kcl` at a tiny size: that it runs, and that its output says what it has to. Never how fast. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { EventQueue } from '../../bench/lease-assignment/event-queue';
import type { SimulatedFleet } from '../../bench/lease-assignment/fleet';
import { Kcl2Fleet } from '../../bench/lease-assignment/kcl2-fleet';
import { Kcl3Fleet } from '../../bench/lease-assignment/kcl3-fleet';
import { itemBytes, Meter } from '../../bench/lease-assignment/meter';
import { OwnFleet } from '../../bench/lease-assignment/own-fleet';
import { isBalanced } from '../../bench/lease-assignment/scenario';
import { compare } from '../../bench/measure';

const ROOT = path.join(__dirname, '../..');

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/kcl.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('sections by name, with --json one object on stdout and progress on stderr', () => {
  const { status, stdout, stderr } = run('deaggregate', 'fetch', '--rounds', '1', '--json');
  expect(status).toBe(0);
  const results = JSON.parse(stdout) as Record<string, { name: string; ratio: number; recordsPerCpuSecond: number }[]>;
  expect(Object.keys(results)).toEqual(['fetch', 'deaggregate']);
  for (const contenders of Object.values(results)) {
    expect(contenders.map(({ name }) => name).some((name) => name.startsWith('consumer/kcl'))).toBe(true);
    expect(contenders[0]!.ratio).toBe(1);
    expect(contenders.every(({ recordsPerCpuSecond }) => recordsPerCpuSecond > 0)).toBe(true);
  }
  expect(stderr).toContain('deaggregate: 1 rounds');
});

test('leases: four fleets, each finds its balance, in a table for people', () => {
  const { status, stdout } = run('leases', '--shards', '60', '--workers', '5');
  expect(status).toBe(0);
  expect(stdout).toContain('Lease assignment in virtual time: 60 shards, 5 workers');
  for (const title of ['At rest', 'Start of 5 workers', '1 workers added', 'kill -9 of 1 workers']) {
    expect(stdout).toContain(title);
  }
  for (const fleet of ['KCL 2.x (model)', 'consumer/kcl, COMPATIBLE_WITH_2X', 'KCL 3 (model)', 'consumer/kcl, 3X']) {
    expect(stdout.split('\n').filter((line) => line.trim().startsWith(`${fleet} `))).toHaveLength(4);
  }
  expect(stdout).not.toContain('not in 900');
});

test('what cannot be used is refused with what can', () => {
  expect(run('speed')).toMatchObject({ status: 1, stderr: expect.stringContaining('no section "speed"') as string });
});

test('contenders that read other bytes, or none, are no contenders', async () => {
  const contender = (name: string, ...payloads: string[]) => ({
    name,
    run: async () => payloads.map((text) => Buffer.from(text)),
  });
  await expect(compare([contender('a', 'x', 'y'), contender('b', 'x', 'z')], 1, 1)).rejects.toThrow(/^b did not/);
  await expect(compare([contender('a', 'x', 'y'), contender('b', 'xy')], 1, 1)).rejects.toThrow(/^b did not/);
  await expect(compare([contender('a')], 1, 1)).rejects.toThrow(/^a did not/);
});

test('events come in the order of their time, equals in the order of their making', () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  for (const [at, name] of [
    [5, 'c'],
    [1, 'a'],
    [5, 'd'],
    [3, 'b'],
    [9, 'late'],
  ] as const) {
    queue.after(at, () => seen.push(`${queue.now}${name}`));
  }
  queue.run(8);
  expect(seen).toEqual(['1a', '3b', '5c', '5d']);
});

test('capacity is metered by the service’s rules', () => {
  const meter = new Meter();
  meter.scanAll(10_000, 400, false);
  // 4,000,000 bytes: 4 pages of at most 1 MiB, half a unit for each 4 KiB.
  expect(meter.usage).toEqual({ requests: 4, scanPages: 4, readUnits: 488.5, writeUnits: 0 });
  meter.read(0, true);
  meter.write(1_025, 2);
  expect(meter.usage).toEqual({ requests: 6, scanPages: 4, readUnits: 489.5, writeUnits: 4 });
  expect(itemBytes({ leaseKey: { S: 'abc' }, n: { N: '12345' }, set: { SS: ['x', 'yz'] } })).toBe(11 + 5 + 6);
});

const SIZE = { shards: 40, workers: 4 };
const fleets: [string, () => SimulatedFleet, (scanPages: number) => void][] = [
  // Per second: every worker scans each 20.05 s; at an interval that the table's size allows; one scan each 20 s; each 0.8 s.
  ['KCL 2.x', () => new Kcl2Fleet(SIZE), (pages) => expect(pages).toBeCloseTo(4 / 20.05, 1)],
  [
    'this library, by count',
    () => new OwnFleet('CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X', SIZE),
    (pages) => expect(pages).toBeCloseTo(4 / 0.8, 0),
  ],
  ['KCL 3', () => new Kcl3Fleet(SIZE), (pages) => expect(pages).toBeCloseTo(1 / 20, 2)],
  [
    'this library, by a leader',
    () => new OwnFleet('CLIENT_VERSION_CONFIG_3X', SIZE),
    (pages) => expect(pages).toBeCloseTo(1 / 0.8, 0),
  ],
];

test.each(fleets)(
  '%s: scans as often as it should, renews every lease three times in a failover time, survives kill -9',
  async (_name, make, checkScans) => {
    const fleet = make();
    fleet.start(4);
    await fleet.run(60_000);
    expect(fleet.shares().unread).toBe(0);
    const before = fleet.meter.usage;
    await fleet.run(100_000);
    const after = fleet.meter.usage;
    checkScans((after.scanPages - before.scanPages) / 100);
    const renewals = (40 * 100_000) / (10_000 / 3 - 25);
    expect(after.writeUnits - before.writeUnits).toBeGreaterThan(renewals * 0.97);
    expect(after.writeUnits - before.writeUnits).toBeLessThan(renewals * 1.1);
    fleet.kill(1);
    expect(fleet.shares().leases).toHaveLength(3);
    expect(fleet.shares().unread).toBeGreaterThan(0);
    await fleet.run(120_000);
    expect(fleet.shares().unread).toBe(0);
    expect(fleet.moved).toBeGreaterThan(0);
  },
);

test('balance: nothing unread, and every worker near the mean', () => {
  expect(isBalanced({ unread: 0, leases: [8, 10, 12] })).toBe(true);
  expect(isBalanced({ unread: 1, leases: [10, 10, 10] })).toBe(false);
  expect(isBalanced({ unread: 0, leases: [10, 10, 13, 7] })).toBe(false);
});
