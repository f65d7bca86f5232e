import fc from 'fast-check';
import { chainOf, type ObjectRange } from '../../operations/committed-ranges';
import { leasesFromHeads } from '../../operations/rebuild-leases';
import { applyRegistry, planRegistry, type ListedShard } from '../../operations/rebuild-registry';
import { verify } from '../../operations/verify';
import { parseHead, type Head } from '../../consumer/lake/append/head';
import { manifestKey, partitionOf } from '../../lib/contracts/lake-layout';
import { headKey } from '../../lib/contracts/registry';
import { BASE, HOUR, testUseCase } from '../lake/support/telemetry';
import { LakeBench, SHARDS } from './support/lake';

const quiet = (): void => undefined;

describe('the registry from the bucket', () => {
  test('every item that the product wrote comes back, but for what only people read', async () => {
    const bench = await LakeBench.sealed();
    const several = [2, 1, 3].map((minute) => ({ timestamp: BASE + 7 * HOUR + minute * 60_000, temperature: 5 }));
    const open = bench.record(several, 'sensor-0-0', BASE + 7 * HOUR + 1000);
    await bench.append(SHARDS[0]!, [open], BASE + 7 * HOUR + 1000);
    const before = bench.table.all();
    bench.loseRegistry();
    const plan = await planRegistry(bench, SHARDS, quiet);
    expect(plan).toMatchObject({ ranges: 29, segments: 27, partitions: 2, warnings: [], kept: [] });
    expect(bench.table.all()).toEqual([]);
    const created = await applyRegistry(bench, plan, quiet);
    expect(created).toBe(plan.items.length);

    const ignored = ['sealedAt', 'rowGroups', 'progress', 'since'];
    const comparable = (items: typeof before): unknown[] =>
      items
        .filter(({ pk, sk }) => pk !== 'LOCK' && !sk.startsWith('TAIL#'))
        .map((item) => Object.fromEntries(Object.entries(item).filter(([name]) => !ignored.includes(name))));
    expect(comparable(bench.table.all())).toEqual(comparable(before));
    // Progress by idleness is not in the bucket: what was read is.
    expect(bench.table.get(headKey(SHARDS[1]!.shardId))!['progress']).toBe(BASE + 2 * HOUR);
  });

  test('the product goes on from it: nothing is folded twice, and what comes next is sealed', async () => {
    const bench = await LakeBench.sealed();
    bench.loseRegistry();
    await applyRegistry(bench, await planRegistry(bench, SHARDS, quiet), quiet);
    const next = bench.record({ timestamp: BASE + 6 * HOUR, temperature: 5 }, 'sensor-0-0', BASE + 6 * HOUR + 1000);
    await bench.append(SHARDS[0]!, [next], BASE + 12 * HOUR);
    await bench.append(SHARDS[1]!, [], BASE + 12 * HOUR);
    await bench.fold();
    const { partitions, shards, problems } = await verify(bench, { useCases: [testUseCase], leases: [] }, quiet);
    expect([...partitions, ...shards].flatMap((report) => report.problems).concat(problems)).toEqual([]);
    expect(partitions.map(({ hour, generation, folded }) => [hour, generation, folded])).toEqual([
      ['2026-03-04T00', 1, 14],
      ['2026-03-04T01', 1, 10],
      ['2026-03-04T06', 1, 1],
    ]);
    expect(bench.table.unfolded.size).toBe(0);
  });

  test('a shard whose head is there is left alone, and a head that the objects contradict is said', async () => {
    const bench = await LakeBench.sealed();
    const [first, second] = SHARDS;
    const head = bench.table.get(headKey(first!.shardId))!;
    bench.loseRegistry();
    bench.table.set(headKey(first!.shardId), { ...head, end: 'TRIM_HORIZON' });
    const plan = await planRegistry(bench, SHARDS, quiet);
    expect(plan.kept).toEqual([first!.shardId]);
    expect(plan.heads.map(({ shardId }) => shardId)).toEqual([second!.shardId]);
    expect(plan.warnings).toEqual([expect.stringContaining('its head says TRIM_HORIZON, the objects reach')]);
  });

  test('objects of an intent that lacks one are not committed', async () => {
    const bench = await LakeBench.sealed();
    const two = [BASE + 8 * HOUR, BASE + 9 * HOUR].map((timestamp) => ({ timestamp, temperature: 1 }));
    await bench.append(SHARDS[0]!, [bench.record(two, 'sensor-0-0', BASE + 9 * HOUR)], BASE + 9 * HOUR);
    bench.objects.objects.delete(bench.objects.keys('readings/test-case/dt=2026-03-04/hour=09/')[0]!);
    bench.loseRegistry();
    const plan = await planRegistry(bench, SHARDS, quiet);
    expect(plan.ranges).toBe(28);
    expect(plan.warnings).toEqual(['shardId-000000000000: 1 ranges of intents that were given up stay out']);
  });

  test.each(['sealed', 'frozen'])('of two equal claims to one place, the one whose readings are %s', async (state) => {
    const bench = await LakeBench.sealed();
    const claimed = bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/')[0]!;
    // An intent of another build that was given up, and whose PUT landed late. Its name comes first.
    const twin = claimed.replace(/-id\d+\.parquet$/, '-a.parquet');
    bench.objects.objects.set(twin, bench.objects.objects.get(claimed)!);
    if (state === 'frozen') bench.objects.objects.delete(manifestKey(partitionOf('test-case', BASE), 1));
    bench.loseRegistry();
    await applyRegistry(bench, await planRegistry(bench, SHARDS, quiet), quiet);
    const late = bench.record({ timestamp: BASE, temperature: 5 }, 'sensor-0-0', BASE + 12 * HOUR);
    await bench.append(SHARDS[0]!, [late], BASE + 18 * HOUR);
    await bench.append(SHARDS[1]!, [], BASE + 18 * HOUR);
    await bench.fold();
    const { partitions, problems } = await verify(bench, { useCases: [testUseCase], leases: [] }, quiet);
    expect(partitions.flatMap((report) => report.problems).concat(problems)).toEqual([]);
    expect(partitions[0]).toMatchObject({ generation: 2, folded: 15, waiting: 0 });
  });

  test('what had expired by then: of commits, of hours, and all of a commit', async () => {
    const bench = new LakeBench();
    const readings = (hour: number): object[] => [
      { timestamp: BASE + hour * HOUR, temperature: 1 },
      { timestamp: BASE + hour * HOUR, temperature: 'none' },
    ];
    const malformed = bench.record('{"temperature": 1', 'sensor-0-0', BASE + HOUR);
    const [first, second, third] = [0, 1, 2].map((hour) =>
      bench.record(readings(hour), 'sensor-0-0', BASE + hour * HOUR + 1000),
    );
    await bench.append(SHARDS[0]!, [first!, malformed, second!, third!], BASE + 6 * HOUR);
    await bench.append(SHARDS[1]!, [], BASE + 6 * HOUR);
    await bench.fold();
    const expired = [
      ...bench.objects.keys('quarantine/'),
      ...bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/'),
    ];
    for (const key of expired) bench.objects.objects.delete(key);
    bench.loseRegistry();
    const plan = await planRegistry(bench, SHARDS, quiet);
    expect(plan).toMatchObject({ ranges: 2, segments: 2, partitions: 3 });
    expect(plan.warnings).toEqual(['shardId-000000000000: of 2 ranges some objects have expired, or were deleted']);
    await applyRegistry(bench, plan, quiet);
    const late = bench.record({ timestamp: BASE + HOUR, temperature: 5 }, 'sensor-0-0', BASE + 12 * HOUR);
    await bench.append(SHARDS[0]!, [late], BASE + 18 * HOUR);
    await bench.append(SHARDS[1]!, [], BASE + 18 * HOUR);
    await bench.fold();
    const request = { useCases: [testUseCase], leases: [], readingsExpiredBefore: BASE + HOUR };
    const { partitions, shards, problems, conservation } = await verify(bench, request, quiet);
    expect([...partitions, ...shards].flatMap((report) => report.problems).concat(problems)).toEqual([]);
    expect(conservation).toBe('checked');
    expect(partitions.map(({ generation, folded }) => [generation, folded])).toEqual([
      [1, 1],
      [2, 2],
      [1, 1],
    ]);
  });

  test('a hole in what is left is written down', async () => {
    const bench = await LakeBench.sealed();
    bench.objects.objects.delete(bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/')[3]!);
    bench.loseRegistry();
    const plan = await planRegistry(bench, SHARDS, quiet);
    expect(plan.warnings).toEqual([expect.stringMatching(/no objects between .* and .*: expired, or deleted/)]);
    await applyRegistry(bench, plan, quiet);
    const { shards } = await verify(bench, { useCases: [testUseCase], leases: [] }, quiet);
    expect(shards[0]).toMatchObject({ problems: [], ranges: 13 });
    expect(shards[0]!.notes).toContain(
      '1 places where the ledger was rebuilt without the objects: what they held is not known',
    );
  });

  test('a shard that the stream does not list any more is finished', async () => {
    const bench = await LakeBench.sealed();
    bench.loseRegistry();
    const plan = await planRegistry(bench, SHARDS.slice(1), quiet);
    expect(plan.heads.map(({ finished }) => finished)).toEqual([true, false]);
  });
});

describe('committed ranges', () => {
  const range = (start: number, end: number, id = 'a', objects = 1): ObjectRange => ({
    shardId: 's',
    name: `s-${start}-${end}-${id}`,
    start: start === 0 ? 'TRIM_HORIZON' : `${start}.0.0`,
    end: `${end}.0.0`,
    partial: false,
    records: end - start,
    progress: end,
    expected: 1,
    objects: Array.from({ length: objects }, () => ({
      key: `${start}-${end}-${id}`,
      bytes: 1,
      contentHash: '',
      rows: 1,
    })),
  });
  const names = (ranges: readonly ObjectRange[]): string[] => chainOf(ranges, new Set()).ranges.map(({ name }) => name);

  test('of two claims to one place, the one that others follow', () => {
    expect(names([range(0, 5), range(5, 9, 'given-up'), range(5, 7), range(7, 12)])).toEqual([
      's-0-5-a',
      's-5-7-a',
      's-7-12-a',
    ]);
    expect(names([range(0, 5), range(5, 9), range(5, 7, 'short'), range(9, 10)])).toEqual([
      's-0-5-a',
      's-5-9-a',
      's-9-10-a',
    ]);
  });

  test('one that lacks an object is no part of it', () => {
    expect(names([range(0, 5), range(5, 9, 'a', 0)])).toEqual(['s-0-5-a']);
  });

  test('what expired before, and holes', () => {
    const chain = chainOf([range(5, 7), range(7, 9), range(12, 14)], new Set());
    expect(chain.ranges.map(({ name }) => name)).toEqual(['s-5-7-a', 's-7-9-a', 's-12-14-a']);
    expect(chain.holes).toEqual([{ after: '9.0.0', before: '12.0.0' }]);
  });

  test('what a generation was made of is taken, whichever reaches further', () => {
    const ranges = [range(0, 5), range(5, 7), range(7, 8), range(5, 8, 'given-up'), range(7, 20, 'given-up')];
    const chain = chainOf(ranges, new Set(['5-7-a', '7-8-a']));
    expect(chain.ranges.map(({ name }) => name)).toEqual(['s-0-5-a', 's-5-7-a', 's-7-8-a']);
  });

  test('whatever was given up on the way, the chain holds every record once, and all that was folded', () => {
    const plan = fc.record({
      cuts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 }),
      givenUp: fc.array(fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 60 }), whole: fc.boolean() }), {
        maxLength: 10,
      }),
      folded: fc.array(fc.nat(), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(plan, ({ cuts, givenUp, folded }) => {
        let at = 0;
        const committed = cuts.map((length) => range(at, (at += length), 'committed'));
        const others = givenUp.map(({ at: index, length, whole }, id) => {
          const from = committed[index % committed.length]!;
          const start = from.start === 'TRIM_HORIZON' ? 0 : Number(from.start.split('.')[0]);
          return range(start, Math.min(at, start + length), `given-up-${id}`, whole ? 1 : 0);
        });
        const frozen = folded.map((index) => committed[index % committed.length]!);
        const chain = chainOf([...others, ...committed], new Set(frozen.map(({ objects }) => objects[0]!.key)));
        expect(chain.ranges).toEqual(expect.arrayContaining(frozen));
        let end = 'TRIM_HORIZON';
        for (const each of chain.ranges) {
          expect(each.start).toBe(end);
          end = each.end;
        }
        expect(end).toBe(`${at}.0.0`);
        expect(chain.holes).toEqual([]);
      }),
    );
  });
});

