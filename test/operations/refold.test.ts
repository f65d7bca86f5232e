import { findCandidates, refoldState, requestRefolds, unpark, withdrawRefolds } from '../../operations/refold';
import { partitionPk } from '../../lib/contracts/registry';
import type { PartitionManifest } from '../../lib/contracts/documents';
import type { UseCase } from '../../use-cases/define-use-case';
import { BASE, HOUR, testUseCase } from '../lake/support/telemetry';
import { LakeBench, SHARDS } from './support/lake';

const quiet = (): void => undefined;
const candidates = (bench: LakeBench, range = {}) => findCandidates(bench, testUseCase, range, quiet);

/** The same use case with other feature code. */
const changed: UseCase = {
  ...testUseCase,
  features: testUseCase.features.map((feature) =>
    feature.name === 'temperature_sum' ? { ...feature, compute: (input) => 2 * feature.compute(input) } : feature,
  ),
};

const generations = (bench: LakeBench): number[] =>
  ['00', '01'].map(
    (hour) =>
      bench.table.get({ pk: partitionPk({ useCase: 'test-case', dt: '2026-03-04', hour }), sk: 'PARTITION' })![
        'generation'
      ] as number,
  );

test('a build other than the one that made the newest generation folds the hours asked for anew', async () => {
  const bench = await LakeBench.sealed();
  const found = await candidates(bench, { from: '2026-03-04T01' });
  expect(found).toMatchObject([{ hour: '2026-03-04T01', generation: 1, codeVersion: 'build-1', requested: false }]);
  const requested = await requestRefolds(bench, found, quiet);
  expect(requested.map(({ hour }) => hour)).toEqual(['2026-03-04T01']);
  await bench.fold('build-1');
  expect(generations(bench)).toEqual([1, 1]);
  expect((await refoldState(bench, requested)).answered).toEqual([]);

  await bench.fold('build-2', changed);
  expect(generations(bench)).toEqual([1, 2]);
  expect(
    bench.objects.json<PartitionManifest>('features/test-case/dt=2026-03-04/hour=01/gen=2/_manifest.json'),
  ).toMatchObject({
    codeVersion: 'build-2',
    counts: { folded: 10 },
  });
  const state = await refoldState(bench, requested);
  expect(state.answered.map(({ hour }) => hour)).toEqual(['2026-03-04T01']);
  expect(state.changed).toEqual(['2026-03-04T01']);
  await bench.fold('build-2', changed);
  expect(generations(bench)).toEqual([1, 2]);
  expect(bench.table.unfolded.size).toBe(0);
});

test('a new build with the same feature code makes a generation with the same features', async () => {
  const bench = await LakeBench.sealed();
  const requested = await requestRefolds(bench, await candidates(bench), quiet);
  await bench.fold('build-2');
  expect(generations(bench)).toEqual([2, 2]);
  expect(await refoldState(bench, requested)).toMatchObject({ answered: [{}, {}], changed: [] });
});

test('a request does not keep late readings waiting, nor is it answered by the build that it replaces', async () => {
  const bench = await LakeBench.sealed();
  await requestRefolds(bench, await candidates(bench), quiet);
  await bench.fold('build-1');
  const late = bench.record({ timestamp: BASE + HOUR + 60_000, temperature: 1 }, 'sensor-0-0', BASE + 6 * HOUR);
  await bench.append(SHARDS[0]!, [late], BASE + 8 * HOUR);
  await bench.append(SHARDS[1]!, [], BASE + 8 * HOUR);
  await bench.fold('build-1');
  expect(generations(bench)).toEqual([1, 2]);
  expect((await candidates(bench)).map(({ requested }) => requested)).toEqual([true, true]);
  await bench.fold('build-2', changed);
  expect(generations(bench)).toEqual([2, 3]);
  expect((await candidates(bench)).map(({ requested }) => requested)).toEqual([false, false]);
});

test('requests can be withdrawn', async () => {
  const bench = await LakeBench.sealed();
  await requestRefolds(bench, await candidates(bench), quiet);
  expect(await withdrawRefolds(bench, await candidates(bench))).toBe(2);
  await bench.fold('build-2', changed);
  expect(generations(bench)).toEqual([1, 1]);
});

test('an hour whose segments have expired is not asked for', async () => {
  const bench = await LakeBench.sealed();
  const [segment] = bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/');
  bench.objects.objects.delete(segment!);
  const found = await candidates(bench);
  expect(found.map(({ missing }) => missing)).toEqual([[segment], []]);
  expect((await requestRefolds(bench, found, quiet)).map(({ hour }) => hour)).toEqual(['2026-03-04T01']);
});

test('nor is the hour after it, whose windows reach back into it', async () => {
  const bench = await LakeBench.sealed();
  const last = bench.objects.keys('readings/test-case/dt=2026-03-04/hour=00/').filter((key) => {
    const name = key.slice(key.lastIndexOf('/') + 1, -'.parquet'.length);
    const pk = partitionPk({ useCase: 'test-case', dt: '2026-03-04', hour: '00' });
    return (bench.table.get({ pk, sk: `SEGMENT#${name}` })!['newestEvent'] as number) >= BASE + (3 * HOUR) / 4;
  });
  for (const key of last) bench.objects.objects.delete(key);
  expect(last.length).toBeGreaterThan(0);
  expect((await candidates(bench)).map(({ missing }) => missing.toSorted())).toEqual([last, last]);
});

test('a parked fold task keeps its hour from sealing until it is unparked', async () => {
  const bench = await LakeBench.sealed();
  const broken: UseCase = {
    ...testUseCase,
    features: [
      {
        name: 'bad',
        unit: '',
        description: '',
        compute: () => {
          throw new Error('out of range');
        },
      },
    ],
  };
  await requestRefolds(bench, await candidates(bench, { to: '2026-03-04T01' }), quiet);
  for (let attempt = 0; attempt < 4; attempt++) await bench.fold('build-2', broken);
  const [found] = await candidates(bench, { to: '2026-03-04T01' });
  expect(found!.parkedTasks).toHaveLength(1);
  await bench.fold('build-2');
  expect(generations(bench)).toEqual([1, 1]);
  expect(await unpark(bench, [found!])).toBe(1);
  await bench.fold('build-2');
  expect(generations(bench)).toEqual([2, 1]);
});
