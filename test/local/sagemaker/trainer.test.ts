import { predictMargins, train } from '../../../local/services/sagemaker/trainer/booster';
import { binMatrix } from '../../../local/services/sagemaker/trainer/bins';
import { evaluate } from '../../../local/services/sagemaker/trainer/metrics';
import { modelFile } from '../../../local/services/sagemaker/trainer/model-file';
import type { Matrix } from '../../../local/services/sagemaker/trainer/matrix';
import { parameters, randomMatrix } from './support/data';

function lastMetrics(
  parameter: Parameters<typeof parameters>[0],
  matrix: Matrix,
  validation: Matrix,
): Record<string, number> {
  let last = new Map<string, number>();
  train(parameters(parameter), matrix, validation, ({ metrics }) => (last = new Map(metrics)));
  return Object.fromEntries(last);
}

describe('gradient boosting', () => {
  const surface = (features: Float32Array, noise: number): number =>
    features[0]! * features[1]! + Math.sin(2 * features[2]!) + 0.1 * noise;
  const matrix = randomMatrix(4000, 5, surface);
  const validation = randomMatrix(1000, 5, surface, { seed: 2 });

  test('regression beats the mean and the best straight line by far', () => {
    const { 'validation-rmse': rmse } = lastMetrics(
      { rounds: 100, eta: 0.2, evalMetrics: ['rmse'] },
      matrix,
      validation,
    );
    const mean = validation.labels.reduce((sum, label) => sum + label, 0) / validation.rows;
    const meanRmse = Math.sqrt(
      validation.labels.reduce((sum, label) => sum + (label - mean) ** 2, 0) / validation.rows,
    );
    // The product of two independent normals has no linear part at all; only sin(2x) has one.
    expect(rmse!).toBeLessThan(0.4 * meanRmse);
  });

  test('classification ranks and calibrates', () => {
    const binary = (features: Float32Array, noise: number): number => (surface(features, noise) > 0.5 ? 1 : 0);
    const metrics = lastMetrics(
      { objective: 'binary:logistic', rounds: 60, evalMetrics: ['auc', 'aucpr', 'logloss', 'error'] },
      randomMatrix(4000, 5, binary),
      randomMatrix(1000, 5, binary, { seed: 2 }),
    );
    expect(metrics['validation-auc']!).toBeGreaterThan(0.95);
    expect(metrics['validation-aucpr']!).toBeGreaterThan(0.9);
    expect(metrics['validation-logloss']!).toBeLessThan(0.3);
    expect(metrics['validation-error']!).toBeLessThan(0.12);
  });

  test('multi-class: one tree per class and round, probabilities that sum to 1', () => {
    const classes = (features: Float32Array): number => (features[0]! < -0.5 ? 0 : features[0]! < 0.5 ? 1 : 2);
    const data = randomMatrix(1500, 3, classes);
    let last = new Map<string, number>();
    const model = train(
      parameters({ objective: 'multi:softprob', classes: 3, rounds: 10, evalMetrics: ['merror', 'mlogloss'] }),
      data,
      undefined,
      ({ metrics }) => (last = new Map(metrics)),
    );
    expect(model.trees).toHaveLength(30);
    expect(last.get('train-merror')!).toBeLessThan(0.02);
  });

  test('the same seed gives the same bytes, another seed others', () => {
    const options = { rounds: 10, subsample: 0.7, colsampleByTree: 0.6, seed: 7 };
    const bytes = (seed: number): Buffer =>
      modelFile(train(parameters({ ...options, seed }), matrix, undefined, () => {}));
    expect(bytes(7).equals(bytes(7))).toBe(true);
    expect(bytes(7).equals(bytes(8))).toBe(false);
  });

  test('monotone constraints hold over the whole range, where an unconstrained model breaks them', () => {
    const noisy = (features: Float32Array, noise: number): number => features[0]! - features[1]! + 1.5 * noise;
    const data = randomMatrix(1500, 3, noisy, { seed: 3 });
    const drops = (monotone: number[] | undefined, column: number): number => {
      const model = train(parameters({ rounds: 40, monotone }), data, undefined, () => {});
      let count = 0;
      for (const other of [-1, 0, 1]) {
        let before: number | undefined;
        for (let step = -30; step <= 30; step++) {
          const values = new Float32Array([other, other, other]);
          values[column] = step / 10;
          const [margin] = predictMargins(model, { rows: 1, columns: 3, values, labels: new Float32Array(1) });
          if (before !== undefined && (column === 0 ? margin! < before - 1e-6 : margin! > before + 1e-6)) count++;
          before = margin;
        }
      }
      return count;
    };
    expect(drops([1, -1, 0], 0)).toBe(0);
    expect(drops([1, -1, 0], 1)).toBe(0);
    expect(drops(undefined, 0)).toBeGreaterThan(0);
  });

  test('learns where missing values belong', () => {
    // The label depends on nothing but whether the second feature is there.
    const data = randomMatrix(2000, 2, () => 0, { seed: 4, missing: 0.3 });
    for (let row = 0; row < data.rows; row++) data.labels[row] = Number.isNaN(data.values[row * 2 + 1]!) ? 5 : -5;
    const model = train(parameters({ rounds: 30 }), data, undefined, () => {});
    const margins = predictMargins(model, {
      rows: 2,
      columns: 2,
      values: new Float32Array([0, Number.NaN, 0, 0]),
      labels: new Float32Array(2),
    });
    expect(margins[0]).toBeCloseTo(5, 1);
    expect(margins[1]).toBeCloseTo(-5, 1);
  });

  test('early stopping keeps the best round of the last metric', () => {
    const noise = (_features: Float32Array, value: number): number => value;
    const rounds: number[] = [];
    const scores: number[] = [];
    const model = train(
      parameters({ rounds: 200, earlyStoppingRounds: 5, evalMetrics: ['mae', 'rmse'] }),
      randomMatrix(500, 4, noise),
      randomMatrix(500, 4, noise, { seed: 9 }),
      ({ round, metrics }) => {
        rounds.push(round);
        scores.push(metrics.get('validation-rmse')!);
      },
    );
    const best = scores.indexOf(Math.min(...scores));
    expect(rounds.length).toBe(best + 6);
    expect(model.trees).toHaveLength(best + 1);
    expect(model.best).toEqual({ iteration: best, score: scores[best] });
  });

  test.each([
    ['gamma', { gamma: 1e9 }],
    ['min_child_weight', { minChildWeight: 1e9 }],
    ['max_depth is respected by', { maxDepth: 1 }],
  ])('%s limits the trees', (_name, limit) => {
    const model = train(parameters({ rounds: 1, ...limit }), matrix, undefined, () => {});
    expect(model.trees[0]!.nodes).toBe('maxDepth' in limit ? 3 : 1);
  });

  test('alpha and lambda shrink leaves as their formula says', () => {
    const data: Matrix = {
      rows: 4,
      columns: 1,
      values: new Float32Array([0, 0, 1, 1]),
      labels: new Float32Array([0, 0, 10, 10]),
    };
    const leaf = (lambda: number, alpha: number): number => {
      const { trees } = train(
        parameters({ rounds: 1, eta: 1, lambda, alpha, baseScore: 0 }),
        data,
        undefined,
        () => {},
      );
      return trees[0]!.splitCondition[2]!;
    };
    // Right leaf: G = −20, H = 2; weight = (20 − alpha) ÷ (2 + lambda).
    expect(leaf(0, 0)).toBeCloseTo(10);
    expect(leaf(2, 0)).toBeCloseTo(5);
    expect(leaf(2, 4)).toBeCloseTo(4);
  });

  test('row weights act as repeated rows', () => {
    const one: Matrix = {
      rows: 3,
      columns: 1,
      values: new Float32Array([0, 1, 2]),
      labels: new Float32Array([1, 5, 3]),
      weights: new Float32Array([1, 3, 2]),
    };
    const repeated: Matrix = {
      rows: 6,
      columns: 1,
      values: new Float32Array([0, 1, 1, 1, 2, 2]),
      labels: new Float32Array([1, 5, 5, 5, 3, 3]),
    };
    const margins = (data: Matrix): Float32Array =>
      predictMargins(
        train(parameters({ rounds: 5 }), data, undefined, () => {}),
        { ...one, weights: undefined },
      );
    expect([...margins(one)]).toEqual([...margins(repeated)]);
  });

  test.each([
    ['binary:logistic', { objective: 'binary:logistic' as const }, /\[0,1\]/],
    ['multi:softprob', { objective: 'multi:softprob' as const, classes: 2 }, /num_class/],
  ])('%s refuses labels out of its range', (_name, more, message) => {
    const data: Matrix = { rows: 2, columns: 1, values: new Float32Array([0, 1]), labels: new Float32Array([0, 7]) };
    expect(() => train(parameters(more), data, undefined, () => {})).toThrow(message);
  });
});

