import type { Matrix } from '../../../../local/services/sagemaker/trainer/matrix';
import { DEFAULT_PARAMETERS, type TrainingParameters } from '../../../../local/services/sagemaker/trainer/parameters';
import { seededRandom } from '../../../../local/services/sagemaker/trainer/random';

/** Rows of normal features (a share of them missing) with a label computed from them and a normal noise. */
export function randomMatrix(
  rows: number,
  columns: number,
  label: (features: Float32Array, noise: number) => number,
  { seed = 1, missing = 0 } = {},
): Matrix {
  const random = seededRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const values = new Float32Array(rows * columns);
  const labels = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const features = values.subarray(row * columns, (row + 1) * columns);
    for (let column = 0; column < columns; column++) features[column] = normal();
    labels[row] = label(features, normal());
    if (missing > 0)
      for (let column = 0; column < columns; column++) if (random() < missing) features[column] = Number.NaN;
  }
  return { rows, columns, values, labels };
}

export function parameters(more: Partial<TrainingParameters> = {}): TrainingParameters {
  return { ...DEFAULT_PARAMETERS, objective: 'reg:squarederror', rounds: 20, evalMetrics: [], ...more };
}
