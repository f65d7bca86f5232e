import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XGBoostModel } from '../../../consumer/training/xgboost-model';
import { type Model, predictMargins, train } from '../../../local/services/sagemaker/trainer/booster';
import { modelFile } from '../../../local/services/sagemaker/trainer/model-file';
import type { Matrix } from '../../../local/services/sagemaker/trainer/matrix';
import { writeUbjson } from '../../../local/services/sagemaker/trainer/ubjson';
import { parameters, randomMatrix } from './support/data';
import { readModel, sumOfLeaves } from './support/model-reader';

const label = (features: Float32Array, noise: number): number => features[0]! * features[1]! + noise * 0.2;
const regression = randomMatrix(800, 4, label, { missing: 0.1 });
const binary = randomMatrix(800, 4, (features, noise) => (label(features, noise) > 0 ? 1 : 0), { missing: 0.1 });
const classes = randomMatrix(800, 4, (features) => (features[0]! < 0 ? 0 : features[1]! < 0 ? 1 : 2), { missing: 0.1 });

const models: [string, Model, Matrix][] = [
  ['reg:squarederror', train(parameters({ rounds: 12 }), regression, undefined, () => {}), regression],
  [
    'binary:logistic',
    train(parameters({ objective: 'binary:logistic', rounds: 12 }), binary, undefined, () => {}),
    binary,
  ],
  [
    'multi:softprob',
    train(parameters({ objective: 'multi:softprob', classes: 3, rounds: 4 }), classes, undefined, () => {}),
    classes,
  ],
];

function row(matrix: Matrix, index: number): number[] {
  return [...matrix.values.subarray(index * matrix.columns, (index + 1) * matrix.columns)];
}

describe('xgboost-model', () => {
  test.each(models)('%s: a reader of the format finds the same predictions', (name, model, matrix) => {
    const read = readModel(modelFile(model));
    expect(read.version).toEqual([3, 0, 5]);
    expect(read.learner.objective.name).toBe(name);
    expect(read.learner.learner_model_param.num_feature).toBe('4');
    expect(read.learner.gradient_booster.model.iteration_indptr.at(-1)).toBe(model.trees.length);
    const base = Number(read.learner.learner_model_param.base_score);
    expect(Math.fround(base)).toBe(model.baseScore);
    const margin = name === 'binary:logistic' ? -Math.log(1 / base - 1) : base;
    const groups = model.treesPerRound;
    const predicted = predictMargins(model, matrix);
    let furthest = 0;
    for (let index = 0; index < matrix.rows; index++) {
      for (const [group, sum] of sumOfLeaves(read, row(matrix, index), groups).entries()) {
        furthest = Math.max(furthest, Math.abs(margin + sum - predicted[index * groups + group]!));
      }
    }
    expect(furthest).toBeLessThan(1e-5);
  });

  test.each(models.filter(([name]) => name !== 'multi:softprob'))(
    '%s: the product’s reader scores as the trainer does',
    (name, model, matrix) => {
      const read = XGBoostModel.parse(modelFile(model));
      const margins = predictMargins(model, matrix);
      let furthest = 0;
      for (let index = 0; index < matrix.rows; index++) {
        const margin = margins[index]!;
        const expected = name === 'binary:logistic' ? 1 / (1 + Math.exp(-margin)) : margin;
        furthest = Math.max(furthest, Math.abs(read.predict(Float32Array.from(row(matrix, index))) - expected));
      }
      expect(read.trees).toBe(12);
      expect(furthest).toBeLessThan(1e-6);
    },
  );

  test('every node of every tree is consistent', () => {
    for (const tree of readModel(modelFile(models[0]![1])).learner.gradient_booster.model.trees) {
      expect(tree.tree_param.num_nodes).toBe(String(tree.left_children.length));
      expect(tree.parents[0]).toBe(2147483647);
      for (const [node, left] of tree.left_children.entries()) {
        if (left === -1) {
          expect(tree.right_children[node]).toBe(-1);
          continue;
        }
        expect([tree.parents[left], tree.parents[tree.right_children[node]!]]).toEqual([node, node]);
        expect(tree.sum_hessian[left]! + tree.sum_hessian[tree.right_children[node]!]!).toBeCloseTo(
          tree.sum_hessian[node]!,
          2,
        );
      }
    }
  });

  test('integers outside arrays take the smallest type and refuse what no type holds', () => {
    expect([...writeUbjson([1, 200, 70_000])].map((byte) => byte)).toEqual([
      ...[0x5b, 0x23, 0x4c, 0, 0, 0, 0, 0, 0, 0, 3],
      ...[0x69, 1, 0x49, 0, 200, 0x6c, 0, 1, 0x11, 0x70],
    ]);
    expect(() => writeUbjson([0.5])).toThrow(/32-bit integer/);
  });
});

/** An interpreter with xgboost: `python3`, or the one that XGBOOST_PYTHON names. */
function pythonWithXgboost(): string | undefined {
  const python = process.env.XGBOOST_PYTHON ?? 'python3';
  try {
    execFileSync(python, ['-c', 'import xgboost, numpy'], { stdio: 'ignore' });
    return python;
  } catch {
    return undefined;
  }
}

const python = pythonWithXgboost();
if (!python)
  console.warn(
    'SKIPPED: real XGBoost reads the model (no python3 with xgboost; set XGBOOST_PYTHON to one that has it)',
  );

(python ? describe : describe.skip)('real XGBoost', () => {
  test.each(models)('%s: loads the file and predicts the same', (_name, model, matrix) => {
    const directory = mkdtempSync(join(tmpdir(), 'xgboost-'));
    try {
      writeFileSync(join(directory, 'xgboost-model'), modelFile(model));
      writeFileSync(join(directory, 'values'), new Uint8Array(matrix.values.buffer));
      const script = `
import xgboost, numpy, json, sys
values = numpy.fromfile("${directory}/values", "float32").reshape(-1, ${matrix.columns})
booster = xgboost.Booster(); booster.load_model("${directory}/xgboost-model")
print(json.dumps(booster.predict(xgboost.DMatrix(values), output_margin=True).reshape(-1).tolist()))`;
      const output = execFileSync(python!, ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 });
      const theirs = JSON.parse(output.toString()) as number[];
      const ours = predictMargins(model, matrix);
      expect(theirs).toHaveLength(ours.length);
      for (const [index, margin] of theirs.entries()) expect(Math.abs(margin - ours[index]!)).toBeLessThanOrEqual(1e-6);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
