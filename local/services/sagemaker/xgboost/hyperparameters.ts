/**
 * The hyperparameters of SageMaker's XGBoost container (algorithm mode) with their types, ranges and dependencies, as
 * aws/sagemaker-xgboost-container declares them. They arrive as strings.
 */
import { AlgorithmError } from './algorithm-error';

type Rule =
  | {
      readonly type: 'integer' | 'number';
      readonly from?: number;
      readonly to?: number;
      readonly open?: 'from' | 'to' | 'both';
    }
  | { readonly type: 'choice'; readonly values: readonly string[] }
  | { readonly type: 'list'; readonly accepts: (value: string) => boolean }
  | { readonly type: 'directions' }
  | { readonly type: 'nested' };

const MAXIMISED = [
  'accuracy', 'auc', 'aucpr', 'balanced_accuracy', 'f1', 'f1_binary', 'f1_macro', 'map', 'ndcg', 'precision', 'r2',
  'recall', 'precision_macro', 'precision_micro', 'recall_macro', 'recall_micro',
]; // prettier-ignore
const MINIMISED = [
  'aft-nloglik', 'cox-nloglik', 'error', 'gamma-deviance', 'gamma-nloglik', 'interval-regression-accuracy', 'logloss',
  'mae', 'mape', 'merror', 'mlogloss', 'mphe', 'mse', 'poisson-nloglik', 'rmse', 'rmsle', 'tweedie-nloglik',
]; // prettier-ignore
const UPDATERS = [
  'grow_colmaker', 'distcol', 'grow_histmaker', 'grow_skmaker', 'sync', 'refresh', 'prune', 'shotgun', 'coord_descent',
]; // prettier-ignore
const OBJECTIVES = [
  'aft_loss_distribution', 'binary:logistic', 'binary:logitraw', 'binary:hinge', 'count:poisson', 'multi:softmax',
  'multi:softprob', 'rank:pairwise', 'rank:ndcg', 'rank:map', 'reg:linear', 'reg:squarederror', 'reg:logistic',
  'reg:gamma', 'reg:pseudohubererror', 'reg:squaredlogerror', 'reg:absoluteerror', 'reg:tweedie', 'survival:aft',
  'survival:cox',
]; // prettier-ignore

const integer = (from?: number, to?: number, open?: 'from' | 'to' | 'both'): Rule => ({
  type: 'integer',
  from,
  to,
  open,
});
const number = (from?: number, to?: number, open?: 'from' | 'to' | 'both'): Rule => ({
  type: 'number',
  from,
  to,
  open,
});
const choice = (...values: string[]): Rule => ({ type: 'choice', values });
const flag = integer(0, 1);
const share = number(0, 1, 'from');

const RULES: Readonly<Record<string, Rule>> = {
  num_round: integer(1),
  csv_weights: flag,
  early_stopping_rounds: integer(1),
  booster: choice('gbtree', 'gblinear', 'dart'),
  verbosity: integer(0, 3),
  nthread: integer(1),
  eta: number(0, 1),
  gamma: number(0),
  max_depth: integer(0),
  min_child_weight: number(0),
  max_delta_step: number(0),
  subsample: share,
  colsample_bytree: share,
  colsample_bylevel: share,
  colsample_bynode: share,
  lambda: number(0),
  alpha: number(0),
  tree_method: choice('auto', 'exact', 'approx', 'hist', 'gpu_hist'),
  sketch_eps: number(0, 1, 'both'),
  scale_pos_weight: number(0, undefined, 'from'),
  updater: { type: 'list', accepts: (value) => UPDATERS.includes(value) },
  dsplit: choice('row', 'col'),
  refresh_leaf: flag,
  process_type: choice('default', 'update'),
  grow_policy: choice('depthwise', 'lossguide'),
  max_leaves: integer(0),
  max_bin: integer(0),
  predictor: choice('auto', 'cpu_predictor', 'gpu_predictor'),
  monotone_constraints: { type: 'directions' },
  interaction_constraints: { type: 'nested' },
  sample_type: choice('uniform', 'weighted'),
  normalize_type: choice('tree', 'forest'),
  rate_drop: number(0, 1),
  one_drop: flag,
  skip_drop: number(0, 1),
  lambda_bias: number(0, 1),
  tweedie_variance_power: number(1, 2, 'both'),
  objective: choice(...OBJECTIVES),
  num_class: integer(2),
  base_score: number(0),
  _kfold: integer(2),
  _num_cv_round: integer(1),
  _tuning_objective_metric: choice(...[...MAXIMISED, ...MINIMISED].map((name) => `validation:${name}`)),
  eval_metric: { type: 'list', accepts: isEvalMetric },
  seed: integer(-(2 ** 31), 2 ** 31 - 1, 'both'),
  num_parallel_tree: integer(1),
  save_model_on_termination: choice('true', 'false'),
  aft_loss_distribution: choice('normal', 'logistic', 'extreme'),
  aft_loss_distribution_scale: number(0),
  deterministic_histogram: choice('true', 'false'),
  sampling_method: choice('uniform', 'gradient_based'),
  prob_buffer_row: integer(1, undefined, 'from'),
  use_dask_gpu_training: choice('true', 'false'),
};

