/** Gradient boosting (Friedman 2001; Chen & Guestrin 2016): rounds of histogram trees on the loss's gradients. */
import { binMatrix } from './bins';
import { TreeGrower } from './grow';
import type { Matrix } from './matrix';
import { evaluate, isMaximised } from './metrics';
import { type Loss, lossOf } from './objective';
import type { TrainingParameters } from './parameters';
import { sampleIndexes, seededRandom } from './random';
import { type Tree, predictTree } from './tree';

export interface Model {
  readonly objective: TrainingParameters['objective'];
  readonly features: number;
  /** 0 unless multi-class. */
  readonly classes: number;
  /** float32; a probability for binary:logistic. */
  readonly baseScore: number;
  readonly baseMargin: number;
  readonly scalePosWeight: number;
  /** In order of rounds; within a round one per class. */
  readonly trees: readonly Tree[];
  readonly treesPerRound: number;
  /** Where early stopping chose a round: its index and its value of the last metric. */
  readonly best?: { readonly iteration: number; readonly score: number };
}

/** Values of every metric after one round, in evaluation order: `train-rmse`, `validation-rmse`, … */
export interface RoundReport {
  readonly round: number;
  readonly metrics: ReadonlyMap<string, number>;
}

/**
 * Trains a model; deterministic in data, parameters and seed.
 * @throws Error for labels that the objective cannot take, or no rows.
 */
export function train(
  parameters: TrainingParameters,
  matrix: Matrix,
  validation: Matrix | undefined,
  onRound: (report: RoundReport) => void,
): Model {
  if (matrix.rows === 0) throw new Error('no rows to train on');
  if (validation && validation.columns !== matrix.columns) {
    throw new Error(
      `feature_names mismatch: train has ${matrix.columns} features, validation has ${validation.columns}`,
    );
  }
  const loss = lossOf(matrix, parameters);
  if (validation) lossOf(validation, parameters);
  const metrics = parameters.evalMetrics.length > 0 ? parameters.evalMetrics : [loss.defaultMetric];
  const sets: { name: string; matrix: Matrix; margins: Float32Array }[] = [
    { name: 'train', matrix, margins: startMargins(matrix, loss) },
    ...(validation ? [{ name: 'validation', matrix: validation, margins: startMargins(validation, loss) }] : []),
  ];
  const random = seededRandom(parameters.seed);
  const binned = binMatrix(matrix, parameters.maxBin);
  const grower = new TreeGrower(binned, parameters);
  const gradients = new Float64Array(matrix.rows * 2);
  const trees: Tree[] = [];
  const stopping = new EarlyStopping(
    parameters.earlyStoppingRounds,
    metrics[metrics.length - 1]!,
    validation !== undefined,
  );

  for (let round = 0; round < parameters.rounds; round++) {
    for (let group = 0; group < loss.groups; group++) {
      loss.gradients(sets[0]!.margins, group, gradients);
      const order = sampleRows(matrix.rows, parameters.subsample, random);
      const features = sampleFeatures(matrix.columns, parameters.colsampleByTree, random);
      const margins = sets[0]!.margins;
      const tree = grower.grow(gradients, order, features, (value, begin, end) => {
        if (order.length < matrix.rows) return;
        for (let index = begin; index < end; index++) margins[order[index]! * loss.groups + group]! += value;
      });
      trees.push(tree);
      for (const set of sets) {
        if (set.matrix === matrix && order.length === matrix.rows) continue;
        addTree(tree, set.matrix, set.margins, loss.groups, group);
      }
    }
    const values = new Map<string, number>();
    const predictions = sets.map((set) => loss.predict(set.margins));
    for (const [index, set] of sets.entries()) {
      for (const metric of metrics) {
        values.set(`${set.name}-${metric}`, evaluate(metric, predictions[index]!, set.matrix, loss.groups));
      }
    }
    onRound({ round, metrics: values });
    if (stopping.after(round, values)) break;
  }
  const kept = stopping.best ? trees.slice(0, (stopping.best.iteration + 1) * loss.groups) : trees;
  return {
    objective: parameters.objective,
    features: matrix.columns,
    classes: parameters.classes,
    baseScore: loss.baseScore,
    baseMargin: loss.baseMargin,
    scalePosWeight: parameters.scalePosWeight,
    trees: kept,
    treesPerRound: loss.groups,
    best: stopping.best,
  };
}

/** As xgboost.callback.EarlyStopping with save_best: last metric, on the validation rows. */
class EarlyStopping {
  best: { iteration: number; score: number } | undefined;

  constructor(
    private readonly rounds: number | undefined,
    private readonly metric: string,
    private readonly hasValidation: boolean,
  ) {}

  /** Whether training stops after this round. */
  after(round: number, values: ReadonlyMap<string, number>): boolean {
    if (this.rounds === undefined || !this.hasValidation) return false;
    const score = values.get(`validation-${this.metric}`)!;
    const better = !this.best || (isMaximised(this.metric) ? score > this.best.score : score < this.best.score);
    if (better) this.best = { iteration: round, score };
    return round - this.best!.iteration >= this.rounds;
  }
}

function startMargins(matrix: Matrix, loss: Loss): Float32Array {
  return new Float32Array(matrix.rows * loss.groups).fill(loss.baseMargin);
}

function addTree(tree: Tree, matrix: Matrix, margins: Float32Array, groups: number, group: number): void {
  for (let row = 0; row < matrix.rows; row++) {
    margins[row * groups + group]! += predictTree(tree, matrix.values, row * matrix.columns);
  }
}

/** All rows, or each with the given probability; at least one. */
function sampleRows(rows: number, share: number, random: () => number): Int32Array {
  const order = new Int32Array(rows);
  if (share >= 1) return order.map((_, row) => row);
  let count = 0;
  for (let row = 0; row < rows; row++) if (random() < share) order[count++] = row;
  if (count === 0) order[count++] = Math.floor(random() * rows);
  return order.slice(0, count);
}

function sampleFeatures(columns: number, share: number, random: () => number): Int32Array {
  return sampleIndexes(columns, Math.max(1, Math.floor(columns * share)), random);
}

/** Margins of the given rows: what `output_margin=True` gives in XGBoost. */
export function predictMargins(model: Model, matrix: Matrix): Float32Array {
  const margins = new Float32Array(matrix.rows * model.treesPerRound).fill(model.baseMargin);
  for (const [index, tree] of model.trees.entries()) {
    addTree(tree, matrix, margins, model.treesPerRound, index % model.treesPerRound);
  }
  return margins;
}
