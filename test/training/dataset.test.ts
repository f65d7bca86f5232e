import fc from 'fast-check';
import { buildDataset, SPLITS, sortRows, type FeatureTable } from '../../consumer/training/dataset';
import type { Label, UseCase } from '../../use-cases/define-use-case';
import { changed, example } from '../use-cases/example';

const HOUR = 3_600_000;
const WINDOW = example.windows.sizeMs;
const START = Date.parse('2026-11-20T00:00:00Z');

type Row = readonly [device: string, window: number, temperature: number, lid?: number];

function table(rows: readonly Row[]): FeatureTable {
  const column = (pick: (row: Row) => number): Float64Array => Float64Array.from(rows, pick);
  return sortRows({
    device: rows.map(([device]) => device),
    windowStart: column(([, window]) => START + window * WINDOW),
    windowEnd: column(([, window]) => START + (window + 1) * WINDOW),
    features: new Map([
      ['temperature_mean', column(([, , temperature]) => temperature)],
      ['lid_mean', column(([, , , lid]) => lid ?? 0)],
    ]),
  });
}

function hours(...numbers: readonly number[]): Set<number> {
  return new Set(numbers.map((hour) => START + hour * HOUR));
}

/** Windows 0…length−1 of one device; the temperature is the window's number. */
function run(device: string, length: number, lid: (window: number) => number = () => 0): Row[] {
  return Array.from({ length }, (_, window) => [device, window, window, lid(window)] as const);
}

const event = (horizonWindows: number): Label => ({
  kind: 'event-within',
  feature: 'lid_mean',
  threshold: 0.5,
  horizonMs: horizonWindows * WINDOW,
});

function eventCase(horizonWindows: number, members: Partial<UseCase['training']> = {}): UseCase {
  return changed({ training: { label: event(horizonWindows), split: 'device', ...members } });
}

/** Labels by device and window number. */
function labelsOf(useCase: UseCase, rows: FeatureTable, known: Set<number>): Record<string, number> {
  const { labels } = buildDataset(useCase, rows, known);
  return Object.fromEntries(
    Array.from(labels, (label, row) => [`${rows.device[row]}${(rows.windowStart[row]! - START) / WINDOW}`, label]),
  );
}

describe('labels', () => {
  it('are the value of the next window, if it follows at once', () => {
    const rows = table([...run('a', 30), ['a', 40, 7], ['b', 0, 50], ['b', 1, NaN], ['b', 2, 51], ['b', 3, 52]]);
    const labels = labelsOf(example, rows, hours(0, 1, 2, 3));
    expect(labels).toMatchObject({ a0: 1, a28: 29, a29: NaN, a40: NaN, b0: NaN, b1: NaN, b2: 52, b3: NaN });
  });

  it('are 1 where an event starts after the window and before the horizon ends', () => {
    const devices = ['a', 'b', 'c'].flatMap((device) => run(device, 24, (window) => (window === 10 ? 0.5 : 0)));
    const labels = labelsOf(eventCase(3), table(devices), hours(0, 1));
    expect([6, 7, 8, 9, 10, 11].map((window) => labels[`a${window}`])).toEqual([0, 1, 1, 1, 0, 0]);
  });

  it('are censored where the horizon has not passed or was not seen, event or not', () => {
    const lid = (window: number): number => (window === 22 || window === 5 ? 1 : 0);
    const rows = ['a', 'b', 'c'].flatMap((device) => run(device, 24, lid));
    const labels = labelsOf(eventCase(3), table(rows), hours(0, 1));
    expect([19, 20, 21, 22, 23].map((window) => labels[`a${window}`])).toEqual([1, 1, NaN, NaN, NaN]);
  });

  it('are censored where the horizon touches an hour that the dataset lacks', () => {
    const lid = (window: number): number => (window === 5 ? 1 : 0);
    const rows = ['a', 'b', 'c'].flatMap((device) =>
      run(device, 36, lid).filter(([, window]) => window < 12 || window >= 24),
    );
    const labels = labelsOf(eventCase(3), table(rows), hours(0, 2));
    expect([8, 9, 11, 24].map((window) => labels[`a${window}`])).toEqual([0, NaN, NaN, 0]);
  });

  it('are censored where a device fell silent before the horizon ended', () => {
    const rows = ['a', 'b', 'c'].flatMap((device) => run(device, 24, (window) => (window === 5 ? 1 : 0)));
    const silent = run('d', 10, (window) => (window === 9 ? 1 : 0));
    const labels = labelsOf(eventCase(3), table([...rows, ...silent]), hours(0, 1));
    expect([5, 6, 8, 9].map((window) => labels[`d${window}`])).toEqual([0, 1, 1, NaN]);
  });

  it('never change with what lies beyond the horizon, nor with what came before', () => {
    const tail = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(tail, fc.integer({ min: 13, max: 52 }), (events, at) => {
        // Twelve quiet windows and an event come first, so that both classes are there whatever follows.
        const lid = (window: number, flip: boolean): number =>
          window < 12 ? 0 : window === 12 ? 1 : Number(events[window - 13]! !== (flip && window === at));
        const labels = (flip: boolean): Record<string, number> => {
          const rows = ['a', 'b', 'c'].flatMap((device) =>
            run(device, 53, (window) => lid(window, flip && device === 'a')),
          );
          return labelsOf(eventCase(4), table(rows), hours(0, 1, 2, 3, 4));
        };
        const [before, after] = [labels(false), labels(true)];
        const differing = Object.keys(before).filter((key) => !Object.is(before[key], after[key]));
        const allowed = [1, 2, 3, 4].map((distance) => `a${at - distance}`);
        expect(differing.filter((key) => !allowed.includes(key))).toEqual([]);
      }),
    );
  });
});

