/** What a leader knows of its workers between two of their reports. */
import { AssignmentBench } from '../support/assignment-bench';
import { FAILOVER, lease } from '../support/leases';

const owners = (bench: AssignmentBench): (string | undefined)[] =>
  [...bench.table.rows.entries()].filter(([key]) => key.startsWith('l')).map(([, row]) => row['leaseOwner']?.S);

test('of workers that die together none is given the leases of another, though their last renewals lie apart', async () => {
  const bench = new AssignmentBench();
  const manager = bench.manager();
  const workers = ['dead-1', 'dead-2', 'dead-3', 'alive'];
  for (const [index, worker] of workers.entries()) {
    bench.put(lease(`l${index}`, { leaseOwner: worker, leaseCounter: 1 }));
    // The least busy are given the most.
    bench.report(worker, worker === 'alive' ? 90 : 10);
  }
  const renew = (index: number, leaseCounter: number): void =>
    bench.put(lease(`l${index}`, { leaseOwner: workers[index], leaseCounter }));
  const step = FAILOVER / 10;
  for (let now = 0, counter = 2; now < FAILOVER + 8 * step; now += step, counter++) {
    // Each dies when it has renewed.
    if (now === 3 * step) renew(0, counter);
    if (now === 4 * step) renew(1, counter);
    if (now === 5 * step) renew(2, counter);
    renew(3, counter);
    await bench.run(manager);
    await bench.time.run(step);
    expect(owners(bench).filter((owner, index) => owner !== workers[index] && owner !== 'alive')).toEqual([]);
  }
  expect(owners(bench)).toEqual(['alive', 'alive', 'alive', 'alive']);
});

test('what was given to a worker counts before its next report shows it, and no longer', async () => {
  const bench = new AssignmentBench();
  const manager = bench.manager();
  const [busy, idle] = ['busy', 'idle'];
  for (let i = 0; i < 4; i++) bench.put(lease(`own${i}`, { leaseOwner: i < 2 ? busy : idle }));
  bench.report(busy, 30);
  bench.report(idle, 20);
  const given = async (...names: string[]): Promise<string[]> => {
    for (const name of names) bench.put(lease(name));
    await bench.run(manager);
    await bench.time.run(1_000);
    const rows = await Promise.all(names.map((name) => bench.row(name)));
    return rows.map((row) => row!.leaseOwner!).sort();
  };
  expect(await given('l1')).toEqual([idle]);
  // Now both are as busy: without memory the idle one would get all again.
  expect(await given('l2', 'l3')).toEqual([busy, idle]);
  await bench.time.run(1_000);
  bench.report(busy, 30);
  bench.report(idle, 20);
  expect(await given('l4')).toEqual([idle]);
});
