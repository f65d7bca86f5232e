/** Checked hyperparameters of the container → what the built-in trainer trains with, or why it cannot. */
import { KNOWN_METRICS, isKnownMetric } from '../trainer/metrics';
import { DEFAULT_PARAMETERS, type Objective, type TrainingParameters } from '../trainer/parameters';
import { AlgorithmError } from './algorithm-error';

const OBJECTIVES: Readonly<Record<string, Objective>> = {
  'reg:squarederror': 'reg:squarederror',
  'reg:linear': 'reg:squarederror',
  'binary:logistic': 'binary:logistic',
  'multi:softprob': 'multi:softprob',
};

/** Hyperparameters whose other values the built-in trainer does not have, with the values that it has. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  booster: ['gbtree'],
  process_type: ['default'],
  grow_policy: ['depthwise'],
  sampling_method: ['uniform'],
  max_leaves: ['0'],
  max_delta_step: ['0'],
  colsample_bylevel: ['1'],
  colsample_bynode: ['1'],
  num_parallel_tree: ['1'],
};
const ABSENT = ['updater', 'interaction_constraints', '_kfold', '_num_cv_round'];

const WHAT_THEN = 'install xgboost and pyarrow for python3 to train with the real one';

/** @throws AlgorithmError (algorithm) for a hyperparameter that only the real XGBoost has. */
export function builtInParameters(named: ReadonlyMap<string, string>): TrainingParameters {
  for (const [name, allowed] of Object.entries(ONLY)) {
    const value = named.get(name);
    if (value !== undefined && !allowed.includes(value) && !allowed.includes(String(Number(value)))) {
      throw new AlgorithmError(
        `the built-in trainer has ${name} ${allowed.join(', ')} only; ${WHAT_THEN}`,
        'algorithm',
      );
    }
  }
  const absent = ABSENT.filter((name) => named.has(name));
  if (absent.length > 0)
    throw new AlgorithmError(`the built-in trainer has no ${absent.join(', ')}; ${WHAT_THEN}`, 'algorithm');
  const objective = OBJECTIVES[named.get('objective') ?? 'reg:squarederror'];
  if (!objective) {
    throw new AlgorithmError(
      `the built-in trainer has objective ${Object.keys(OBJECTIVES).join(', ')} only; ${WHAT_THEN}`,
      'algorithm',
    );
  }
  const evalMetrics = named.get('eval_metric')?.split(',') ?? [];
  const unknown = evalMetrics.filter((metric) => !isKnownMetric(metric));
  if (unknown.length > 0) {
    throw new AlgorithmError(
      `the built-in trainer computes ${KNOWN_METRICS.join(', ')}, not ${unknown.join(', ')}; ${WHAT_THEN}`,
      'algorithm',
    );
  }
  const value = (name: string, fallback: number): number => Number(named.get(name) ?? fallback);
  const defaults = DEFAULT_PARAMETERS;
  const constraints = named.get('monotone_constraints');
  return {
    objective,
    rounds: Number(named.get('num_round')),
    eta: value('eta', defaults.eta),
    maxDepth: value('max_depth', defaults.maxDepth),
    minChildWeight: value('min_child_weight', defaults.minChildWeight),
    gamma: value('gamma', defaults.gamma),
    lambda: value('lambda', defaults.lambda),
    alpha: value('alpha', defaults.alpha),
    subsample: value('subsample', defaults.subsample),
    colsampleByTree: value('colsample_bytree', defaults.colsampleByTree),
    maxBin: Math.min(65_534, Math.max(2, value('max_bin', defaults.maxBin) || defaults.maxBin)),
    scalePosWeight: value('scale_pos_weight', defaults.scalePosWeight),
    seed: value('seed', defaults.seed),
    baseScore: named.has('base_score') ? Number(named.get('base_score')) : undefined,
    classes: objective === 'multi:softprob' ? Number(named.get('num_class')) : 0,
    monotone: constraints === undefined ? undefined : directions(constraints),
    evalMetrics,
    // Without an eval_metric the container has nothing to stop on, and trains every round.
    earlyStoppingRounds:
      evalMetrics.length > 0 && named.has('early_stopping_rounds')
        ? Number(named.get('early_stopping_rounds'))
        : undefined,
  };
}

/** `(1,0,-1)` → [1, 0, −1] */
function directions(text: string): number[] {
  return text
    .replace(/[()\s]/g, '')
    .split(',')
    .filter((part) => part !== '')
    .map(Number);
}