describe('splits', () => {
  const day = Array.from({ length: 24 }, (_, hour) => hour);

  it('by time leave no label reaching into the next split', () => {
    const rows = table(['a', 'b'].flatMap((device) => run(device, 288)));
    const { splits, embargoed, censored } = buildDataset(example, rows, hours(...day));
    const starts = (rowNumbers: Int32Array): number[] => [...rowNumbers].map((row) => rows.windowStart[row]!);
    const lastLabel = (rowNumbers: Int32Array): number => Math.max(...starts(rowNumbers)) + 2 * WINDOW;
    expect(lastLabel(splits.train)).toBeLessThanOrEqual(Math.min(...starts(splits.validation)));
    expect(lastLabel(splits.validation)).toBeLessThanOrEqual(Math.min(...starts(splits.test)));
    const kept = SPLITS.reduce((sum, split) => sum + splits[split].length, 0);
    expect(kept + embargoed + censored).toBe(576);
    expect({ embargoed, censored }).toEqual({ embargoed: 4, censored: 2 });
    expect(splits.test.length / 576).toBeCloseTo(0.15, 1);
  });

  it('by time keep an embargo of the whole horizon', () => {
    const rows = table(['a', 'b'].flatMap((device) => run(device, 288, (window) => Number(window % 20 === 0))));
    const { splits } = buildDataset(eventCase(6, { split: 'time' }), rows, hours(...day));
    const last = Math.max(...[...splits.train].map((row) => rows.windowEnd[row]!));
    const first = Math.min(...[...splits.validation].map((row) => rows.windowStart[row]!));
    expect(first - last).toBe(6 * WINDOW);
  });

  it('by device never divide one, and do not depend on the order of rows', () => {
    const names = Array.from({ length: 20 }, (_, index) => `thing-${index}`);
    const rows = names.flatMap((device) => run(device, 24, (window) => Number(window === 10)));
    const devicesOf = (shuffled: readonly Row[]): string[][] => {
      const sorted = table(shuffled);
      const { splits } = buildDataset(eventCase(3), sorted, hours(0, 1));
      return SPLITS.map((split) => [...new Set([...splits[split]].map((row) => sorted.device[row]!))].sort());
    };
    const [train, validation, test] = devicesOf(rows) as [string[], string[], string[]];
    expect([train.length, validation.length, test.length]).toEqual([14, 3, 3]);
    expect(new Set([...train, ...validation, ...test]).size).toBe(20);
    expect(devicesOf([...rows].reverse())).toEqual([train, validation, test]);
  });

  it('hold only rows that `where` lets in, while the others still tell of events', () => {
    const lid = (window: number): number => Number(window === 10);
    const rows = table(['a', 'b', 'c'].flatMap((device) => run(device, 24, lid)));
    const useCase = eventCase(3, { where: { feature: 'temperature_mean', atLeast: 1 } });
    const closed: UseCase = {
      ...useCase,
      training: { ...useCase.training, where: { feature: 'lid_mean', atLeast: 0.5 } },
    };
    const { excluded, splits } = buildDataset(useCase, rows, hours(0, 1));
    expect(excluded).toBe(3);
    expect([...splits.train].map((row) => rows.features.get('temperature_mean')![row]).includes(0)).toBe(false);
    expect(() => buildDataset(closed, rows, hours(0, 1))).toThrow('has no event');
  });

  it.each<[string, UseCase, Row[], Set<number>]>([
    [
      'none of 3 rows has a label: it takes windows of 300000 ms',
      example,
      [
        ['a', 0, 1],
        ['a', 12, 1],
        ['a', 24, 1],
      ],
      hours(0, 1, 2),
    ],
    [
      'needs 3 devices with labelled rows, one a split; there are 2',
      eventCase(1),
      [...run('a', 24), ...run('b', 24)],
      hours(0, 1),
    ],
    ['has no event in', eventCase(1), ['a', 'b', 'c'].flatMap((device) => run(device, 24)), hours(0, 1)],
    ['has events only in', eventCase(1), ['a', 'b', 'c'].flatMap((device) => run(device, 24, () => 1)), hours(0, 1)],
    ['split train is empty', example, run('a', 3), hours(0)],
  ])('are refused: %s', (problem, useCase, rows, known) => {
    expect(() => buildDataset(useCase, table(rows), known)).toThrow(problem);
  });

  it('are refused where a window comes twice', () => {
    expect(() =>
      table([
        ['a', 1, 1],
        ['a', 1, 2],
      ]),
    ).toThrow('device a has the window of 2026-11-20T00:05:00.000Z twice');
  });
});
