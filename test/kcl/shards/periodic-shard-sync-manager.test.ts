/** Mirrors KCL's PeriodicShardSyncManagerTest, DeterministicShuffleShardSyncLeaderDeciderTest and LeaseCleanupManagerTest. */
import { noMetrics } from '../../../consumer/kcl/adapters/system';
import { findHole, MAX_HASH_KEY } from '../../../consumer/kcl/common/hash-key-range';
import { shardSyncLeader, shuffledWorkers } from '../../../consumer/kcl/coordinator/leader-decider';
import { isCompleted, LeaseCleanupManager } from '../../../consumer/kcl/leases/lease-cleanup-manager';
import { PeriodicShardSyncManager } from '../../../consumer/kcl/shards/periodic-shard-sync-manager';
import { ShardDetector } from '../../../consumer/kcl/shards/shard-detector';
import { FakeStream } from '../support/fake-stream';
import { lease, LeaseBench } from '../support/leases';

const END = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 };
const range = (from: bigint, to: bigint) => ({ startingHashKey: String(from), endingHashKey: String(to) });
const HALF = MAX_HASH_KEY / 2n;
const whole = [range(0n, HALF), range(HALF + 1n, MAX_HASH_KEY)];

function setup(shards = 2, isLeader?: () => boolean) {
  const bench = new LeaseBench();
  const stream = new FakeStream(() => bench.time.now(), shards);
  const { clock, log } = bench.host.dependencies;
  let listed = 0;
  const shardDetector = new ShardDetector({
    kinesis: {
      ...bench.host.dependencies.kinesis,
      listShards: async ({ filter }) => {
        listed++;
        return { shards: stream.listShards(filter) };
      },
    },
    clock,
    log,
    streamName: 's',
    requestTimeout: 1_000,
    maxAttempts: 1,
    backoff: 1,
  });
  let syncs = 0;
  const manager = new PeriodicShardSyncManager({
    refresher: bench.refresher,
    shardDetector,
    workerId: 'me',
    log,
    metrics: noMetrics,
    syncShards: async () => void syncs++,
    isLeader,
  });
  const audit = async (): Promise<number> => {
    await bench.wait(manager.audit());
    return syncs;
  };
  return { bench, stream, shardDetector, audit, listed: () => listed };
}

describe('PeriodicShardSyncManager (PeriodicShardSyncManagerTest)', () => {
  test('the same hole once and twice: nothing; the third time: a sync', async () => {
    const { bench, audit } = setup();
    bench.put(lease('a', { leaseOwner: 'me', hashKeyRange: whole[0] }));
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 1]);
  });

  test('under a leader, who is not the leader does not even read the table', async () => {
    const { bench, audit } = setup(2, () => false);
    let scans = 0;
    bench.table.scan = () => (scans++, { Items: [] });
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 0]);
    expect(scans).toBe(0);
  });

  test('a hole that shifts, or closes in between, never', async () => {
    const { bench, audit } = setup();
    for (let i = 1n; i < 8n; i++) {
      bench.put(lease('a', { leaseOwner: 'me', hashKeyRange: range(0n, HALF + i) }));
      expect(await audit()).toBe(0);
    }
    bench.put(lease('a', { leaseOwner: 'me', hashKeyRange: whole[0] }));
    expect([await audit(), await audit()]).toEqual([0, 0]);
    bench.put(lease('b', { hashKeyRange: whole[1] }));
    expect(await audit()).toBe(0);
    bench.table.rows.delete('b');
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 1]);
  });

  test('rows at SHARD_END cover nothing; overlaps of parents and children are no harm', async () => {
    const { bench, audit } = setup();
    const all = range(0n, MAX_HASH_KEY);
    bench.put(lease('p', { leaseOwner: 'me', hashKeyRange: all }), lease('a', { hashKeyRange: whole[0] }));
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 0]);
    bench.put(lease('p', { leaseOwner: 'me', hashKeyRange: all, checkpoint: END }));
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 1]);
  });

  test('missing hash keys are filled from ListShards first', async () => {
    const { bench, stream, audit, listed } = setup();
    bench.put(...stream.shards.map((shard) => lease(shard.id, { leaseOwner: 'me' })));
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 0]);
    expect(listed()).toBe(1);
    const { from, to } = stream.shards[1]!;
    expect(await bench.row(stream.shards[1]!.id)).toMatchObject({ hashKeyRange: range(from, to), leaseCounter: 0 });
  });

  test('no rows at all: a sync at once', async () => {
    expect(await setup().audit()).toBe(1);
  });

  test('only the leader audits', async () => {
    const { bench, audit } = setup();
    // Of two workers the shuffle makes the first the leader.
    bench.put(
      lease('a', { leaseOwner: 'me', hashKeyRange: whole[0] }),
      lease('b', { leaseOwner: 'aa', hashKeyRange: whole[0] }),
    );
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 0]);
    bench.put(lease('b', { leaseOwner: 'zz', hashKeyRange: whole[0] }));
    expect([await audit(), await audit(), await audit()]).toEqual([0, 0, 1]);
  });
});

