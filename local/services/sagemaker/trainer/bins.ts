/**
 * Quantile binning, as XGBoost's `hist` method does it: every feature's values are cut at weighted quantiles, and trees
 * see bin numbers only. A value is in bin i when cut[i − 1] ≤ value < cut[i]; the last cut lies above the maximum, so
 * that "all values left, missing right" is a split too.
 */
import { type Matrix, weightOf } from './matrix';

export interface BinnedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** `rows × columns`, row-major; `missingBin` where the value is missing. */
  readonly bins: Uint16Array;
  readonly missingBin: number;
  /** Per feature, ascending; its length is the feature's number of bins. Empty where every value is missing. */
  readonly cuts: readonly Float32Array[];
  /** Per feature; NaN where every value is missing. */
  readonly minima: Float32Array;
  /** Per feature, 1 where a value is missing. */
  readonly hasMissing: Uint8Array;
}

export function binMatrix(matrix: Matrix, maxBin: number): BinnedMatrix {
  const { rows, columns, values } = matrix;
  const cuts: Float32Array[] = [];
  const minima = new Float32Array(columns);
  const hasMissing = new Uint8Array(columns);
  for (let column = 0; column < columns; column++) {
    const present = presentValues(matrix, column);
    hasMissing[column] = present.length < rows ? 1 : 0;
    const { distinct, weights } = distinctValues(matrix, column, present);
    minima[column] = distinct.length > 0 ? distinct[0]! : Number.NaN;
    cuts.push(cutPoints(distinct, weights, maxBin));
  }
  const missingBin = cuts.reduce((most, cut) => Math.max(most, cut.length), 0);
  const bins = new Uint16Array(rows * columns);
  for (let column = 0; column < columns; column++) {
    const cut = cuts[column]!;
    for (let row = 0, at = column; row < rows; row++, at += columns) {
      const value = values[at]!;
      bins[at] = Number.isNaN(value) ? missingBin : firstAbove(cut, value);
    }
  }
  return { rows, columns, bins, missingBin, cuts, minima, hasMissing };
}

function presentValues(matrix: Matrix, column: number): Float32Array {
  const { rows, columns, values } = matrix;
  const present = new Float32Array(rows);
  let count = 0;
  for (let row = 0, at = column; row < rows; row++, at += columns) {
    const value = values[at]!;
    if (!Number.isNaN(value)) present[count++] = value;
  }
  return present.subarray(0, count).sort();
}

/** Distinct values in ascending order, with the weight that each carries. */
function distinctValues(
  matrix: Matrix,
  column: number,
  sorted: Float32Array,
): { distinct: Float32Array; weights: Float64Array } {
  const distinct = new Float32Array(sorted.length);
  const weights = new Float64Array(sorted.length);
  let count = 0;
  for (const value of sorted) {
    if (count === 0 || value !== distinct[count - 1]) distinct[count++] = value;
    weights[count - 1]! += 1;
  }
  if (matrix.weights) {
    weights.fill(0);
    for (let row = 0, at = column; row < matrix.rows; row++, at += matrix.columns) {
      const value = matrix.values[at]!;
      if (!Number.isNaN(value)) weights[firstAbove(distinct.subarray(0, count), value) - 1]! += weightOf(matrix, row);
    }
  }
  return { distinct: distinct.subarray(0, count), weights: weights.subarray(0, count) };
}

function cutPoints(distinct: Float32Array, weights: Float64Array, maxBin: number): Float32Array {
  if (distinct.length === 0) return new Float32Array(0);
  const inner: number[] = [];
  if (distinct.length <= maxBin) {
    for (let index = 1; index < distinct.length; index++) inner.push(distinct[index]!);
  } else {
    let total = 0;
    for (const weight of weights) total += weight;
    let before = 0;
    for (let index = 0; index < distinct.length; index++) {
      // The value at which the next multiple of total / maxBin is reached begins a new bin.
      if (index > 0 && before >= ((inner.length + 1) * total) / maxBin && inner.length < maxBin - 1)
        inner.push(distinct[index]!);
      before += weights[index]!;
    }
  }
  const maximum = distinct[distinct.length - 1]!;
  return Float32Array.from([...inner, maximum + Math.abs(maximum) + 1e-5]);
}

/** Index of the first element greater than the value; the length where none is. */
function firstAbove(sorted: Float32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
