/** Losses: gradients, hessians and the link between margins and predictions. Formulas as in XGBoost's objectives. */
import { type Matrix, weightOf } from './matrix';
import type { TrainingParameters } from './parameters';

const LEAST_HESSIAN = 1e-16;

export interface Loss {
  /** Trees per round: margins are `rows × groups`. */
  readonly groups: number;
  readonly defaultMetric: string;
  /** What the model file keeps as base_score, float32. */
  readonly baseScore: number;
  /** The margin that every row starts from, float32. */
  readonly baseMargin: number;
  /** Writes gradient and hessian of group `group` at 2r and 2r + 1. */
  gradients(margins: Float32Array, group: number, into: Float64Array): void;
  /** Predictions: values, probabilities, or `rows × groups` class probabilities. */
  predict(margins: Float32Array): Float32Array;
}

/** @throws Error where a label is outside what the objective takes; the message names the rule, never a value. */
export function lossOf(matrix: Matrix, parameters: TrainingParameters): Loss {
  switch (parameters.objective) {
    case 'reg:squarederror':
      return squaredError(matrix, parameters);
    case 'binary:logistic':
      return logistic(matrix, parameters);
    case 'multi:softprob':
      return softmax(matrix, parameters);
  }
}

function rowWeight(matrix: Matrix, row: number, scalePosWeight: number): number {
  const weight = weightOf(matrix, row);
  return matrix.labels[row] === 1 ? weight * scalePosWeight : weight;
}

function meanLabel(matrix: Matrix): number {
  let sum = 0;
  let weights = 0;
  for (let row = 0; row < matrix.rows; row++) {
    sum += weightOf(matrix, row) * matrix.labels[row]!;
    weights += weightOf(matrix, row);
  }
  return weights > 0 ? sum / weights : 0;
}

function squaredError(matrix: Matrix, parameters: TrainingParameters): Loss {
  const baseScore = Math.fround(parameters.baseScore ?? meanLabel(matrix));
  return {
    groups: 1,
    defaultMetric: 'rmse',
    baseScore,
    baseMargin: baseScore,
    gradients(margins, _group, into) {
      for (let row = 0; row < matrix.rows; row++) {
        const weight = rowWeight(matrix, row, parameters.scalePosWeight);
        into[row * 2] = (margins[row]! - matrix.labels[row]!) * weight;
        into[row * 2 + 1] = weight;
      }
    },
    predict: (margins) => margins,
  };
}

function logistic(matrix: Matrix, parameters: TrainingParameters): Loss {
  if (matrix.labels.some((label) => !(label >= 0 && label <= 1))) {
    throw new Error('label must be in [0,1] for logistic regression; column 0 of the data holds the label');
  }
  const { baseScore: given } = parameters;
  if (given !== undefined && !(given > 0 && given < 1))
    throw new Error('base_score must be in (0,1) for logistic loss');
  const baseScore = Math.fround(given ?? Math.min(1 - 1e-6, Math.max(1e-6, meanLabel(matrix))));
  return {
    groups: 1,
    defaultMetric: 'logloss',
    baseScore,
    baseMargin: Math.fround(-Math.log(1 / baseScore - 1)),
    gradients(margins, _group, into) {
      for (let row = 0; row < matrix.rows; row++) {
        const probability = sigmoid(margins[row]!);
        const weight = rowWeight(matrix, row, parameters.scalePosWeight);
        into[row * 2] = (probability - matrix.labels[row]!) * weight;
        into[row * 2 + 1] = Math.max(probability * (1 - probability), LEAST_HESSIAN) * weight;
      }
    },
    predict: (margins) => margins.map(sigmoid),
  };
}

function softmax(matrix: Matrix, parameters: TrainingParameters): Loss {
  const { classes } = parameters;
  if (matrix.labels.some((label) => !Number.isInteger(label) || label < 0 || label >= classes)) {
    throw new Error(`label must be in [0, num_class) and a whole number; num_class is ${classes}`);
  }
  const baseScore = Math.fround(parameters.baseScore ?? 0.5);
  const probabilities = (margins: Float32Array): Float32Array => {
    const out = new Float32Array(margins.length);
    for (let from = 0; from < margins.length; from += classes) {
      let most = -Infinity;
      for (let group = 0; group < classes; group++) most = Math.max(most, margins[from + group]!);
      let sum = 0;
      for (let group = 0; group < classes; group++) sum += Math.exp(margins[from + group]! - most);
      for (let group = 0; group < classes; group++) out[from + group] = Math.exp(margins[from + group]! - most) / sum;
    }
    return out;
  };
  let known: Float32Array | undefined;
  return {
    groups: classes,
    defaultMetric: 'mlogloss',
    baseScore,
    baseMargin: baseScore,
    gradients(margins, group, into) {
      // All trees of a round are grown from the probabilities at its start.
      if (group === 0 || !known) known = probabilities(margins);
      for (let row = 0; row < matrix.rows; row++) {
        const probability = known[row * classes + group]!;
        const weight = weightOf(matrix, row);
        into[row * 2] = (probability - (matrix.labels[row] === group ? 1 : 0)) * weight;
        into[row * 2 + 1] = Math.max(2 * probability * (1 - probability), LEAST_HESSIAN) * weight;
      }
    },
    predict: probabilities,
  };
}

function sigmoid(margin: number): number {
  return 1 / (1 + Math.exp(-margin));
}
