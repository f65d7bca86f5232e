/** Evaluation metrics under XGBoost's names and definitions. */
import { type Matrix, weightOf } from './matrix';

/** XGBoost's list of metrics where greater is better, as far as this trainer computes them. */
const MAXIMISED = new Set(['auc', 'aucpr', 'accuracy']);

type RowMetric = (prediction: number, label: number) => number;

const ROW_METRICS: Readonly<Record<string, RowMetric>> = {
  rmse: (prediction, label) => (prediction - label) ** 2,
  mse: (prediction, label) => (prediction - label) ** 2,
  mae: (prediction, label) => Math.abs(prediction - label),
  mape: (prediction, label) => Math.abs((label - prediction) / label),
  logloss: (prediction, label) => -(label * safeLog(prediction) + (1 - label) * safeLog(1 - prediction)),
  error: (prediction, label) => ((prediction > 0.5 ? 1 : 0) === label ? 0 : 1),
  accuracy: (prediction, label) => ((prediction > 0.5 ? 1 : 0) === label ? 1 : 0),
};

export function isKnownMetric(name: string): boolean {
  return name in ROW_METRICS || ['auc', 'aucpr', 'merror', 'mlogloss'].includes(name) || /^error@[\d.]+$/.test(name);
}

export const KNOWN_METRICS = [...Object.keys(ROW_METRICS), 'auc', 'aucpr', 'merror', 'mlogloss', 'error@t'];

/** Whether a greater value of the metric is better. */
export function isMaximised(name: string): boolean {
  return MAXIMISED.has(name);
}

/**
 * The metric over all rows, weighted. `predictions` are values or probabilities, `rows × groups`. NaN where it is not
 * defined: no rows, or an area under a curve where all labels are equal.
 */
export function evaluate(name: string, predictions: Float32Array, matrix: Matrix, groups: number): number {
  if (name === 'auc' || name === 'aucpr') return rankingArea(name, predictions, matrix);
  if (name === 'merror' || name === 'mlogloss') return multiclass(name, predictions, matrix, groups);
  const threshold = name.startsWith('error@') ? Number(name.slice('error@'.length)) : undefined;
  const metric: RowMetric =
    threshold === undefined
      ? ROW_METRICS[name]!
      : (prediction, label) => ((prediction > threshold ? 1 : 0) === label ? 0 : 1);
  let sum = 0;
  let weights = 0;
  for (let row = 0; row < matrix.rows; row++) {
    const weight = weightOf(matrix, row);
    sum += weight * metric(predictions[row]!, matrix.labels[row]!);
    weights += weight;
  }
  return name === 'rmse' ? Math.sqrt(sum / weights) : sum / weights;
}

function multiclass(name: string, predictions: Float32Array, matrix: Matrix, groups: number): number {
  let sum = 0;
  let weights = 0;
  for (let row = 0; row < matrix.rows; row++) {
    const label = matrix.labels[row]!;
    const own = predictions[row * groups + label]!;
    let best = 0;
    for (let group = 1; group < groups; group++) {
      if (predictions[row * groups + group]! > predictions[row * groups + best]!) best = group;
    }
    const weight = weightOf(matrix, row);
    sum += weight * (name === 'merror' ? (best === label ? 0 : 1) : -safeLog(own));
    weights += weight;
  }
  return sum / weights;
}

/**
 * Area under the ROC curve (trapezoids, ties together) or under precision–recall (Davis & Goadrich 2006: interpolated
 * along true and false positives, not along the line between points).
 */
function rankingArea(name: 'auc' | 'aucpr', predictions: Float32Array, matrix: Matrix): number {
  const order = descending(predictions);
  let positives = 0;
  let negatives = 0;
  for (let row = 0; row < matrix.rows; row++) {
    positives += weightOf(matrix, row) * matrix.labels[row]!;
    negatives += weightOf(matrix, row) * (1 - matrix.labels[row]!);
  }
  if (positives <= 0 || negatives <= 0) return Number.NaN;
  let area = 0;
  let truePositives = 0;
  let falsePositives = 0;
  for (let index = 0; index < order.length;) {
    const truesBefore = truePositives;
    const falsesBefore = falsePositives;
    const score = predictions[order[index]!]!;
    while (index < order.length && predictions[order[index]!] === score) {
      const row = order[index++]!;
      truePositives += weightOf(matrix, row) * matrix.labels[row]!;
      falsePositives += weightOf(matrix, row) * (1 - matrix.labels[row]!);
    }
    area +=
      name === 'auc'
        ? ((falsePositives - falsesBefore) * (truePositives + truesBefore)) / 2 / (positives * negatives)
        : precisionRecallStep(falsesBefore, falsePositives, truesBefore, truePositives, positives);
  }
  return area;
}

/**
 * Row numbers by falling score. Scores are packed with their row into one double, which sorts far faster than a
 * comparison function: 32 bits of ordered float and 21 of row.
 */
function descending(scores: Float32Array): Uint32Array {
  const rows = new Uint32Array(scores.length).map((_, row) => row);
  if (scores.length > 2 ** 21) return rows.sort((a, b) => scores[b]! - scores[a]!);
  const bits = new Uint32Array(new Float32Array(scores).buffer);
  const keys = new Float64Array(scores.length);
  for (let row = 0; row < keys.length; row++) {
    const ordered = bits[row]! & 0x80000000 ? ~bits[row]! >>> 0 : (bits[row]! | 0x80000000) >>> 0;
    keys[row] = (0xffffffff - ordered) * 2 ** 21 + row;
  }
  keys.sort();
  return rows.map((_, index) => keys[index]! % 2 ** 21);
}

function precisionRecallStep(
  falsesBefore: number,
  falses: number,
  truesBefore: number,
  trues: number,
  positives: number,
): number {
  if (trues === truesBefore) return 0;
  const slope = (falses - falsesBefore) / (trues - truesBefore);
  const scale = 1 + slope;
  const offset = (falsesBefore - slope * truesBefore) / positives;
  const from = truesBefore / positives;
  const to = trues / positives;
  if (Math.abs(offset) < 1e-15) return (to - from) / scale;
  return (to - from - (offset / scale) * (Math.log(scale * to + offset) - Math.log(scale * from + offset))) / scale;
}

function safeLog(value: number): number {
  return Math.log(Math.max(value, 1e-16));
}
