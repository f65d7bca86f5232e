import fc from 'fast-check';
import * as metrics from '../../consumer/training/metrics';

const ranked = fc
  .array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0.1, 0.3, 0.5, 0.7, 0.9)), { minLength: 2, maxLength: 30 })
  .filter((list) => new Set(list.map(([label]) => label)).size === 2)
  .map((list) => ({
    labels: Float64Array.from(list, ([label]) => label),
    predictions: Float64Array.from(list, ([, prediction]) => prediction),
  }));

describe('metrics', () => {
  it('auc is the share of pairs ranked right, ties half', () => {
    fc.assert(
      fc.property(ranked, ({ labels, predictions }) => {
        let right = 0;
        let pairs = 0;
        labels.forEach((positive, i) =>
          labels.forEach((negative, j) => {
            if (positive !== 1 || negative !== 0) return;
            pairs += 1;
            right += predictions[i]! > predictions[j]! ? 1 : predictions[i] === predictions[j] ? 0.5 : 0;
          }),
        );
        expect(metrics.auc(labels, predictions)).toBeCloseTo(right / pairs, 12);
      }),
    );
  });

  it('aucpr is the average precision over the thresholds', () => {
    fc.assert(
      fc.property(ranked, ({ labels, predictions }) => {
        const positives = labels.filter((label) => label === 1).length;
        let recallBefore = 0;
        let sum = 0;
        for (const threshold of [0.9, 0.7, 0.5, 0.3, 0.1]) {
          const chosen = labels.filter((_label, index) => predictions[index]! >= threshold);
          const hits = chosen.filter((label) => label === 1).length;
          if (chosen.length > 0) sum += (hits / positives - recallBefore) * (hits / chosen.length);
          recallBefore = hits / positives;
        }
        expect(metrics.aucpr(labels, predictions)).toBeCloseTo(sum, 12);
      }),
    );
  });

  it('equal scikit-learn on an example', () => {
    // scikit-learn 1.9.1: roc_auc_score, average_precision_score, log_loss of these rows.
    const labels = Float64Array.of(0, 0, 1, 1, 0, 1);
    const predictions = Float64Array.of(0.1, 0.4, 0.35, 0.8, 0.4, 0.4);
    const result = metrics.binaryMetrics(labels, predictions);
    expect(result).toMatchObject({ positive_share: 0.5 });
    expect(result.auc).toBeCloseTo(0.666666666667, 9);
    expect(result.aucpr).toBeCloseTo(0.7, 9);
    expect(result.logloss).toBeCloseTo(0.552711361813, 9);
    expect(result.aucpr_lift).toBeCloseTo(2 * 0.7, 9);
  });

  it('a sure and wrong prediction costs much, not infinitely', () => {
    expect(metrics.logloss(Float64Array.of(1), Float64Array.of(0))).toBeCloseTo(36.84, 1);
  });

  it('compare a regression with repeating the present value', () => {
    const labels = Float64Array.of(1, 2, 3, 5);
    const result = metrics.regressionMetrics(labels, Float64Array.of(1, 2, 3, 4), Float64Array.of(0, 1, 2, 3));
    expect(result).toEqual({
      rmse: 0.5,
      mae: 0.25,
      baseline_rmse: Math.sqrt(7 / 4),
      rmse_ratio: 0.5 / Math.sqrt(7 / 4),
    });
    expect(metrics.regressionMetrics(labels, labels, undefined)).toEqual({ rmse: 0, mae: 0 });
  });
});
