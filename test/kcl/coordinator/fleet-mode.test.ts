/** What a worker does about the fleet that it finds on the table; the three modes in which Node and Java workers can share one. */
import { decideFleetMode, type FleetSnapshot } from '../../../consumer/kcl/coordinator/fleet-mode';
import type { Item } from '../../../consumer/kcl/dependencies';
import { Cluster } from '../support/cluster';
import { FakeTable } from '../support/fake-dynamodb';
import { lease } from '../support/leases';

const NOW = 1_700_000_000_000;
const row = (key: string, members: Item, keyAttribute = 'leaseKey'): Item => ({
  [keyAttribute]: { S: key },
  ...members,
});
const version = (cv: string, keyAttribute?: string): Item => row('Migration3.0', { cv: { S: cv } }, keyAttribute);
const tables = (tm: string): Item => row('TableMigration3.5', { tm: { S: `TABLE_MIGRATION_STATUS_${tm}` } });
const live = { workerId: 'java', lastUpdateTime: NOW / 1_000, metricStats: {}, operatingRange: {} };
const gone = { ...live, lastUpdateTime: NOW / 1_000 - 61 };

const decide = (clientVersion: '2X' | '3X', members: Partial<FleetSnapshot> = {}) =>
  decideFleetMode({
    clientVersionConfig:
      clientVersion === '3X' ? 'CLIENT_VERSION_CONFIG_3X' : 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X',
    workerId: 'me',
    leases: [],
    others: [],
    legacyStates: undefined,
    workers: [],
    movingOwners: undefined,
    now: NOW,
    ...members,
  });

describe('COMPATIBLE_WITH_2X', () => {
  test.each([
    ['an empty table', {}],
    ['a fleet of KCL 2.x', { leases: [lease('1', { leaseOwner: 'java' })] }],
    ['a fleet that is upgrading', { others: [version('CLIENT_VERSION_UPGRADE_FROM_2X')], workers: [live] }],
    ['a fleet that rolled back', { others: [version('CLIENT_VERSION_2X')], workers: [live] }],
    ['a fleet of KCL 3 that has stopped (cold migration)', { others: [version('CLIENT_VERSION_3X')], workers: [gone] }],
    [
      'its own row from an earlier life',
      { others: [version('CLIENT_VERSION_3X')], workers: [{ ...live, workerId: 'me' }] },
    ],
  ])('takes by count: %s', (_what, members) => expect(decide('2X', members)).toEqual({ mode: 'COUNT_BASED' }));

  test.each(['CLIENT_VERSION_3X', 'CLIENT_VERSION_3X_WITH_ROLLBACK'])(
    'refuses beside live workers of %s, in either layout',
    (cv) => {
      const refused = { mode: 'REFUSED', reason: expect.stringContaining(`1 workers of a KCL 3 fleet (${cv})`) };
      expect(decide('2X', { others: [version(cv)], workers: [live] })).toEqual(refused);
      expect(decide('2X', { legacyStates: [version(cv, 'key')], workers: [live] })).toEqual(refused);
    },
  );
});

describe('3X', () => {
  const candidate = {
    mode: 'LEADER_ASSIGNED',
    standsForLeader: true,
    metricsIn: 'LEASE_TABLE',
    stateIn: 'LEASE_TABLE',
  };

  test('a new application, and a fleet of KCL 3: stands for leader', () => {
    expect(decide('3X')).toEqual(candidate);
    expect(decide('3X', { others: [version('CLIENT_VERSION_3X')], workers: [live] })).toEqual(candidate);
    expect(decide('3X', { others: [version('CLIENT_VERSION_3X')] })).toEqual(candidate);
  });

  test('no version and owners that do not report: watches, then refuses if they renew, and follows them if they have stopped', () => {
    const leases = [lease('1', { leaseOwner: 'kcl2' }), lease('2', { leaseOwner: 'me' }), lease('3')];
    expect(decide('3X', { leases })).toEqual({ mode: 'WATCH' });
    expect(decide('3X', { leases, movingOwners: new Set(['kcl2']) })).toMatchObject({
      mode: 'REFUSED',
      reason: expect.stringContaining('1 workers on this lease table take leases by count'),
    });
    expect(decide('3X', { leases, movingOwners: new Set() })).toEqual(candidate);
    expect(decide('3X', { leases: [lease('1', { leaseOwner: 'java' })], workers: [live] })).toEqual(candidate);
  });

  test.each(['CLIENT_VERSION_2X', 'CLIENT_VERSION_UPGRADE_FROM_2X'])('refuses a fleet in %s', (cv) =>
    expect(decide('3X', { others: [version(cv)], workers: [live] })).toMatchObject({
      mode: 'REFUSED',
      reason: expect.stringContaining(cv),
    }),
  );

  test('in a migration that a Java worker leads it works along, and does not start without one', () => {
    const others = [version('CLIENT_VERSION_3X_WITH_ROLLBACK')];
    expect(decide('3X', { others, workers: [live] })).toEqual({ ...candidate, standsForLeader: false });
    expect(decide('3X', { others })).toMatchObject({ mode: 'REFUSED', reason: expect.stringContaining('Java worker') });
  });

  test.each([
    [undefined, true, 'LEGACY', 'LEGACY'],
    ['INIT', false, 'LEGACY', 'LEGACY'],
    ['DEPLOYED', false, 'LEGACY', 'LEGACY'],
    ['PENDING', false, 'LEASE_TABLE', 'LEGACY'],
    ['COMPLETE', true, 'LEASE_TABLE', 'LEASE_TABLE'],
  ] as const)('three tables, their migration %s', (tm, standsForLeader, metricsIn, stateIn) =>
    expect(
      decide('3X', {
        legacyStates: [version('CLIENT_VERSION_3X', 'key')],
        others: tm ? [tables(tm)] : [],
        workers: [live],
      }),
    ).toEqual({ mode: 'LEADER_ASSIGNED', standsForLeader, metricsIn, stateIn }),
  );
});

