import fc from 'fast-check';
import { ColumnSeries, computeFeatureRows, type FeatureRows } from '../../consumer/features/windows';
import { useCases } from '../../use-cases';
import type { UseCase } from '../../use-cases/define-use-case';
import { changed, example } from '../use-cases/example';

const HOUR = 3_600_000;
const START = Date.parse('2026-11-20T12:00:00Z');

function series(readings: readonly (readonly [time: number, temperature: number])[], lid = 0): ColumnSeries {
  return ColumnSeries.of(
    Float64Array.from(readings, ([time]) => time),
    {
      temperature: Float64Array.from(readings, ([, temperature]) => temperature),
      lid: new Float64Array(readings.length).fill(lid),
    },
  );
}

function rowsOf(rows: FeatureRows): unknown[] {
  return Array.from({ length: rows.length }, (_, row) => [
    rows.windowStart[row],
    rows.windowEnd[row],
    rows.readings[row],
    ...rows.features.map((values) => values[row]),
  ]);
}

/** Readings of three hours before to two hours after START. */
const readings = fc
  .array(
    fc.tuple(
      fc.integer({ min: START - 3 * HOUR, max: START + 2 * HOUR }),
      fc.double({ min: -40, max: 60, noNaN: true }),
    ),
    { maxLength: 120 },
  )
  .map((list) => list.sort(([a], [b]) => a - b));

describe('computeFeatureRows', () => {
  it('gives a row for each window that holds a reading', () => {
    const rows = computeFeatureRows(
      example,
      'box',
      series([
        [START - 1, 10],
        [START, 1],
        [START + 299_999, 3],
        [START + 300_000, 8],
        [START + HOUR - 1, 5],
        [START + HOUR, 99],
      ]),
      START,
      START + HOUR,
    );
    expect(rows.device).toBe('box');
    expect(rowsOf(rows)).toEqual([
      [START, START + 300_000, 2, 2, 14 / 3, 0],
      [START + 300_000, START + 600_000, 1, 8, 22 / 4, 0],
      [START + HOUR - 300_000, START + HOUR, 1, 5, 5, 0],
    ]);
  });

  it('reads the lookback to the millisecond and nothing beyond', () => {
    const { lookbackMs, sizeMs } = example.windows;
    const reach = START + sizeMs - lookbackMs;
    const lookback = (time: number): unknown =>
      rowsOf(
        computeFeatureRows(
          example,
          'box',
          series([
            [time, 40],
            [START, 0],
          ]),
          START,
          START + HOUR,
        ),
      )[0];
    expect(lookback(reach)).toEqual([START, START + sizeMs, 1, 0, 20, 0]);
    expect(lookback(reach - 1)).toEqual([START, START + sizeMs, 1, 0, 0, 0]);
  });

  it('does not depend on readings outside the reach', () => {
    fc.assert(
      fc.property(readings, (list) => {
        const reach = START + example.windows.sizeMs - example.windows.lookbackMs;
        const needed = list.filter(([time]) => time >= reach && time < START + HOUR);
        const all = computeFeatureRows(example, 'box', series(list), START, START + HOUR);
        const cut = computeFeatureRows(example, 'box', series(needed), START, START + HOUR);
        expect(rowsOf(all)).toEqual(rowsOf(cut));
        expect(all.readings.reduce((sum, count) => sum + count, 0)).toBe(
          needed.filter(([time]) => time >= START).length,
        );
      }),
    );
  });

  it('gives the same rows for two hours at once as for each alone', () => {
    fc.assert(
      fc.property(readings, (list) => {
        const of = (from: number, to: number): unknown[] =>
          rowsOf(computeFeatureRows(example, 'box', series(list), from, to));
        expect(of(START - HOUR, START + HOUR)).toEqual([...of(START - HOUR, START), ...of(START, START + HOUR)]);
      }),
    );
  });

  it('turns infinities into missing values', () => {
    const infinite: UseCase = changed({
      features: [{ name: 'quotient', unit: '1', description: 'x', compute: () => 1 / 0 }] as never,
    });
    const rows = computeFeatureRows(
      { ...infinite, features: infinite.features },
      'box',
      series([[START, 1]]),
      START,
      START + HOUR,
    );
    expect(rows.features[0]![0]).toBeNaN();
  });

  it('refuses what is not sorted, not equally long or not made of windows', () => {
    expect(() =>
      series([
        [2, 0],
        [1, 0],
      ]),
    ).toThrow('times must ascend: entry 1');
    expect(() =>
      series([
        [NaN, 0],
        [1, 0],
      ]),
    ).toThrow('times must ascend');
    expect(() => ColumnSeries.of(Float64Array.of(1), { a: new Float64Array(2) })).toThrow('column a has 2 values');
    expect(() => computeFeatureRows(example, 'box', series([]), START + 1, START + HOUR)).toThrow('whole windows');
    expect(() => series([]).column('nothing')).toThrow('no field nothing; the schema has temperature, lid');
  });
});

describe.each(useCases.map((useCase) => [useCase.name, useCase] as const))('features of %s', (_name, useCase) => {
  const from = START - HOUR;
  const simulated = [...useCase.simulator.readings({ device: 0, seed: 1, from, to: START + HOUR })];
  const fields = Object.keys(useCase.schema);
  const columns = (missing: boolean): ColumnSeries =>
    ColumnSeries.of(
      Float64Array.from(simulated, ({ timestamp }) => timestamp),
      Object.fromEntries(
        fields.map((field) => {
          const drop = missing && !useCase.schema[field]!.required;
          return [field, Float64Array.from(simulated, ({ values }) => (drop ? NaN : (values[field] ?? NaN)))];
        }),
      ),
    );

  it('are all there when all fields are', () => {
    const rows = computeFeatureRows(useCase, 'thing', columns(false), START, START + HOUR);
    expect(rows.length).toBe(HOUR / useCase.windows.sizeMs);
    rows.features.forEach((values, index) => {
      const present = values.filter((value) => !Number.isNaN(value)).length;
      if (present === 0) throw new Error(`${useCase.features[index]!.name} is never there`);
    });
  });

  it('need no optional field', () => {
    const rows = computeFeatureRows(useCase, 'thing', columns(true), START, START + HOUR);
    const label = useCase.features.findIndex(({ name }) => name === useCase.training.label.feature);
    expect(rows.features[label]!.every((value) => !Number.isNaN(value))).toBe(true);
  });

  it('read only fields of the schema', () => {
    const empty = ColumnSeries.of(
      Float64Array.of(START),
      Object.fromEntries(fields.map((field) => [field, Float64Array.of(NaN)])),
    );
    expect(() => computeFeatureRows(useCase, 'thing', empty, START, START + HOUR)).not.toThrow();
  });
});
