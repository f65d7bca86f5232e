/** Workers that stop one after the other while leases are being moved, as in a rolling deployment: none waits for an expiry. */
import { Cluster, type Worker } from '../support/cluster';

const FAILOVER = 10_000;
const SHARDS = 6;

test.each([
  ['the leader, as soon as there is one,', 2_500],
  ['any worker', 2_500],
])('%s stops in turn: all leases are held again within %i ms', async (who, limit) => {
  for (let seed = 1; seed <= 25; seed++) {
    const cluster = new Cluster(seed, SHARDS, {
      clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X',
      failoverTimeMillis: FAILOVER,
      idleTimeBetweenReadsMillis: 500,
    });
    const live: Worker[] = ['a', 'b', 'c'].map((name) => cluster.start(name));
    const held = (): number => live.reduce((sum, { scheduler }) => sum + scheduler.status().heldLeases, 0);
    const isReady = (): boolean =>
      held() === SHARDS &&
      live.every(({ scheduler }) => scheduler.status().heldLeases > 0) &&
      live.some(({ scheduler }) => scheduler.status().isLeader);
    for (let round = 0; round < 4; round++) {
      expect(await cluster.time.runUntil(isReady, 120_000)).toBe(true);
      await cluster.time.run(cluster.random() * 300);
      const leader = live.findIndex(({ scheduler }) => scheduler.status().isLeader);
      const index = who === 'any worker' ? Math.floor(cluster.random() * live.length) : Math.max(0, leader);
      const [stopped] = live.splice(index, 1) as [Worker];
      cluster.publish(50);
      void stopped.scheduler.shutdown();
      expect(await cluster.time.runUntil(() => held() === SHARDS, limit)).toBe(true);
      live.push(cluster.start(`next-${round}`));
    }
    expect(cluster.violations).toEqual([]);
  }
});