const ALIASES: Readonly<Record<string, string>> = {
  learning_rate: 'eta',
  min_split_loss: 'gamma',
  reg_lambda: 'lambda',
  reg_alpha: 'alpha',
};

function isEvalMetric(name: string): boolean {
  const [metric, threshold] = name.split('@');
  if (threshold === undefined) return MAXIMISED.includes(name) || MINIMISED.includes(name);
  return ['error', 'ndcg', 'map'].includes(metric!.trim()) && Number.isFinite(Number(threshold));
}

/**
 * The hyperparameters under their own names, each checked.
 * @throws AlgorithmError (user) for the first that is unknown, missing, malformed, out of range or at odds with another.
 */
export function checkHyperparameters(given: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const named = new Map(Object.entries(given).map(([name, value]) => [ALIASES[name] ?? name, value] as const));
  if (!named.has('num_round')) throw new AlgorithmError('required hyperparameter num_round is missing');
  for (const [name, value] of named) {
    const rule = RULES[name];
    if (!rule) throw new AlgorithmError(`hyperparameter ${name} is extraneous: the algorithm does not know it`);
    const problem = problemOf(rule, value);
    if (problem !== undefined) throw new AlgorithmError(`hyperparameter ${name}: ${problem}`);
  }
  checkDependencies(named);
  return named;
}

function problemOf(rule: Rule, value: string): string | undefined {
  switch (rule.type) {
    case 'integer':
    case 'number': {
      const parsed = value.trim() === '' ? Number.NaN : Number(value);
      if (Number.isNaN(parsed) || (rule.type === 'integer' && !/^\s*[+-]?\d+\s*$/.test(value))) {
        return `could not parse the value as ${rule.type === 'integer' ? 'an integer' : 'a number'}`;
      }
      return isWithin(parsed, rule) ? undefined : `the value is not in ${intervalText(rule)}`;
    }
    case 'choice':
      return rule.values.includes(value) ? undefined : `the value is not one of ${rule.values.join(', ')}`;
    case 'list': {
      const unknown = value.split(',').filter((item) => !rule.accepts(item));
      return unknown.length === 0 ? undefined : `${unknown.join(', ')} is not in its range`;
    }
    case 'directions':
      return /^\(\s*(-?[01])\s*(,\s*-?[01]\s*)*,?\s*\)$/.test(value)
        ? undefined
        : 'the value must be a tuple of -1, 0 and 1 such as (1,0,-1)';
    case 'nested':
      return value.startsWith('[[') ? undefined : 'the value must be a nested list such as [[0,1],[2]]';
  }
}

function isWithin(
  value: number,
  { from = -Infinity, to = Infinity, open }: Extract<Rule, { type: 'integer' | 'number' }>,
): boolean {
  const above = open === 'from' || open === 'both' ? value > from : value >= from;
  const below = open === 'to' || open === 'both' ? value < to : value <= to;
  return above && below;
}

function intervalText({ from, to, open }: Extract<Rule, { type: 'integer' | 'number' }>): string {
  const left = from === undefined ? '(-inf' : `${open === 'from' || open === 'both' ? '(' : '['}${from}`;
  const right = to === undefined ? '+inf)' : `${to}${open === 'to' || open === 'both' ? ')' : ']'}`;
  return `${left}, ${right}`;
}

function checkDependencies(named: ReadonlyMap<string, string>): void {
  const objective = named.get('objective');
  const treeMethod = named.get('tree_method');
  if ((objective === 'multi:softmax' || objective === 'multi:softprob') && !named.has('num_class')) {
    throw new AlgorithmError(`hyperparameter num_class is required for objective ${objective}`);
  }
  if (named.has('monotone_constraints') && treeMethod !== 'exact' && treeMethod !== 'hist') {
    throw new AlgorithmError('hyperparameter monotone_constraints can be used only with tree_method exact or hist');
  }
  if (named.has('interaction_constraints') && !['exact', 'hist', 'approx'].includes(treeMethod ?? '')) {
    throw new AlgorithmError(
      'hyperparameter interaction_constraints can be used only with tree_method exact, hist or approx',
    );
  }
  const metrics = named.get('eval_metric')?.split(',') ?? [];
  if (metrics.includes('auc') && objective !== undefined && !/^(binary|rank):/.test(objective)) {
    throw new AlgorithmError(
      'eval_metric auc can be applied to classification and ranking only (objective binary: or rank:)',
    );
  }
  if (metrics.includes('aft-nloglik') && objective !== 'survival:aft') {
    throw new AlgorithmError('eval_metric aft-nloglik can be applied to objective survival:aft only');
  }
}
