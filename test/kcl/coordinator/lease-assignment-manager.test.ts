/** The leader's runs over a table: mirrors KCL's LeaseAssignmentManagerTest, LeaseDiscovererTest and LeaseRefresherTest (handoff). */
import { AssignmentBench as Bench } from '../support/assignment-bench';
import { FAILOVER, lease } from '../support/leases';

describe('LeaseAssignmentManager (LeaseAssignmentManagerTest)', () => {
  test('every 20 s with a balancing interval of 60 s: loads are levelled in runs 1, 4 and 7 only', async () => {
    const bench = new Bench();
    const manager = bench.manager();
    const levelled: number[] = [];
    for (let run = 1; run <= 8; run++) {
      bench.report('hot', 90);
      bench.report('cool', 10);
      for (let i = 0; i < 10; i++) bench.put(lease(`l${i}`, { leaseOwner: 'hot', leaseCounter: run }));
      const started = bench.time.monotonic();
      await bench.run(manager);
      if ([...bench.table.rows.values()].some((row) => row['checkpointOwner'])) levelled.push(run);
      await bench.time.run(20_000 - (bench.time.monotonic() - started));
    }
    expect(levelled).toEqual([1, 4, 7]);
  });

  test('three runs in a row that fail: leadership is released; a run that works begins the count anew', async () => {
    const bench = new Bench();
    const manager = bench.manager();
    const fail = (): unknown => (bench.host.faults = { lost: 0, throttled: 1, latency: 1 });
    const work = (): unknown => (bench.host.faults = { lost: 0, throttled: 0, latency: 1 });
    for (const set of [fail, fail, work, fail, fail]) {
      set();
      await bench.run(manager);
    }
    expect(bench.lock.released).toBe(0);
    await bench.run(manager);
    expect(bench.lock.released).toBe(1);
  });

  test('who is not the leader reads and writes nothing', async () => {
    const bench = new Bench();
    bench.lock.isHeld = false;
    bench.report('a');
    bench.put(lease('1'));
    await bench.run(bench.manager());
    expect(await bench.row('1')).toMatchObject({ leaseCounter: 0 });
  });

  test('a new leader has no memory: an owned lease expires a failover time after it took over', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'dead' }));
    const manager = bench.manager();
    bench.report('a');
    await bench.run(manager);
    await bench.time.run(FAILOVER - 100);
    await bench.run(manager);
    expect(await bench.row('1')).toMatchObject({ leaseOwner: 'dead' });
    bench.lock.isHeld = false;
    await bench.run(manager);
    bench.lock.isHeld = true;
    await bench.time.run(200);
    await bench.run(manager);
    expect(await bench.row('1')).toMatchObject({ leaseOwner: 'dead' });
    await bench.time.run(FAILOVER + 100);
    await bench.run(manager);
    expect(await bench.row('1')).toMatchObject({ leaseOwner: 'a', leaseCounter: 1, ownerSwitchesSinceCheckpoint: 1 });
  });

  test('what it saw of the leader before counts, for all leases of that worker and no others', async () => {
    const bench = new Bench();
    for (const key of ['1', '2']) bench.put(lease(key, { leaseOwner: 'leader' }));
    bench.put(lease('3', { leaseOwner: 'other' }));
    const watch = bench.watch();
    await bench.wait(watch.look('leader'));
    await bench.time.run(FAILOVER + 100);
    await bench.wait(watch.look('leader'));
    const manager = bench.manager();
    manager.succeed(watch.of('leader'));
    bench.report('a');
    await bench.run(manager);
    const owners = await Promise.all(['1', '2', '3'].map(async (key) => (await bench.row(key))?.leaseOwner));
    expect(owners).toEqual(['a', 'a', 'other']);
  });

  test('a leader that lost only the lock, and renews its leases, keeps them', async () => {
    const bench = new Bench();
    for (const key of ['1', '2']) bench.put(lease(key, { leaseOwner: 'leader' }));
    const watch = bench.watch();
    await bench.wait(watch.look('leader'));
    await bench.time.run(FAILOVER + 100);
    // Once renewed before the last look, once after it.
    for (const leaseCounter of [1, 2]) {
      for (const key of ['1', '2']) bench.put(lease(key, { leaseOwner: 'leader', leaseCounter }));
      if (leaseCounter === 1) await bench.wait(watch.look('leader'));
      const manager = bench.manager();
      manager.succeed(watch.of('leader'));
      bench.report('a');
      await bench.run(manager);
      expect(await bench.row('1')).toMatchObject({ leaseOwner: 'leader', leaseCounter });
      expect(await bench.row('2')).toMatchObject({ leaseOwner: 'leader', leaseCounter });
    }
    expect(watch.of('other')).toBeUndefined();
    bench.put(lease('2', { leaseOwner: 'a' }));
    await bench.wait(watch.look('leader'));
    expect(watch.of('leader')).toBeUndefined();
  });

  test('an owner that renews while the leader decides keeps its lease', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'slow', leaseCounter: 7 }));
    const seen = (await bench.row('1'))!;
    bench.put(lease('1', { leaseOwner: 'slow', leaseCounter: 8 }));
    expect(await bench.wait(bench.refresher.assignLease(seen, 'a', true))).toMatchObject({ written: false });
    // Without that condition, as KCL's own leader writes it.
    expect(await bench.wait(bench.refresher.assignLease(seen, 'a', false))).toMatchObject({ written: true });
  });

  test('a dead worker is given nothing, whatever its last report says, until it reports again', async () => {
    const bench = new Bench();
    const manager = bench.manager({ strategy: 'LEASE_COUNT_BASED' });
    for (let i = 0; i < 4; i++) bench.put(lease(`l${i}`, { leaseOwner: i < 2 ? 'dead' : 'a' }));
    bench.report('dead');
    bench.report('a');
    const renewA = (): void => {
      for (const [key, row] of bench.table.rows) {
        if (row['leaseOwner']?.S !== 'a') continue;
        bench.table.rows.set(key, { ...row, leaseCounter: { N: String(Number(row['leaseCounter']!.N) + 1) } });
      }
    };
    const owners = (): string => [...bench.table.rows.values()].flatMap((row) => row['leaseOwner']?.S ?? []).join();
    for (let i = 0; i < 6; i++) {
      renewA();
      await bench.run(manager);
      await bench.time.run(FAILOVER / 3);
    }
    expect(owners()).toBe('a,a,a,a');
    bench.report('dead');
    renewA();
    await bench.run(manager);
    expect([...bench.table.rows.values()].filter((row) => row['checkpointOwner']?.S === 'a')).toHaveLength(2);
  });

  test('rows of workers that have been gone for a day are deleted', async () => {
    const bench = new Bench();
    bench.report('old');
    await bench.time.run(86_400_000 + 2_000);
    bench.report('a');
    await bench.run(bench.manager());
    expect([...bench.table.rows.keys()]).toEqual(['a']);
  });
});