describe('joining', () => {
  const FAST = { failoverTimeMillis: 6_000, idleTimeBetweenReadsMillis: 500 };
  const THREE = { ...FAST, clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X' as const };

  test('the first worker marks the table; one of the other kind refuses then, and the other way round', async () => {
    const cluster = new Cluster(1, 2, FAST);
    const a = cluster.start('a', THREE);
    expect(await cluster.time.runUntil(() => cluster.owned(a).length === 2, 10_000)).toBe(true);
    expect(cluster.table.rows.get('Migration3.0')).toMatchObject({ cv: { S: 'CLIENT_VERSION_3X' }, mb: { S: 'a' } });
    await expect(cluster.time.settle(cluster.start('b').stopped)).rejects.toThrow(/1 workers of a KCL 3 fleet/);
    const other = new Cluster(2, 2, FAST);
    const c = other.start('c');
    expect(await other.time.runUntil(() => other.owned(c).length === 2, 10_000)).toBe(true);
    await expect(other.time.settle(other.start('d', THREE).stopped)).rejects.toThrow(
      /1 workers .* take leases by count/,
    );
    expect(other.table.rows.has('Migration3.0')).toBe(false);
  });

  test('the three tables of KCL 3.0 to 3.4: metrics, lock and version are kept where that fleet has them', async () => {
    const cluster = new Cluster(3, 2, THREE);
    const metrics = new FakeTable('wid');
    const states = new FakeTable('key');
    cluster.table.legacy.set('app-WorkerMetricStats', metrics).set('app-CoordinatorState', states);
    states.rows.set('Migration3.0', { key: { S: 'Migration3.0' }, cv: { S: 'CLIENT_VERSION_3X' } });
    const [a, b] = [cluster.start('a'), cluster.start('b')];
    const shared = (): boolean => [a, b].every((worker) => worker.scheduler.status().heldLeases === 1);
    expect(await cluster.time.runUntil(shared, 60_000)).toBe(true);
    expect([...metrics.rows.keys()].sort()).toEqual(['a', 'b']);
    expect([...states.rows.keys()].sort()).toEqual(['Leader', 'Migration3.0']);
    expect([...cluster.table.rows.keys()].every((key) => key.startsWith('shardId-'))).toBe(true);
  });

  test('a table of the multi-stream mode is refused, before anything is written to it', async () => {
    const cluster = new Cluster(5, 2, FAST);
    const leaseKey = '111122223333:stream:1700000000:shardId-000000000000';
    cluster.table.rows.set(leaseKey, {
      leaseKey: { S: leaseKey },
      leaseCounter: { N: '5' },
      checkpoint: { S: '100' },
      streamName: { S: '111122223333:stream:1700000000' },
      shardId: { S: 'shardId-000000000000' },
    });
    await expect(cluster.time.settle(cluster.start('a').stopped)).rejects.toThrow(
      /lease table app holds 1 leases of KCL's multi-stream mode/,
    );
    expect(cluster.table.rows.size).toBe(1);
  });

  test('a fleet that rolls back to KCL 2.x: the worker stops and says why', async () => {
    const cluster = new Cluster(4, 2, THREE);
    const a = cluster.start('a');
    await cluster.time.run(10_000);
    cluster.table.rows.set('Migration3.0', {
      leaseKey: { S: 'Migration3.0' },
      entityType: { S: 'CLIENT_VERSION_MIGRATION' },
      cv: { S: 'CLIENT_VERSION_2X' },
    });
    await expect(cluster.time.settle(a.stopped, 60_000)).rejects.toThrow(/does not assign leases by a leader any more/);
    expect(cluster.owned(a)).toEqual([]);
  });
});
