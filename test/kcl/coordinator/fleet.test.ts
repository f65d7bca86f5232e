/** A fleet with a leader in virtual time, KCL 3's way: assignment, handoff, failover, death of the leader. */
import type { SchedulerConfigInput } from '../../../consumer/kcl/config';
import { Cluster, type Worker } from '../support/cluster';

const FAILOVER = 6_000;
const FAST: Partial<SchedulerConfigInput> = {
  clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X',
  failoverTimeMillis: FAILOVER,
  idleTimeBetweenReadsMillis: 500,
  parentShardPollIntervalMillis: 2_000,
};

const leaders = (cluster: Cluster): string[] =>
  cluster.workers
    .filter(({ host, scheduler }) => !host.isCrashed && scheduler.status().isLeader)
    .map((w) => w.host.name);

const counts = (cluster: Cluster, ...workers: Worker[]): number[] => workers.map((w) => cluster.owned(w).length);

/** Nothing in a handoff, and the shares as said; a fleet levelled by load has more of what is read less. */
const settled = (cluster: Cluster, workers: Worker[], shares: number[]): boolean =>
  cluster.leases().every((lease) => lease.checkpointOwner === undefined) &&
  JSON.stringify(counts(cluster, ...workers).sort()) === JSON.stringify(shares);

describe.each(['WORKER_UTILIZATION_AWARE', 'LEASE_COUNT_BASED'] as const)('%s', (leaseAssignmentStrategy) => {
  const config = { ...FAST, leaseAssignmentStrategy };

  test('one leader assigns all leases; workers that join get their share by graceful handoff, nothing is read twice', async () => {
    const cluster = new Cluster(1, 6, config);
    cluster.publish(300);
    const a = cluster.start('a');
    expect(await cluster.time.runUntil(() => cluster.complete, 10_000)).toBe(true);
    const [b, c] = [cluster.start('b'), cluster.start('c')];
    expect(await cluster.time.runUntil(() => settled(cluster, [a, b, c], [2, 2, 2]), 60_000)).toBe(true);
    cluster.publish(300);
    expect(await cluster.time.runUntil(() => cluster.complete, 10_000)).toBe(true);
    expect([...cluster.processed.values()].every((times) => times === 1)).toBe(true);
    expect(leaders(cluster)).toEqual(['a']);
    expect(cluster.calls.filter((call) => call.endsWith('leaseLost'))).toEqual([]);
    expect(cluster.violations).toEqual([]);
  });

  test('a killed worker’s leases move within failover + 2 s', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const cluster = new Cluster(seed, 6, config);
      const workers = ['a', 'b', 'c'].map((name) => cluster.start(name));
      const [a, b, c] = workers as [Worker, Worker, Worker];
      expect(await cluster.time.runUntil(() => settled(cluster, workers, [2, 2, 2]), 60_000)).toBe(true);
      await cluster.time.run(cluster.random() * 5_000);
      const victim = workers.find(({ host }) => !leaders(cluster).includes(host.name))!;
      victim.host.crash();
      const rest = [a, b, c].filter((worker) => worker !== victim);
      const held = (): number => rest.reduce((sum, { scheduler }) => sum + scheduler.status().heldLeases, 0);
      expect(await cluster.time.runUntil(() => held() === 6, FAILOVER + 2_000)).toBe(true);
      expect(cluster.owned(victim)).toEqual([]);
      expect(cluster.violations).toEqual([]);
    }
  });

  test('a new leader gives nothing to those whom the one before knew to be dead, however fresh their last report', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const cluster = new Cluster(seed, 6, config);
      const workers = ['a', 'b', 'c', 'd'].map((name) => cluster.start(name));
      const atWork = (): boolean => counts(cluster, ...workers).every((leases) => leases > 0);
      expect(await cluster.time.runUntil(atWork, 60_000)).toBe(true);
      await cluster.time.run(20_000);
      const leader = workers.find(({ host }) => leaders(cluster).includes(host.name))!;
      const victim = workers.find((worker) => worker !== leader)!;
      victim.host.crash();
      expect(await cluster.time.runUntil(() => cluster.owned(victim).length === 0, FAILOVER + 2_000)).toBe(true);
      await cluster.time.run(1_000);
      leader.host.crash();
      const rest = workers.filter((worker) => worker !== leader && worker !== victim);
      const held = (): number => rest.reduce((sum, { scheduler }) => sum + scheduler.status().heldLeases, 0);
      expect(await cluster.time.runUntil(() => held() === 6, 3 * FAILOVER + 2_000)).toBe(true);
      expect(cluster.violations).toEqual([]);
    }
  });

  test('the leader dies: another leads once the lock has run out, and its leases move within failover + 4 s', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const cluster = new Cluster(seed, 6, config);
      const workers = ['a', 'b', 'c'].map((name) => cluster.start(name));
      expect(await cluster.time.runUntil(() => settled(cluster, workers, [2, 2, 2]), 60_000)).toBe(true);
      await cluster.time.run(cluster.random() * 5_000);
      const leader = workers.find(({ host }) => leaders(cluster).includes(host.name))!;
      leader.host.crash();
      const rest = workers.filter((worker) => worker !== leader);
      const held = (): number => rest.reduce((sum, { scheduler }) => sum + scheduler.status().heldLeases, 0);
      // The lock and the watched lease are seen to stand still up to a third of a failover time after they do.
      expect(await cluster.time.runUntil(() => held() === 6, FAILOVER + 4_000)).toBe(true);
      expect(leaders(cluster)).toHaveLength(1);
      expect(cluster.violations).toEqual([]);
    }
  });
});

