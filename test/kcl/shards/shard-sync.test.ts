/** The I/O around the decisions of hierarchical-shard-syncer: mirrors the parts of KCL's HierarchicalShardSyncerTest with a lease table. */
import type { ShardFilter } from '../../../consumer/kcl/dependencies';
import type { InitialPosition } from '../../../consumer/kcl/config';
import { syncShards } from '../../../consumer/kcl/shards/shard-sync';
import { ShardDetector } from '../../../consumer/kcl/shards/shard-detector';
import { FakeStream } from '../support/fake-stream';
import { lease, LeaseBench } from '../support/leases';

const TRIM_HORIZON: InitialPosition = { type: 'TRIM_HORIZON' };

function setup(shards = 2) {
  const bench = new LeaseBench();
  const stream = new FakeStream(() => bench.time.now(), shards);
  const { clock, log } = bench.host.dependencies;
  const filters: (ShardFilter | undefined)[] = [];
  let answerIn = (): number => 5;
  let listing = (filter: ShardFilter | undefined) => stream.listShards(filter);
  const shardDetector = new ShardDetector({
    kinesis: {
      listShards: async ({ filter }) => {
        filters.push(filter);
        const shards = listing(filter);
        await clock.sleep(answerIn());
        return { shards };
      },
      getShardIterator: async () => '',
      getRecords: async () => ({ records: [], millisBehindLatest: 0, childShards: [] }),
    },
    clock,
    log,
    streamName: 'stream',
    requestTimeout: 30_000,
    maxAttempts: 50,
    backoff: 1_500,
  });
  const sync = (initialPosition = TRIM_HORIZON): Promise<number> =>
    syncShards({
      refresher: bench.refresher,
      shardDetector,
      clock,
      log,
      streamName: 'stream',
      initialPosition,
      ignoreUnexpectedChildShards: false,
      completedLeaseCleanupIntervalMillis: 20_000,
    });
  const list = (next: typeof listing, wait = answerIn): void => void ([listing, answerIn] = [next, wait]);
  const checkpoints = (): string[] => [...bench.table.rows.values()].map((row) => row['checkpoint']!.S!);
  return { bench, stream, filters, sync, list, checkpoints };
}

describe('syncShards (HierarchicalShardSyncerTest)', () => {
  test('an empty table asks for the shards at the position, and has their rows at it', async () => {
    const { bench, stream, filters, sync, checkpoints } = setup();
    stream.split(stream.shards[0]!.id);
    await bench.time.run(1_000);
    const atTimestamp: InitialPosition = { type: 'AT_TIMESTAMP', timestamp: bench.time.now() };
    expect(await bench.wait(sync(atTimestamp))).toBe(3);
    expect(filters).toEqual([atTimestamp]);
    expect(checkpoints()).toEqual(['AT_TIMESTAMP', 'AT_TIMESTAMP', 'AT_TIMESTAMP']);
    bench.table.rows.clear();
    expect(await bench.wait(sync())).toBe(2);
    expect(filters[1]).toEqual({ type: 'AT_TRIM_HORIZON' });
    expect(checkpoints()).toEqual(['TRIM_HORIZON', 'TRIM_HORIZON']);
    expect(await bench.wait(sync())).toBe(0);
  });

  test('a listing with a hole is read again, a second apart, three times; then the sync fails', async () => {
    const { bench, stream, sync, list, filters } = setup();
    let holes = 3;
    list((filter) => stream.listShards(filter).slice(holes-- > 0 ? 1 : 0));
    const started = bench.time.monotonic();
    expect(await bench.wait(sync())).toBe(2);
    expect(filters).toHaveLength(4);
    expect(bench.time.monotonic() - started).toBeGreaterThanOrEqual(3_000);
    bench.table.rows.clear();
    list((filter) => stream.listShards(filter).slice(1));
    await expect(bench.wait(sync())).rejects.toThrow(/leaves the hash keys 0 to \d+ out/);
    expect(bench.table.rows.size).toBe(0);
  });

  test('a worker that was kept waiting reads again: what others made, finished and deleted meanwhile is not made anew', async () => {
    const { bench, stream, sync, list } = setup(1);
    const first = stream.shards[0]!.id;
    bench.time.after(12_000, () => {
      stream.split(first);
      bench.put(...stream.childrenOf(first).map(({ shardId }) => lease(shardId, { parentShardIds: [first] })));
    });
    let listings = 0;
    list(
      (filter) => stream.listShards(filter),
      () => (++listings === 1 ? 15_000 : 5),
    );
    expect(await bench.wait(sync())).toBe(0);
    expect([...bench.table.rows.keys()].sort()).toEqual(stream.childrenOf(first).map(({ shardId }) => shardId));
  });
});
