export type Objective = 'reg:squarederror' | 'binary:logistic' | 'multi:softprob';

/** What the built-in trainer trains with: XGBoost's parameters, typed. Defaults are XGBoost's. */
export interface TrainingParameters {
  readonly objective: Objective;
  /** Boosting rounds, ≥ 1. */
  readonly rounds: number;
  /** Learning rate, 0–1. */
  readonly eta: number;
  /** 0 = no limit. */
  readonly maxDepth: number;
  /** Least sum of hessians in a child. */
  readonly minChildWeight: number;
  /** Least loss reduction of a split. */
  readonly gamma: number;
  /** L2 and L1 regularisation of leaf weights. */
  readonly lambda: number;
  readonly alpha: number;
  /** Share of rows per tree, (0, 1]. */
  readonly subsample: number;
  /** Share of features per tree, (0, 1]. */
  readonly colsampleByTree: number;
  /** Most histogram bins per feature, 2–65,534. */
  readonly maxBin: number;
  /** Weight of rows whose label is 1. */
  readonly scalePosWeight: number;
  readonly seed: number;
  /** Starting prediction; estimated from the labels where absent. A probability for binary:logistic. */
  readonly baseScore?: number;
  /** For multi:softprob, ≥ 2; otherwise 0. */
  readonly classes: number;
  /** Per feature −1, 0 or 1; absent = none. */
  readonly monotone?: readonly number[];
  /** Names of `evaluate` in metrics.ts; at least one. */
  readonly evalMetrics: readonly string[];
  /** Stop when the last metric has not improved on the validation rows for so many rounds, and keep the best round. */
  readonly earlyStoppingRounds?: number;
}

export const DEFAULT_PARAMETERS = {
  eta: 0.3,
  maxDepth: 6,
  minChildWeight: 1,
  gamma: 0,
  lambda: 1,
  alpha: 0,
  subsample: 1,
  colsampleByTree: 1,
  maxBin: 256,
  scalePosWeight: 1,
  seed: 0,
  classes: 0,
} as const;
