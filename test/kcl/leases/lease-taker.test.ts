/** Mirrors KCL's DynamoDBLeaseTakerIntegrationTest and DynamoDBLeaseTakerTest. */
import { decideLeasesToTake, type LeaseTakingInput } from '../../../consumer/kcl/leases/lease-taking';
import { FAILOVER, lease, LeaseBench } from '../support/leases';
import { seededRandom } from '../support/virtual-time';

function decide(leases: LeaseTakingInput['leases'], options: Partial<LeaseTakingInput> = {}) {
  return decideLeasesToTake({
    leases,
    workerId: 'me',
    failoverTime: FAILOVER,
    maxLeasesForWorker: Number.MAX_SAFE_INTEGER,
    maxLeasesToStealAtOneTime: 1,
    enablePriorityLeaseAssignment: true,
    random: seededRandom(1),
    ...options,
  });
}

const owned = (owner: string | undefined, count: number, idle = 0, prefix = owner ?? 'free') =>
  Array.from({ length: count }, (_, i) => ({ lease: lease(`${prefix}-${i}`, { leaseOwner: owner }), idle }));

describe('LeaseTaker (DynamoDBLeaseTakerIntegrationTest)', () => {
  test('an unowned row is taken at the first scan', async () => {
    const bench = new LeaseBench();
    bench.put(lease('1'));
    expect(await bench.wait(bench.taker().takeLeases())).toBe(1);
    expect(await bench.row('1')).toMatchObject({ leaseOwner: 'me', leaseCounter: 1, ownerSwitchesSinceCheckpoint: 1 });
    expect(bench.held()).toEqual(['1']);
  });

  test('a new row of another’s is left at the first scan and taken once its counter stood still for a failover time', async () => {
    const bench = new LeaseBench();
    const taker = bench.taker();
    bench.put(lease('1', { leaseOwner: 'other' }));
    expect(await bench.wait(taker.takeLeases())).toBe(0);
    await bench.time.run(FAILOVER - 100);
    expect(await bench.wait(taker.takeLeases())).toBe(0);
    await bench.time.run(200);
    expect(await bench.wait(taker.takeLeases())).toBe(1);
  });

  test('a counter that moves keeps its owner’s lease', async () => {
    const bench = new LeaseBench();
    const taker = bench.taker();
    for (let counter = 0; counter < 10; counter++) {
      bench.put(lease('1', { leaseOwner: 'other', leaseCounter: counter }));
      expect(await bench.wait(taker.takeLeases())).toBe(0);
      await bench.time.run(FAILOVER - 100);
    }
  });

  test('an own lease that expired is taken again, under a new token', async () => {
    const bench = new LeaseBench();
    const taker = bench.taker();
    bench.put(lease('1', { leaseOwner: 'me' }));
    const before = await bench.hold('1');
    await bench.wait(taker.takeLeases());
    await bench.time.run(FAILOVER + 1);
    expect(bench.held()).toEqual([]);
    expect(await bench.wait(taker.takeLeases())).toBe(1);
    expect(bench.held()).toEqual(['1']);
    expect(bench.renewer.held('1')!.concurrencyToken).not.toBe(before);
    expect(await bench.row('1')).toMatchObject({ ownerSwitchesSinceCheckpoint: 0 });
  });

  test('after a long look the row to steal is read again: its owner renews meanwhile (DynamoDBLeaseTakerTest)', async () => {
    const bench = new LeaseBench();
    bench.put(lease('1', { leaseOwner: 'other' }), lease('2', { leaseOwner: 'other' }));
    const renew = (owner = 'other'): void => {
      for (const row of ['1', '2']) {
        const leaseCounter = Number(bench.table.rows.get(row)!['leaseCounter']!.N) + 1;
        bench.put(lease(row, { leaseOwner: owner, leaseCounter }));
      }
    };
    const taker = bench.taker({ onLook: () => renew() });
    expect(await bench.wait(taker.takeLeases())).toBe(0);
    const slowly = (owner: string) => {
      const { refresher } = bench;
      const listLeases = refresher.listLeases.bind(refresher);
      const slow = Object.assign(Object.create(refresher) as typeof refresher, {
        listLeases: async () => {
          const rows = await listLeases();
          await bench.time.sleep(2_000);
          renew(owner);
          return rows;
        },
      });
      return bench.taker({ refresher: slow });
    };
    expect(await bench.wait(slowly('other').takeLeases())).toBe(1);
    expect(bench.held()).toHaveLength(1);
    // Owned by a third by now: what was decided does not hold any more.
    for (const row of ['1', '2']) bench.put(lease(row, { leaseOwner: 'other' }));
    expect(await bench.wait(slowly('third').takeLeases())).toBe(0);
  });

  test('a take that another’s write overtook fails', async () => {
    const bench = new LeaseBench();
    bench.put(lease('1'));
    const stale = (await bench.row('1'))!;
    bench.put(lease('1', { leaseOwner: 'other', leaseCounter: 1 }));
    expect(await bench.wait(bench.refresher.takeLease(stale, 'me'))).toMatchObject({ written: false });
  });

  test('a take whose answer was lost counts as made', async () => {
    const bench = new LeaseBench();
    bench.put(lease('1'));
    const stale = (await bench.row('1'))!;
    await bench.wait(bench.refresher.takeLease(stale, 'me'));
    const again = await bench.wait(bench.refresher.takeLease(stale, 'me'));
    expect(again).toMatchObject({ written: true, lease: { leaseOwner: 'me', leaseCounter: 1 } });
  });
});

