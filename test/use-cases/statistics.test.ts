import fc from 'fast-check';
import * as statistics from '../../use-cases/statistics';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });
const gaps = fc.array(fc.nat(20), { maxLength: 5 });

/** The values with NaN put between them. */
function withGaps(present: readonly number[], positions: readonly number[]): Float64Array {
  const mixed = [...present];
  for (const position of positions) mixed.splice(position % (mixed.length + 1), 0, NaN);
  return Float64Array.from(mixed);
}

describe('statistics', () => {
  it('equal their definitions and skip missing values', () => {
    fc.assert(
      fc.property(values, gaps, (present, positions) => {
        const column = withGaps(present, positions);
        const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
        const variance = present.reduce((sum, value) => sum + (value - mean) ** 2, 0) / present.length;
        expect(statistics.count(column)).toBe(present.length);
        expect(statistics.mean(column)).toBeCloseTo(mean, 6);
        expect(statistics.std(column)).toBeCloseTo(Math.sqrt(variance), 2);
        expect(statistics.minimum(column)).toBe(Math.min(...present));
        expect(statistics.maximum(column)).toBe(Math.max(...present));
        expect(statistics.range(column)).toBe(Math.max(...present) - Math.min(...present));
        expect(statistics.first(column)).toBe(present[0]);
        expect(statistics.last(column)).toBe(present[present.length - 1]);
        expect(statistics.share(column, (value) => value > 0)).toBe(
          present.filter((value) => value > 0).length / present.length,
        );
        const squares = present.reduce((sum, value) => sum + value * value, 0);
        expect(statistics.rms(column)).toBeCloseTo(Math.sqrt(squares / present.length), 6);
      }),
    );
  });

  it.each(['mean', 'std', 'minimum', 'maximum', 'range', 'first', 'last', 'rms'] as const)(
    '%s of nothing is NaN',
    (name) => {
      expect(statistics[name](Float64Array.of(NaN, NaN))).toBeNaN();
      expect(statistics[name](new Float64Array(0))).toBeNaN();
    },
  );

  it('std keeps its digits beside a large mean', () => {
    expect(statistics.std(Float64Array.of(1e9 + 1, 1e9 + 2, 1e9 + 3))).toBeCloseTo(Math.sqrt(2 / 3), 12);
    expect(statistics.std(Float64Array.of(0.1, 0.1, 0.1))).toBe(0);
  });

  it('slope is that of a line, per hour, wherever the clock stands', () => {
    const start = 1_763_900_000_000;
    const times = Float64Array.of(0, 60_000, 180_000, 300_000).map((offset) => start + offset);
    const line = times.map((time) => 20 - (3 * (time - start)) / 3_600_000);
    expect(statistics.slopePerHour(times, line)).toBeCloseTo(-3, 9);
    line[1] = NaN;
    expect(statistics.slopePerHour(times, line)).toBeCloseTo(-3, 9);
    expect(statistics.slopePerHour(times.slice(0, 1), line.slice(0, 1))).toBeNaN();
    expect(statistics.slopePerHour(Float64Array.of(5, 5), Float64Array.of(1, 2))).toBeNaN();
  });

  it('distance follows the great circle, over missing positions', () => {
    // Berlin to Munich: 504 km as the crow flies.
    expect(statistics.haversineKm(52.52, 13.405, 48.137, 11.575)).toBeCloseTo(504.4, 0);
    expect(statistics.distanceKm(Float64Array.of(0, NaN, 1, 2), Float64Array.of(0, 0, 0, 0))).toBeCloseTo(
      2 * 111.195,
      2,
    );
    expect(statistics.distanceKm(Float64Array.of(NaN), Float64Array.of(1))).toBeNaN();
    expect(statistics.distanceKm(Float64Array.of(1), Float64Array.of(1))).toBe(0);
  });
});
