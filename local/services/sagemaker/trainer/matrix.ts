/** Rows of numbers as the training container reads them: float32, row-major, NaN where missing. */
export interface Matrix {
  readonly rows: number;
  /** Features; the label is not one of them. */
  readonly columns: number;
  /** `rows × columns`, row-major. */
  readonly values: Float32Array;
  readonly labels: Float32Array;
  /** Per row; absent = 1 each. */
  readonly weights?: Float32Array;
}

/** The weight of a row, 1 where the data has none. */
export function weightOf(matrix: Matrix, row: number): number {
  return matrix.weights ? matrix.weights[row]! : 1;
}
