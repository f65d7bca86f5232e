import { verify, type Verification } from '../../operations/verify';
import type { LeaseView } from '../../operations/verify-shards';
import { headKey, partitionPk } from '../../lib/contracts/registry';
import { BASE, HOUR, testUseCase } from '../lake/support/telemetry';
import { LakeBench, SHARDS } from './support/lake';

const run = (bench: LakeBench, leases: LeaseView[] = []): Promise<Verification> =>
  verify(bench, { useCases: [testUseCase], leases }, () => undefined);

const problems = ({ partitions, shards, problems: all }: Verification): string[] => [
  ...partitions.flatMap((partition) => partition.problems),
  ...shards.flatMap((shard) => shard.problems),
  ...all,
];

const partition = { useCase: 'test-case', dt: '2026-03-04', hour: '00' };

test('a lake that the product wrote has no problem, and every file of it was hashed', async () => {
  const bench = await LakeBench.sealed();
  const result = await run(bench);
  expect(problems(result)).toEqual([]);
  expect(result.conservation).toBe('checked');
  expect(
    result.partitions.map(({ hour, generation, readings, folded, duplicates }) => [
      hour,
      generation,
      readings,
      folded,
      duplicates,
    ]),
  ).toEqual([
    ['2026-03-04T00', 1, 16, 14, 2],
    ['2026-03-04T01', 1, 10, 10, 0],
  ]);
  expect(
    result.shards.map(({ records, readings, quarantined, gaps }) => [records, readings, quarantined, gaps]),
  ).toEqual([
    [14, 13, 1, 0],
    [14, 13, 1, 0],
  ]);
  const files = bench.objects.keys('').filter((key) => key.endsWith('.parquet'));
  expect(result.partitions.reduce((sum, report) => sum + report.files, 0)).toBe(files.length);
});

test('the hours asked for are those looked at', async () => {
  const bench = await LakeBench.sealed();
  const range = { useCases: [testUseCase], leases: [], from: '2026-03-04T01', to: '2026-03-04T02' };
  const result = await verify(bench, range, () => undefined);
  expect(result.partitions.map(({ hour }) => hour)).toEqual(['2026-03-04T01']);
  expect(result.conservation).toBe('not checked');
});

test('segments that may have expired are no damage; those of later hours are', async () => {
  const bench = await LakeBench.sealed();
  for (const key of bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/')) bench.objects.objects.delete(key);
  const request = { useCases: [testUseCase], leases: [], readingsExpiredBefore: BASE + HOUR };
  const result = await verify(bench, request, () => undefined);
  expect(problems(result)).toEqual([]);
  expect(result.conservation).toBe('checked');
  expect(result.partitions[0]).toMatchObject({ readings: 16, expired: 16, files: 1, notes: [] });
  bench.objects.objects.delete(bench.objects.keys('readings/test-case/dt=2026-03-04/hour=01/')[0]!);
  expect(problems(await verify(bench, request, () => undefined))).toEqual([
    expect.stringContaining('registered, but not in the bucket'),
    'test-case: the ledger counts 26 readings, the partitions hold 25',
  ]);
});

describe('damage', () => {
  const segmentOf = (bench: LakeBench): string => bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/')[0]!;
  const partOf = (bench: LakeBench): string =>
    bench.objects.keys('features/test-case/dt=2026-03-04/hour=00/gen=1/part')[0]!;
  const pk = partitionPk(partition);
  const damages: [string, (bench: LakeBench) => void, RegExp][] = [
    [
      'a segment is gone',
      (bench) => bench.objects.objects.delete(segmentOf(bench)),
      /registered, but not in the bucket/,
    ],
    [
      'a segment was overwritten',
      (bench) => {
        const [mine, other] = bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/');
        const object = bench.objects.objects.get(other!)!;
        bench.objects.objects.set(mine!, object);
      },
      /registered were|not those that were registered/,
    ],
    [
      'a byte of a part is flipped',
      (bench) => {
        const object = bench.objects.objects.get(partOf(bench))!;
        const body = Uint8Array.from(object.body);
        body[Math.floor(body.length / 3)]! ^= 0xff;
        bench.objects.objects.set(partOf(bench), { ...object, body });
      },
      /part-00000\.parquet: (its rows are not|not readable)/,
    ],
    [
      'a part is gone',
      (bench) => bench.objects.objects.delete(partOf(bench)),
      /in the manifest, but not in the bucket/,
    ],
    [
      'a file stands beside the sealed ones',
      (bench) =>
        bench.objects.objects.set(partOf(bench).replace('00000', '00001'), { body: new Uint8Array(), metadata: {} }),
      /part-00001\.parquet: not in the manifest/,
    ],
    [
      'the registry counts other than the manifest',
      (bench) => bench.table.set({ pk, sk: 'PARTITION' }, { ...bench.table.get({ pk, sk: 'PARTITION' })!, folded: 13 }),
      /the registry's item and the manifest differ/,
    ],
    [
      'a segment lost its registration',
      (bench) => {
        const { sk } = bench.table.query(pk, 'SEGMENT#')[0]!;
        bench.table.set({ pk, sk }, undefined);
      },
      /sealed, but not registered/,
    ],
    [
      'a segment is registered that no generation holds and none will',
      (bench) => {
        const item = bench.table.query(pk, 'SEGMENT#')[0]!;
        const key = `${String(item['key']).slice(0, -8)}x.parquet`;
        bench.objects.objects.set(key, bench.objects.objects.get(item['key'] as string)!);
        bench.table.set({ pk, sk: `${item.sk}x` }, { ...item, sk: `${item.sk}x`, key });
      },
      /no sealed generation holds it/,
    ],
    [
      'the manifest of the newest generation is gone',
      (bench) => bench.objects.objects.delete('features/test-case/dt=2026-03-04/hour=00/gen=1/_manifest.json'),
      /the newest manifest is of generation 0, the registry says 1/,
    ],
    [
      'a ledger row is gone',
      (bench) => {
        const { pk: ledger, sk } = bench.table.query('LEDGER#shardId-000000000000', '')[3]!;
        bench.table.set({ pk: ledger, sk }, undefined);
      },
      /a range begins at .*; the one before ends at/,
    ],
    [
      'a head went back',
      (bench) => {
        const key = headKey(SHARDS[0]!.shardId);
        bench.table.set(key, { ...bench.table.get(key)!, end: '1.0.0' });
      },
      /the head says 1\.0\.0/,
    ],
  ];
  test.each(damages)('%s', async (_, damage, expected) => {
    const bench = await LakeBench.sealed();
    damage(bench);
    expect(problems(await run(bench)).join('\n')).toMatch(expected);
  });
});

test('leases may lag behind the heads and never lead', async () => {
  const bench = await LakeBench.sealed();
  const [first, second] = SHARDS;
  const at = (shardId: string, sequenceNumber: string): LeaseView => ({
    shardId,
    sequenceNumber,
    subSequenceNumber: 0,
  });
  const lagging = await run(bench, [at(first!.shardId, 'TRIM_HORIZON'), at(second!.shardId, '1')]);
  expect(problems(lagging)).toEqual([]);
  const leading = await run(bench, [at(first!.shardId, '9'.repeat(40)), at(second!.shardId, 'SHARD_END')]);
  expect(problems(leading)).toEqual([
    expect.stringContaining('is ahead of the head'),
    'the lease is at SHARD_END, the head is not finished',
  ]);
  expect((await run(bench)).shards[0]!.notes).toEqual(['no lease: npm run rebuild-leases makes one from the head']);
});