describe('the shard-sync leader (DeterministicShuffleShardSyncLeaderDeciderTest)', () => {
  // From java.util.Random(1947) and Collections.shuffle on Java 17.
  test.each([
    [1, 'w0'],
    [2, 'w0 w1'],
    [3, 'w2 w0 w1'],
    [4, 'w3 w0 w1 w2'],
    [5, 'w4 w0 w2 w1 w3'],
    [8, 'w2 w3 w0 w6 w4 w7 w1 w5'],
  ])('%i workers: %s', (count, expected) => {
    const workers = Array.from({ length: count }, (_, i) => `w${i}`);
    expect(shuffledWorkers(workers.reverse()).join(' ')).toBe(expected);
  });

  test('the leader is chosen among the owners, each counted once', () => {
    const rows = ['w1', 'w0', 'w2', 'w1', undefined].map((leaseOwner, i) => lease(`s${i}`, { leaseOwner }));
    expect(shardSyncLeader(rows)).toBe('w2');
    expect(shardSyncLeader([lease('s')])).toBeUndefined();
  });
});

describe('LeaseCleanupManager (LeaseCleanupManagerTest)', () => {
  const parent = lease('p', { leaseOwner: 'me', checkpoint: END, childShardIds: ['a', 'b'] });
  const rows = (...leases: ReturnType<typeof lease>[]) => new Map(leases.map((row) => [row.leaseKey, row]));
  const fresh = (key: string, sequenceNumber: string) =>
    lease(key, { checkpoint: { sequenceNumber, subSequenceNumber: 0 } });

  test('a row is completed when both children are past their start and its own parents are gone', () => {
    expect(isCompleted(parent, rows(parent, lease('a'), lease('b')))).toBe(true);
    expect(isCompleted(parent, rows(parent, lease('a'), fresh('b', 'LATEST')))).toBe(true);
    expect(isCompleted(parent, rows(parent, lease('a'), fresh('b', 'TRIM_HORIZON')))).toBe(false);
    expect(isCompleted(parent, rows(parent, lease('a'), fresh('b', 'AT_TIMESTAMP')))).toBe(false);
    expect(isCompleted(parent, rows(parent, lease('a')))).toBe(false);
    expect(isCompleted({ ...parent, checkpoint: lease('x').checkpoint }, rows(parent, lease('a'), lease('b')))).toBe(
      false,
    );
    expect(isCompleted({ ...parent, childShardIds: [] }, rows(parent, lease('a'), lease('b')))).toBe(false);
    const child = { ...parent, parentShardIds: ['g'] };
    expect(isCompleted(child, rows(child, lease('a'), lease('b'), lease('g')))).toBe(false);
  });

  test('held rows are deleted oldest first, not before their time; those whose shard the stream has no more, too', async () => {
    const { bench, stream, shardDetector } = setup(1);
    const id = stream.shards[0]!.id;
    bench.put(parent, lease('a'), lease('b', { leaseOwner: 'me', checkpoint: END, parentShardIds: ['p'] }));
    bench.put(lease(id, { leaseOwner: 'me', checkpoint: END }));
    for (const key of ['p', 'b', id]) await bench.hold(key);
    // Both of p's children exist; b has none and is gone from the stream.
    const manager = new LeaseCleanupManager({
      refresher: bench.refresher,
      holder: bench.renewer,
      shardDetector,
      clock: bench.host.clock,
      log: bench.host.dependencies.log,
      minimumAge: 5_000,
    });
    await bench.wait(manager.deleteCompleted());
    await bench.wait(manager.deleteGarbage());
    expect(bench.table.rows.size).toBe(4);
    await bench.time.run(5_000);
    await bench.wait(manager.deleteCompleted());
    expect([...bench.table.rows.keys()].sort()).toEqual(['a', 'b', id].sort());
    await bench.wait(manager.deleteGarbage());
    expect([...bench.table.rows.keys()].sort()).toEqual(['a', id].sort());
    expect(bench.held()).toEqual([id]);
    expect(bench.lost).toEqual([]);
  });

  test('findHole: order, overlaps, the last key', () => {
    expect(findHole(whole)).toBeUndefined();
    expect(findHole([whole[1]!, whole[0]!, range(5n, 9n)])).toBeUndefined();
    expect(findHole([range(0n, MAX_HASH_KEY - 1n)])).toEqual({ from: MAX_HASH_KEY, to: MAX_HASH_KEY });
    expect(findHole([range(0n, 4n), range(6n, MAX_HASH_KEY)])).toEqual({ from: 5n, to: 5n });
    expect(findHole([])).toEqual({ from: 0n, to: MAX_HASH_KEY });
  });
});
