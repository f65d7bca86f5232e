/** Mirrors KCL's DynamoDBLockBasedLeaderDeciderTest, and the lock client's rules. */
import { CoordinatorTable } from '../../../consumer/kcl/coordinator/coordinator-table';
import { LeaderLock, lockFromItem, mayTakeLock } from '../../../consumer/kcl/coordinator/leader-lock';
import { LeaseBench } from '../support/leases';
import { WorkerHost } from '../support/worker-host';
import { FakeStream } from '../support/fake-stream';

const DURATION = 30_000;

class Bench extends LeaseBench {
  lock(workerId: string): LeaderLock {
    const host = new WorkerHost(workerId, this.time, () => 0.5, this.table, new FakeStream(() => 0, 1));
    const { dynamodb, clock, log, uuid } = host.dependencies;
    const table = new CoordinatorTable({
      dynamodb,
      clock,
      tableName: 'app',
      keyAttribute: 'leaseKey',
      requestTimeout: 3_000,
    });
    return new LeaderLock({ table, workerId, clock, uuid, log, leaseDuration: DURATION });
  }

  get leader() {
    return this.table.rows.get('Leader');
  }
}

test('the row has the lock client’s format', async () => {
  const bench = new Bench();
  await bench.wait(bench.lock('a').heartbeat());
  expect(bench.leader).toEqual({
    leaseKey: { S: 'Leader' },
    entityType: { S: 'LEADER' },
    ownerName: { S: 'a' },
    leaseDuration: { S: '30000' },
    recordVersionNumber: { S: 'a-0' },
  });
});

test('a contender must watch one version for the lease duration of the row, not of its own', async () => {
  const bench = new Bench();
  bench.table.rows.set('Leader', {
    leaseKey: { S: 'Leader' },
    ownerName: { S: 'java' },
    leaseDuration: { S: '120000' },
    recordVersionNumber: { S: 'v1' },
    data: { B: Buffer.from('x') },
  });
  const lock = bench.lock('b');
  await bench.wait(lock.heartbeat());
  await bench.time.run(119_000);
  await bench.wait(lock.heartbeat());
  expect(lock.isHeld).toBe(false);
  bench.table.rows.set('Leader', { ...bench.leader!, recordVersionNumber: { S: 'v2' } });
  await bench.time.run(2_000);
  await bench.wait(lock.heartbeat());
  await bench.time.run(119_000);
  await bench.wait(lock.heartbeat());
  expect(lock.isHeld).toBe(false);
  await bench.time.run(2_000);
  await bench.wait(lock.heartbeat());
  expect(lock.isHeld).toBe(true);
  expect(bench.leader).toMatchObject({
    ownerName: { S: 'b' },
    leaseDuration: { S: '30000' },
    data: { B: Buffer.from('x') },
  });
});

test('a released lock is taken at once; a release touches only a row that is still ours', async () => {
  const bench = new Bench();
  const [a, b] = [bench.lock('a'), bench.lock('b')];
  await bench.wait(a.heartbeat());
  await bench.wait(a.release());
  expect(a.isHeld).toBe(false);
  expect(bench.leader).toMatchObject({ ownerName: { S: 'a' }, isReleased: { S: '1' } });
  await bench.wait(b.heartbeat());
  expect(b.isHeld).toBe(true);
  expect(bench.leader!['isReleased']).toBeUndefined();
  // Taken over from b while it was away.
  bench.table.rows.set('Leader', { ...bench.leader!, ownerName: { S: 'c' }, recordVersionNumber: { S: 'c-1' } });
  const before = bench.leader;
  await bench.wait(b.release());
  expect(bench.leader).toBe(before);
});

test('who does not renew stops being leader before another can be', async () => {
  const bench = new Bench();
  const [a, b] = [bench.lock('a'), bench.lock('b')];
  await bench.wait(a.heartbeat());
  for (let time = 0; !b.isHeld; time += 1_000) {
    await bench.wait(b.heartbeat());
    expect(a.isHeld && b.isHeld).toBe(false);
    expect(time).toBeLessThan(DURATION + 2_000);
    await bench.time.run(1_000);
  }
  expect(a.isHeld).toBe(false);
  await bench.wait(a.heartbeat());
  expect(a.isHeld).toBe(false);
});

test('a heartbeat whose answer was lost does not cost the lock', async () => {
  const bench = new Bench();
  const a = bench.lock('a');
  await bench.wait(a.heartbeat());
  bench.table.rows.set('Leader', { ...bench.leader!, recordVersionNumber: { S: 'a-lost' } });
  await bench.wait(a.heartbeat());
  expect(a.isHeld).toBe(true);
});

test('the decision is pure: released, or watched for long enough', () => {
  const row = { ownerName: 'a', leaseDuration: 100, recordVersionNumber: 'v', isReleased: false };
  expect(mayTakeLock(row, undefined, 1e9)).toBe(false);
  expect(mayTakeLock(row, { recordVersionNumber: 'v', since: 0 }, 99)).toBe(false);
  expect(mayTakeLock(row, { recordVersionNumber: 'v', since: 0 }, 100)).toBe(true);
  expect(mayTakeLock(row, { recordVersionNumber: 'w', since: 0 }, 1e9)).toBe(false);
  expect(mayTakeLock({ ...row, isReleased: true }, undefined, 0)).toBe(true);
  expect(lockFromItem({ ownerName: { S: 'a' } })).toBeUndefined();
});
