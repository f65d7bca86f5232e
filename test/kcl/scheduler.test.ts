/** A worker's life in virtual time: start, failover, reshard, shutdown. */
import { Cluster } from './support/cluster';

const FAST = { failoverTimeMillis: 6_000, idleTimeBetweenReadsMillis: 500, parentShardPollIntervalMillis: 2_000 };

describe('Scheduler', () => {
  test('reads everything, and a second worker takes its share', async () => {
    const cluster = new Cluster(1, 4, FAST);
    cluster.publish(500);
    const a = cluster.start('a');
    expect(await cluster.time.runUntil(() => cluster.complete, 30_000)).toBe(true);
    const b = cluster.start('b');
    expect(await cluster.time.runUntil(() => cluster.owned(b).length === 2, 30_000)).toBe(true);
    expect(cluster.owned(a)).toHaveLength(2);
    expect(cluster.violations).toEqual([]);
  });

  test('a killed worker’s shards are taken within failover + 2 s', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const failoverTimeMillis = seed % 2 === 0 ? FAST.failoverTimeMillis : 10_000;
      const cluster = new Cluster(seed, 4, { ...FAST, failoverTimeMillis });
      const [a, b] = [cluster.start('a'), cluster.start('b')];
      const balanced = (): boolean => cluster.owned(a).length === 2 && cluster.owned(b).length === 2;
      expect(await cluster.time.runUntil(balanced, 60_000)).toBe(true);
      await cluster.time.run(cluster.random() * 5_000);
      a.host.crash();
      const limit = failoverTimeMillis + 2_000;
      expect(await cluster.time.runUntil(() => cluster.owned(b).length === 4, limit)).toBe(true);
      expect(cluster.violations).toEqual([]);
    }
  });

  test('a graceful shutdown drains, checkpoints and gives its leases up, so that a peer resumes at once (pain of KCL #845)', async () => {
    const cluster = new Cluster(3, 4, FAST);
    const [a, b] = [cluster.start('a'), cluster.start('b')];
    await cluster.time.runUntil(() => cluster.owned(a).length === 2 && cluster.owned(b).length === 2, 60_000);
    // A robbed owner may process a batch more; that is not what is looked at here.
    await cluster.time.run(3_000);
    const shards = cluster.owned(a).map((lease) => lease.leaseKey);
    cluster.publish(200);
    await cluster.time.run(700);
    const started = cluster.time.monotonic();
    await cluster.time.settle(a.scheduler.shutdown());
    await a.stopped;
    expect(cluster.time.monotonic() - started).toBeLessThan(1_000);
    for (const shard of shards) {
      expect(cluster.calls).toContain(`a ${shard} shutdownRequested`);
      expect(cluster.calls).not.toContain(`a ${shard} leaseLost`);
    }
    expect(await cluster.time.runUntil(() => cluster.owned(b).length === 4, 2_000)).toBe(true);
    expect(await cluster.time.runUntil(() => cluster.complete, 5_000)).toBe(true);
    // Nothing twice: each record was processed and checkpointed before its lease moved.
    expect([...cluster.processed.values()].every((times) => times === 1)).toBe(true);
    expect(cluster.violations).toEqual([]);
    expect(a.scheduler.status()).toMatchObject({ state: 'SHUT_DOWN', heldLeases: 0, shards: [], bytesInMemory: 0 });
  });

  test('shutdown with no leases resolves at once (GracefulShutdownCoordinatorTest)', async () => {
    const cluster = new Cluster(4, 1, FAST);
    const a = cluster.start('a');
    await cluster.time.runUntil(() => cluster.owned(a).length === 1, 10_000);
    const b = cluster.start('b');
    await cluster.time.run(3_000);
    expect(b.scheduler.status()).toMatchObject({ state: 'STARTED', heldLeases: 0 });
    const started = cluster.time.monotonic();
    await cluster.time.settle(b.scheduler.shutdown());
    expect(cluster.time.monotonic() - started).toBeLessThan(100);
  });

  test('a processor slower than the wait: shutdown resolves all the same, the lease is left to expire (GracefulShutdownCoordinatorTest)', async () => {
    const cluster = new Cluster(5, 1, { ...FAST, gracefulShutdownTimeoutMillis: 4_000 });
    cluster.behaviour = { onBatch: () => cluster.time.sleep(3_600_000) };
    cluster.publish(1);
    const a = cluster.start('a');
    await cluster.time.run(3_000);
    const started = cluster.time.monotonic();
    await cluster.time.settle(a.scheduler.shutdown());
    expect(cluster.time.monotonic() - started).toBeLessThan(4_500);
    expect(cluster.leases()[0]).toMatchObject({ leaseOwner: 'a', checkpoint: { sequenceNumber: 'TRIM_HORIZON' } });
  });

  test('a worker with a stable id takes its rows up again at once after a restart', async () => {
    const cluster = new Cluster(6, 2, FAST);
    const a = cluster.start('a');
    await cluster.time.runUntil(() => cluster.owned(a).length === 2, 10_000);
    a.host.crash();
    cluster.publish(50);
    await cluster.time.run(1_000);
    cluster.start('a');
    expect(await cluster.time.runUntil(() => cluster.complete, 1_500)).toBe(true);
    expect(cluster.violations).toEqual([]);
  });

  test('split and merge: parents end before children begin, every record is processed', async () => {
    const cluster = new Cluster(7, 2, FAST);
    const [a, b] = [cluster.start('a'), cluster.start('b')];
    cluster.publish(300);
    await cluster.time.run(2_000);
    const [first, second] = cluster.stream.openShards.map((shard) => shard.id) as [string, string];
    cluster.stream.split(first);
    cluster.stream.split(second);
    cluster.publish(300);
    await cluster.time.run(15_000);
    const open = cluster.stream.openShards;
    cluster.stream.merge(open[0]!.id, open[1]!.id);
    cluster.publish(300);
    expect(await cluster.time.runUntil(() => cluster.complete, 60_000)).toBe(true);
    expect(cluster.owned(a).length + cluster.owned(b).length).toBe(3);
    expect(cluster.violations).toEqual([]);
  });

  test('an unusable table stops the start with its name and what is missing', async () => {
    const cluster = new Cluster(8, 1, FAST);
    cluster.table.description = { ...cluster.table.description, keySchema: [{ name: 'id', keyType: 'HASH' }] };
    const a = cluster.start('a');
    await expect(cluster.time.settle(a.stopped)).rejects.toThrow(
      'The lease table app cannot be used: its key must be leaseKey (S, HASH) alone.',
    );
  });

  test('a Java KCL 3 fleet at work is not joined; one that stopped is taken over from', async () => {
    const cluster = new Cluster(10, 2, FAST);
    const seconds = Math.floor(cluster.time.now() / 1_000);
    const entity = (key: string, entityType: string, members: object) =>
      cluster.table.rows.set(key, { leaseKey: { S: key }, entityType: { S: entityType }, ...members });
    entity('Migration3.0', 'CLIENT_VERSION_MIGRATION', { cv: { S: 'CLIENT_VERSION_3X' } });
    entity('java-1', 'WORKER_METRIC_STATS', { lut: { N: String(seconds) } });
    await expect(cluster.time.settle(cluster.start('a').stopped)).rejects.toThrow(
      /1 workers of a KCL 3 fleet \(CLIENT_VERSION_3X\) are at work/,
    );
    await cluster.time.run(120_000);
    const b = cluster.start('b');
    expect(await cluster.time.runUntil(() => b.scheduler.status().heldLeases === 2, 10_000)).toBe(true);
    entity('Migration3.0', 'CLIENT_VERSION_MIGRATION', { cv: { S: 'CLIENT_VERSION_2X' } });
    entity('java-2', 'WORKER_METRIC_STATS', { lut: { N: String(Math.floor(cluster.time.now() / 1_000)) } });
    const c = cluster.start('c');
    expect(await cluster.time.runUntil(() => c.scheduler.status().heldLeases === 1, 20_000)).toBe(true);
  });

  test('LATEST is refused with the reason, and every bad member is named', () => {
    const cluster = new Cluster(9, 1);
    expect(() =>
      cluster.start('', { initialPosition: { type: 'LATEST' } as never, failoverTimeMillis: 5, maxRecords: 20_000 }),
    ).toThrow(/workerId.*LATEST cannot be reproduced.*failoverTimeMillis.*1000 to 3600000, not 5.*maxRecords/s);
  });
});