describe('decideLeasesToTake (DynamoDBLeaseTakerIntegrationTest)', () => {
  const three = [...owned(undefined, 3, Infinity), ...owned('other', 1)];

  test('3 unowned and 1 of another’s: 2 without priority, all 3 with it', () => {
    expect(decide(three, { enablePriorityLeaseAssignment: false }).take).toHaveLength(2);
    expect(decide(three).take).toHaveLength(3);
    expect(decide(three, { maxLeasesForWorker: 1 }).take).toHaveLength(1);
  });

  test('1 unowned and another with 3: the unowned is taken, none is stolen', () => {
    const { take, steal } = decide([...owned(undefined, 1, Infinity), ...owned('bar', 3)]);
    expect(take.map((row) => row.leaseKey)).toEqual(['free-0']);
    expect(steal).toEqual([]);
  });

  test('steals from the fullest worker, one at a time, only what brings the shares closer', () => {
    const { take, steal } = decide([...owned('a', 5), ...owned('b', 2)]);
    expect(take).toEqual([]);
    expect(steal.map((row) => row.leaseOwner)).toEqual(['a']);
    expect(decide([...owned('a', 5), ...owned('b', 2)], { maxLeasesToStealAtOneTime: 9 }).steal).toHaveLength(2);
    expect(decide([...owned('a', 2), ...owned('me', 1)]).steal).toEqual([]);
    // Short of two, nobody above the share: one is taken all the same.
    const even = [...owned('a', 3), ...owned('b', 3), ...owned('c', 3), ...owned('me', 1)];
    expect(decide(even).steal).toHaveLength(1);
  });

  test('leases in a handoff are not stolen', () => {
    const handoff = owned('a', 4).map(({ lease: row, idle }) => ({ lease: { ...row, checkpointOwner: 'b' }, idle }));
    expect(decide(handoff).steal).toEqual([]);
  });

  test('takes up to its share of what expired', () => {
    const { take, counts } = decide([...owned('dead', 4, FAILOVER + 1), ...owned('b', 2)]);
    expect(take).toHaveLength(3);
    expect(counts).toMatchObject({ numWorkers: 2, expiredLeases: 4, neededLeases: 3, totalLeases: 6 });
  });

  test('maxLeasesForWorker caps the share and shows in the spillover', () => {
    const { take, counts } = decide(owned('dead', 4, FAILOVER + 1), { maxLeasesForWorker: 3 });
    expect(take).toHaveLength(3);
    expect(counts.leaseSpillover).toBe(1);
  });

  test('idle for 3F and a bit is very old, exactly 3F is not (DynamoDBLeaseTakerTest)', () => {
    const idleFor = (idle: number) =>
      decide([...owned('dead', 2, idle), ...owned('b', 2), ...owned('me', 2)]).counts.veryOldLeases;
    expect(idleFor(3 * FAILOVER)).toBe(0);
    expect(idleFor(3 * FAILOVER + 1e-6)).toBe(2);
  });

  test('finished shards do not count in the shares, and are taken beyond them when nobody keeps them', () => {
    const end = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 };
    const finish = (rows: ReturnType<typeof owned>) =>
      rows.map(({ lease: row, idle }) => ({ lease: { ...row, checkpoint: end }, idle }));
    const rows = [...finish(owned('a', 4, 0, 'old')), ...owned('a', 1), ...owned('me', 1)];
    expect(decide(rows)).toMatchObject({ take: [], steal: [] });
    expect(decide([...rows, ...finish(owned('dead', 2, FAILOVER + 1))]).take).toHaveLength(2);
  });

  test('workers that all decide so come to an even share', () => {
    const random = seededRandom(7);
    for (const [workers, count] of [
      [2, 7],
      [3, 10],
      [5, 5],
      [7, 3],
      [4, 64],
    ] as const) {
      const owner = new Map(Array.from({ length: count }, (_, i) => [`s${i}`, 'w0']));
      for (let round = 0; round < 20 * count; round++) {
        const workerId = `w${Math.floor(random() * workers)}`;
        const rows = [...owner].map(([key, leaseOwner]) => ({ lease: lease(key, { leaseOwner }), idle: 0 }));
        for (const stolen of decide(rows, { workerId, random }).steal) owner.set(stolen.leaseKey, workerId);
      }
      const shares = Array.from({ length: workers }, (_, w) => [...owner.values()].filter((o) => o === `w${w}`).length);
      expect(Math.max(...shares)).toBeLessThanOrEqual(Math.ceil(count / workers) + 1);
    }
  });
});
