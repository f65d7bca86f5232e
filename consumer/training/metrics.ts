/** Metrics of predictions on a test split. `labels` and `predictions` have the same, non-zero length. */
import type { MetricName } from '../../use-cases/define-use-case';

export function rmse(labels: Float64Array, predictions: Float64Array): number {
  let squares = 0;
  for (let index = 0; index < labels.length; index++) squares += (labels[index]! - predictions[index]!) ** 2;
  return Math.sqrt(squares / labels.length);
}

export function mae(labels: Float64Array, predictions: Float64Array): number {
  let total = 0;
  for (let index = 0; index < labels.length; index++) total += Math.abs(labels[index]! - predictions[index]!);
  return total / labels.length;
}

/** Probabilities are kept 1e-16 away from 0 and 1, as XGBoost does. */
export function logloss(labels: Float64Array, predictions: Float64Array): number {
  let total = 0;
  for (let index = 0; index < labels.length; index++) {
    const probability = Math.min(1 - 1e-16, Math.max(1e-16, predictions[index]!));
    total -= labels[index] === 1 ? Math.log(probability) : Math.log1p(-probability);
  }
  return total / labels.length;
}

/** Groups of equal predictions in descending order, with the positives and negatives in each. */
function* ranked(labels: Float64Array, predictions: Float64Array): Generator<{ positives: number; negatives: number }> {
  const order = Array.from(labels.keys()).sort((a, b) => predictions[b]! - predictions[a]!);
  let positives = 0;
  let negatives = 0;
  for (let position = 0; position < order.length; position++) {
    if (labels[order[position]!] === 1) positives += 1;
    else negatives += 1;
    const next = order[position + 1];
    if (next !== undefined && predictions[next] === predictions[order[position]!]) continue;
    yield { positives, negatives };
    positives = 0;
    negatives = 0;
  }
}

/** Area under the ROC curve: the share of pairs ranked right, ties half. NaN where a class is missing. */
export function auc(labels: Float64Array, predictions: Float64Array): number {
  let positives = 0;
  let negatives = 0;
  let area = 0;
  for (const group of ranked(labels, predictions)) {
    area += group.negatives * (positives + group.positives / 2);
    positives += group.positives;
    negatives += group.negatives;
  }
  return area / (positives * negatives);
}

/** Average precision: precision at each threshold, weighted by the recall it adds. NaN without positives. */
export function aucpr(labels: Float64Array, predictions: Float64Array): number {
  let positives = 0;
  let total = 0;
  let sum = 0;
  for (const group of ranked(labels, predictions)) {
    positives += group.positives;
    total += group.positives + group.negatives;
    sum += (group.positives * positives) / total;
  }
  return sum / positives;
}

/**
 * Every metric that the task has.
 * @param baseline What the persistence baseline (next value = this value) predicts, where the task has one.
 */
export function regressionMetrics(
  labels: Float64Array,
  predictions: Float64Array,
  baseline: Float64Array | undefined,
): Partial<Record<MetricName | 'baseline_rmse', number>> {
  const error = rmse(labels, predictions);
  const metrics = { rmse: error, mae: mae(labels, predictions) };
  if (baseline === undefined) return metrics;
  const baselineError = rmse(labels, baseline);
  return { ...metrics, baseline_rmse: baselineError, rmse_ratio: error / baselineError };
}

export function binaryMetrics(
  labels: Float64Array,
  predictions: Float64Array,
): Partial<Record<MetricName | 'positive_share', number>> {
  const positiveShare = labels.reduce((sum, label) => sum + label, 0) / labels.length;
  const precision = aucpr(labels, predictions);
  return {
    logloss: logloss(labels, predictions),
    auc: auc(labels, predictions),
    aucpr: precision,
    positive_share: positiveShare,
    aucpr_lift: precision / positiveShare,
  };
}