test('there is never more than one leader, whatever is lost, paused or killed', async () => {
  // The shards are hardly read meanwhile: what is looked at is the lock.
  const config = { ...FAST, idleTimeBetweenReadsMillis: 60_000, leaseAssignmentIntervalMillis: 10_000 };
  for (let seed = 1; seed <= 15; seed++) {
    const cluster = new Cluster(seed, 1, config);
    const workers = ['a', 'b', 'c', 'd'].map((name) => cluster.start(name));
    for (const { host } of workers) host.faults = { lost: 0.1, throttled: 0.05, latency: 300 };
    let most = 0;
    for (let step = 0; step < 120; step++) {
      await cluster.time.run(cluster.random() * 2_000);
      if (cluster.random() < 0.1) workers[Math.floor(cluster.random() * 4)]!.host.pause(cluster.random() * 40_000);
      most = Math.max(most, leaders(cluster).length);
    }
    expect(most).toBe(1);
    expect(cluster.violations).toEqual([]);
  }
});

test.each(['WORKER_UTILIZATION_AWARE', 'LEASE_COUNT_BASED'] as const)(
  '%s: a leader that stops hands its leases over itself: nothing waits for the next leader, nothing is read twice',
  async (leaseAssignmentStrategy) => {
    for (let seed = 1; seed <= 6; seed++) {
      const cluster = new Cluster(seed, 6, { ...FAST, leaseAssignmentStrategy });
      const workers = ['a', 'b', 'c'].map((name) => cluster.start(name));
      expect(await cluster.time.runUntil(() => settled(cluster, workers, [2, 2, 2]), 60_000)).toBe(true);
      await cluster.time.run(cluster.random() * 5_000);
      const leader = workers.find(({ host }) => leaders(cluster).includes(host.name))!;
      const rest = workers.filter((worker) => worker !== leader);
      cluster.publish(200);
      await cluster.time.run(700);
      void leader.scheduler.shutdown();
      const held = (): number => rest.reduce((sum, { scheduler }) => sum + scheduler.status().heldLeases, 0);
      expect(await cluster.time.runUntil(() => held() === 6, 2_000)).toBe(true);
      expect(counts(cluster, ...rest)).toEqual([3, 3]);
      expect(await cluster.time.runUntil(() => cluster.complete, 5_000)).toBe(true);
      expect([...cluster.processed.values()].every((times) => times === 1)).toBe(true);
      expect(cluster.violations).toEqual([]);
    }
  },
);

test('a shutdown gives leases and leadership up at once, and takes the worker’s row away', async () => {
  const cluster = new Cluster(3, 4, FAST);
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  expect(await cluster.time.runUntil(() => settled(cluster, [a, b], [2, 2]), 60_000)).toBe(true);
  const leader = leaders(cluster).includes('a') ? a : b;
  const other = leader === a ? b : a;
  cluster.publish(200);
  await cluster.time.run(700);
  await cluster.time.settle(leader.scheduler.shutdown());
  expect(cluster.table.rows.has(leader.host.name)).toBe(false);
  expect(await cluster.time.runUntil(() => other.scheduler.status().heldLeases === 4, 2_000)).toBe(true);
  expect(await cluster.time.runUntil(() => cluster.complete, 5_000)).toBe(true);
  expect([...cluster.processed.values()].every((times) => times === 1)).toBe(true);
  expect(cluster.violations).toEqual([]);
});

test('a processor that does not stop for a handoff loses its lease at the timeout', async () => {
  const cluster = new Cluster(4, 2, { ...FAST, gracefulLeaseHandoffTimeoutMillis: 5_000 });
  const a = cluster.start('a');
  expect(await cluster.time.runUntil(() => cluster.owned(a).length === 2, 10_000)).toBe(true);
  cluster.behaviour = {
    onBatch: (_shard, _records, host) => (host.name === 'a' ? cluster.time.sleep(120_000) : Promise.resolve()),
  };
  cluster.publish(100);
  await cluster.time.run(2_000);
  const b = cluster.start('b');
  expect(await cluster.time.runUntil(() => cluster.leases().some((row) => row.checkpointOwner === 'a'), 60_000)).toBe(
    true,
  );
  expect(await cluster.time.runUntil(() => b.scheduler.status().heldLeases === 1, 5_000 + FAILOVER)).toBe(true);
  await cluster.time.run(130_000);
  expect(cluster.calls.filter((call) => call.startsWith('a ') && call.endsWith('leaseLost'))).toHaveLength(1);
  expect(cluster.violations).toEqual([]);
});

test('split and merge under a leader: parents end before children begin, every record is processed', async () => {
  const cluster = new Cluster(5, 2, FAST);
  cluster.start('a');
  cluster.start('b');
  cluster.publish(300);
  await cluster.time.run(5_000);
  for (const shard of cluster.stream.openShards.map(({ id }) => id)) cluster.stream.split(shard);
  cluster.publish(300);
  await cluster.time.run(15_000);
  const open = cluster.stream.openShards;
  cluster.stream.merge(open[0]!.id, open[1]!.id);
  cluster.publish(300);
  expect(await cluster.time.runUntil(() => cluster.complete, 60_000)).toBe(true);
  expect(cluster.violations).toEqual([]);
});