describe('handoff (LeaseRefresherTest, LeaseRenewerTest)', () => {
  test('a renewal meets a handoff: its owner adopts it, goes on renewing and checkpointing, and hands over', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'me' }));
    const token = await bench.hold('1');
    expect(await bench.wait(bench.refresher.startHandoff((await bench.row('1'))!, 'new'))).toMatchObject({
      written: true,
    });
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.handoffs).toEqual(['1']);
    expect(bench.lost).toEqual([]);
    const checkpoint = { sequenceNumber: '200', subSequenceNumber: 0 };
    await bench.wait(bench.renewer.update('1', token, { checkpoint }));
    await bench.wait(bench.renewer.evict('1', token));
    const row = (await bench.row('1'))!;
    expect(row).toMatchObject({ leaseOwner: 'new', checkpoint, ownerSwitchesSinceCheckpoint: 1 });
    expect(row.checkpointOwner).toBeUndefined();
    expect(bench.held()).toEqual([]);
  });

  test('a shutdown that does not know of the handoff yet ends it all the same', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'me' }));
    const token = await bench.hold('1');
    await bench.wait(bench.refresher.startHandoff((await bench.row('1'))!, 'new'));
    await bench.wait(bench.renewer.evict('1', token));
    const row = (await bench.row('1'))!;
    expect([row.leaseOwner, row.checkpointOwner]).toEqual(['new', undefined]);
  });

  test('a handoff does not begin where one is on, or where the owner is another by now', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'b', checkpointOwner: 'a' }), lease('2', { leaseOwner: 'c' }));
    const [one, two] = [lease('1', { leaseOwner: 'b' }), lease('2', { leaseOwner: 'b' })];
    bench.table.rows.set('1', { ...bench.table.rows.get('1')!, checkpointOwner: { S: 'a' } });
    expect(await bench.wait(bench.refresher.startHandoff(one, 'x'))).toMatchObject({ written: false });
    expect(await bench.wait(bench.refresher.startHandoff(two, 'x'))).toMatchObject({ written: false });
  });

  test('throughput goes into the row with a renewal, with six decimals', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'me' }));
    const token = await bench.hold('1');
    const renewAfter = async (ms: number, bytes: number): Promise<string | undefined> => {
      await bench.time.run(ms);
      bench.renewer.stamp('1', token, bytes);
      await bench.wait(bench.renewer.renewLeases());
      return bench.table.rows.get('1')!['throughputKBps']?.N;
    };
    expect(await renewAfter(1_000, 0)).toBeUndefined();
    const first = Number(await renewAfter(2_000, 20_480));
    expect(first).toBeGreaterThan(9.9);
    expect(first).toBeLessThanOrEqual(10);
    const second = await renewAfter(2_000, 0);
    expect(Number(second)).toBeCloseTo(first / 2, 5);
    expect(second).toMatch(/^\d+\.\d{6}$/);
  });
});