describe('leases from the heads', () => {
  const head = (shardId: string, end: string, more: Partial<Head> = {}): Head => ({
    ...parseHead({
      pk: '',
      sk: '',
      shardId,
      end,
      partial: false,
      progress: 1,
      startingHashKey: '0',
      endingHashKey: '9',
      finished: false,
    }),
    ...more,
  });
  const shard = (shardId: string, ...parentShardIds: string[]): ListedShard => ({
    shardId,
    startingHashKey: '0',
    endingHashKey: '9',
    parentShardIds,
  });
  const checkpoints = (heads: Head[], shards: ListedShard[]): unknown[] =>
    leasesFromHeads(heads, shards).map(({ leaseKey, checkpoint }) => [
      leaseKey,
      checkpoint.sequenceNumber,
      checkpoint.subSequenceNumber,
    ]);

  test('at what is committed, never beyond', () => {
    const heads = [
      head('a', '7.3.0'),
      head('b', '7.3.2', { partial: true }),
      head('c', '7.0.2', { partial: true }),
      head('d', 'AT_TIMESTAMP:5'),
      head('e', '9.0.0', { finished: true }),
    ];
    expect(
      checkpoints(
        heads,
        heads.map(({ shardId }) => shard(shardId)),
      ),
    ).toEqual([
      ['a', '7', 3],
      ['b', '7', 2],
      ['c', 'TRIM_HORIZON', 0],
      ['d', 'TRIM_HORIZON', 0],
      ['e', 'SHARD_END', 0],
    ]);
  });

  test('children that no lease was made for yet; shards without a head or a parent with one are shard sync’s', () => {
    const heads = [head('parent', '7.0.0', { finished: true })];
    const leases = leasesFromHeads(heads, [
      shard('parent'),
      shard('left', 'parent'),
      shard('right', 'parent'),
      shard('new'),
    ]);
    expect(leases.map(({ leaseKey, childShardIds }) => [leaseKey, childShardIds])).toEqual([
      ['parent', ['left', 'right']],
      ['left', []],
      ['right', []],
    ]);
  });
});