describe('binning', () => {
  test('few distinct values each get a bin; missing ones a bin of their own', () => {
    const binned = binMatrix(
      { rows: 5, columns: 1, values: new Float32Array([3, 1, 2, 1, Number.NaN]), labels: new Float32Array(5) },
      256,
    );
    expect([...binned.bins]).toEqual([2, 0, 1, 0, 3]);
    expect([...binned.cuts[0]!].slice(0, 2)).toEqual([2, 3]);
  });

  test('many values are cut into equal shares of weight', () => {
    const rows = 10_000;
    const values = new Float32Array(rows).map((_, row) => Math.fround(row ** 2));
    const binned = binMatrix({ rows, columns: 1, values, labels: new Float32Array(rows) }, 16);
    const counts = new Array<number>(16).fill(0);
    for (const bin of binned.bins) counts[bin]!++;
    for (const count of counts) expect(Math.abs(count - rows / 16)).toBeLessThan(2);
    const weights = new Float32Array(rows).map((_, row) => (row < rows / 2 ? 9 : 1));
    const weighted = binMatrix({ rows, columns: 1, values, labels: new Float32Array(rows), weights }, 10);
    expect(weighted.bins[rows / 2 - 1]).toBe(8);
  });
});

describe('metrics', () => {
  const rows = (labels: number[], weights?: number[]): Matrix => ({
    rows: labels.length,
    columns: 0,
    values: new Float32Array(0),
    labels: new Float32Array(labels),
    weights: weights && new Float32Array(weights),
  });
  const scores = new Float32Array([0.9, 0.8, 0.7, 0.4, 0.4, 0.1]);
  const labels = [1, 0, 1, 1, 0, 0];

  test('auc counts ordered pairs, ties half', () => {
    // 9 pairs: (.9: 3 wins) (.7: 2 wins) (.4: one tie, one win)
    expect(evaluate('auc', scores, rows(labels), 1)).toBeCloseTo((3 + 2 + 1.5) / 9, 6);
    expect(evaluate('auc', new Float32Array([-3, -1, 0, 2]), rows([0, 0, 1, 1]), 1)).toBe(1);
  });

  test('aucpr of a perfect ranking is 1, of one tie the share of positives', () => {
    expect(evaluate('aucpr', new Float32Array([3, 2, 1]), rows([1, 1, 0]), 1)).toBeCloseTo(1);
    expect(evaluate('aucpr', new Float32Array([1, 1, 1, 1]), rows([1, 0, 0, 0]), 1)).toBeCloseTo(0.25);
  });

  test('areas are not defined for one class', () => {
    expect(evaluate('auc', new Float32Array([1, 2]), rows([1, 1]), 1)).toBeNaN();
  });

  test('rmse, mae and error weigh their rows', () => {
    expect(evaluate('rmse', new Float32Array([1, 3]), rows([0, 0], [3, 1]), 1)).toBeCloseTo(Math.sqrt(12 / 4));
    expect(evaluate('mae', new Float32Array([1, 3]), rows([0, 0], [3, 1]), 1)).toBeCloseTo(1.5);
    expect(evaluate('error@0.75', scores, rows(labels), 1)).toBeCloseTo(3 / 6);
  });
});
