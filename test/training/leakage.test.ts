import { buildDataset, sortRows, type FeatureTable } from '../../consumer/training/dataset';
import { auc } from '../../consumer/training/metrics';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import { uniform } from '../../use-cases/random';
import { smartFactory } from '../../use-cases/smart-factory';
import { simulatedRows } from './features';

const START = Date.parse('2026-11-20T00:00:00Z');
const HOURS = 24;
const INPUTS = smartFactory.training.inputs!;

function machines(): FeatureTable {
  const parts = simulatedRows(smartFactory, START, HOURS).flat();
  const joined = (pick: (part: (typeof parts)[number]) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  return sortRows({
    device: parts.flatMap((part) => new Array<string>(part.length).fill(part.device)),
    windowStart: joined((part) => part.windowStart),
    windowEnd: joined((part) => part.windowEnd),
    features: new Map(smartFactory.features.map(({ name }, index) => [name, joined((part) => part.features[index]!)])),
  });
}

/** The label of the nearest row of train, fading with its distance: a learner that does nothing but remember. */
function remember(
  columns: readonly Float64Array[],
  labels: Float64Array,
  train: Int32Array,
  test: Int32Array,
): Float64Array {
  return test.reduce((predictions, row, index) => {
    let nearest = Infinity;
    for (const other of train) {
      let distance = 0;
      for (const column of columns) distance += (column[row]! - column[other]!) ** 2;
      if (distance >= nearest) continue;
      nearest = distance;
      predictions[index] = labels[other] === 1 ? 1 / (1 + distance) : -1 / (1 + distance);
    }
    return predictions;
  }, new Float64Array(test.length));
}

describe('the split by device', () => {
  it('gives no credit for remembering, which a random split does', () => {
    const table = machines();
    const hours = new Set(Array.from({ length: HOURS }, (_, hour) => START + hour * HOUR_MS));
    const { labels, splits } = buildDataset(smartFactory, table, hours);
    const rows = Int32Array.from([...splits.train, ...splits.validation, ...splits.test]).sort();
    const columns = INPUTS.map((name) => {
      const values = table.features.get(name)!.map((value) => (Number.isNaN(value) ? 0 : value));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      return values.map((value) => (value - mean) / spread);
    });
    const thinned = (list: Int32Array, share: number): Int32Array => list.filter((row) => uniform(1, row) < share);
    const score = (train: Int32Array, test: Int32Array): number =>
      auc(
        Float64Array.from(test, (row) => labels[row]!),
        remember(columns, labels, train, test),
      );

    const random = rows.filter((row) => uniform(2, row) < 0.25);
    const rest = rows.filter((row) => uniform(2, row) >= 0.25);
    const byChance = score(thinned(rest, 0.4), thinned(random, 0.15));
    const byDevice = score(thinned(splits.train, 0.4), thinned(splits.test, 0.15));
    expect(byChance).toBeGreaterThan(0.97);
    expect(byDevice).toBeLessThan(byChance - 0.05);
  });
});
