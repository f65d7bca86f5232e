import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { XGBoostModel } from '../../consumer/training/xgboost-model';

interface Expected {
  readonly xgboost: string;
  readonly rows: readonly (readonly (number | null)[])[];
  readonly predictions: Readonly<Record<string, readonly number[]>>;
}

/** Predictions are 32-bit floats; sums of six leaves may differ in their last bit. */
const TOLERANCE = 1e-6;

function expectParity(folder: string, tag: string): void {
  const { rows, predictions } = JSON.parse(readFileSync(path.join(folder, `expected-${tag}.json`), 'utf8')) as Expected;
  for (const [name, expected] of Object.entries(predictions)) {
    for (const extension of ['json', 'ubj']) {
      const model = XGBoostModel.parse(readFileSync(path.join(folder, `${name}-${tag}.${extension}`)));
      expect(model).toMatchObject({ features: 5, trees: 6 });
      rows.forEach((row, index) => {
        const prediction = model.predict(Float32Array.from(row, (value) => value ?? NaN));
        const difference = Math.abs(prediction - expected[index]!) / Math.max(1, Math.abs(expected[index]!));
        if (!(difference <= TOLERANCE))
          throw new Error(`${name}-${tag}.${extension} row ${index}: ${prediction}, not ${expected[index]}`);
      });
    }
  }
}

/** A model of one tree: feature 1 < 2.5, else or missing right; left leaf −1, right leaf 4. */
function stump(changes: Record<string, unknown> = {}, tree: Record<string, unknown> = {}): Buffer {
  const parts = { booster: 'gbtree', objective: 'reg:squarederror', baseScore: '5E-1', features: '2', ...changes };
  return Buffer.from(
    JSON.stringify({
      learner: {
        learner_model_param: { base_score: parts.baseScore, num_class: '0', num_feature: parts.features },
        objective: { name: parts.objective },
        gradient_booster: {
          name: parts.booster,
          model: {
            trees: [
              {
                left_children: [1, -1, -1],
                right_children: [2, -1, -1],
                split_indices: [1, 0, 0],
                split_conditions: [2.5, -1, 4],
                default_left: [0, 0, 0],
                ...tree,
              },
            ],
          },
        },
      },
    }),
  );
}

describe('XGBoostModel', () => {
  it.each(['3.0', '3.2'])('scores as XGBoost %s does, from JSON and from UBJSON', (tag) => {
    expectParity(path.join(__dirname, 'fixtures'), tag);
  });

  it('goes left below the condition, right at it, and by default where the value is missing', () => {
    const model = XGBoostModel.parse(stump());
    const predict = (value: number): number => model.predict(Float32Array.of(0, value));
    expect([predict(2.4999998), predict(2.5), predict(NaN), predict(-Infinity)]).toEqual([-0.5, 4.5, 4.5, -0.5]);
    const left = XGBoostModel.parse(stump({}, { default_left: [true, false, false] }));
    expect(left.predict(Float32Array.of(NaN, NaN))).toBe(-0.5);
  });

  it('compares as 32-bit floats', () => {
    // 0.1 as a float is a little more than 0.1 as a double: both sides have to be rounded.
    const model = XGBoostModel.parse(stump({}, { split_conditions: [0.1, -1, 4] }));
    expect(model.predictColumns([Float64Array.of(0, 0), Float64Array.of(0.1, 0.09999)])).toEqual(
      Float64Array.of(4.5, -0.5),
    );
  });

  it('reads base_score as a probability for a logistic objective, in brackets or not', () => {
    for (const baseScore of ['2E-1', '[2E-1]']) {
      const model = XGBoostModel.parse(
        stump({ objective: 'binary:logistic', baseScore }, { split_conditions: [2.5, 0, 0] }),
      );
      expect(model.predict(Float32Array.of(0, 0))).toBeCloseTo(0.2, 6);
    }
  });

  it.each<[string, Buffer]>([
    ['booster is dart; only gbtree', stump({ booster: 'dart' })],
    ['objective multi:softprob is none of', stump({ objective: 'multi:softprob' })],
    ['base_score is not one number', stump({ baseScore: '[1E0,2E0]' })],
    ['splits by feature 1 of 1', stump({ features: '1' })],
    ['arrays of different lengths', stump({}, { default_left: [0] })],
    ['is not a tree', stump({}, { left_children: [1, 0, -1], right_children: [2, 2, -1] })],
    ['is not a tree', stump({}, { left_children: [7, -1, -1] })],
    ['splits by category', stump({}, { split_type: [1, 0, 0] })],
    ['split_indices is not an array of numbers', stump({}, { split_indices: ['a', 0, 0] })],
    ['the model has no learner.gradient_booster.name', Buffer.from('{"learner":{}}')],
    ['not complete JSON', stump().subarray(0, 100)],
    ['train with the container 3.0-5 or newer', Buffer.from('binf....')],
    ['neither JSON nor UBJSON', Buffer.alloc(0)],
  ])('refuses: %s', (problem, bytes) => {
    expect(() => XGBoostModel.parse(bytes)).toThrow(problem);
  });

  it('refuses a row of another length', () => {
    expect(() => XGBoostModel.parse(stump()).predict(Float32Array.of(1))).toThrow(
      'the row has 1 values, the model was trained on 2',
    );
  });
});

const python = process.env.PYTHON ?? 'python3';
const hasXgboost = spawnSync(python, ['-c', 'import numpy, xgboost'], { stdio: 'ignore' }).status === 0;
if (!hasXgboost) console.warn(`SKIPPED: parity with the installed XGBoost, since ${python} cannot import xgboost`);

(hasXgboost ? describe : describe.skip)('the installed XGBoost', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'xgboost-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('writes models that score the same here', () => {
    const run = spawnSync(python, [path.join(__dirname, 'xgboost_oracle.py'), folder, 'installed'], {
      encoding: 'utf8',
    });
    expect(run.stderr).not.toContain('Error');
    expectParity(folder, 'installed');
  }, 60_000);
});