describe('LeaseDiscoverer (LeaseDiscovererTest)', () => {
  test('holds what names this worker; leaves rows of others, rows in a handoff and blocked ones', async () => {
    const bench = new Bench();
    bench.put(
      lease('1', { leaseOwner: 'me' }),
      lease('2', { leaseOwner: 'other' }),
      lease('3', { leaseOwner: 'me' }),
      lease('4', { leaseOwner: 'me' }),
    );
    bench.table.rows.set('3', { ...bench.table.rows.get('3')!, checkpointOwner: { S: 'other' } });
    await bench.wait(bench.discoverer((key) => key === '4').discover());
    expect(bench.held()).toEqual(['1']);
    expect(await bench.row('1')).toMatchObject({ leaseOwner: 'me', leaseCounter: 1 });
    bench.put(lease('3', { leaseOwner: 'me' }));
    await bench.wait(bench.discoverer().discover());
    expect(bench.held().sort()).toEqual(['1', '3', '4']);
  });

  test('a stale index: the row itself decides', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'other' }));
    bench.table.query = () => [
      { leaseKey: { S: '1' }, leaseOwner: { S: 'me' } },
      { leaseKey: { S: 'gone' }, leaseOwner: { S: 'me' } },
    ];
    await bench.wait(bench.discoverer().discover());
    expect(bench.held()).toEqual([]);
  });

  test('what was given to a worker that leaves is free again at once', async () => {
    const bench = new Bench();
    bench.put(lease('1', { leaseOwner: 'me' }), lease('2', { leaseOwner: 'me' }));
    await bench.hold('1');
    await bench.wait(bench.discoverer().giveBack());
    expect((await bench.row('1'))!.leaseOwner).toBe('me');
    expect((await bench.row('2'))!.leaseOwner).toBeUndefined();
  });
});
