/**
 * What SageMaker's built-in XGBoost accepts as hyperparameters. The container refuses unknown names and values out of
 * range once a job has started; here it costs nothing.
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html
 */

interface Interval {
  readonly kind: 'integer' | 'number';
  readonly minimum: number;
  readonly maximum: number;
  /** The minimum itself is refused. */
  readonly open?: boolean;
}

function integer(minimum: number, maximum = Infinity): Interval {
  return { kind: 'integer', minimum, maximum };
}

function number(minimum: number, maximum = Infinity): Interval {
  return { kind: 'number', minimum, maximum };
}

function above(minimum: number, maximum = Infinity): Interval {
  return { kind: 'number', minimum, maximum, open: true };
}

/** An interval, a list of allowed words, or a check of its own that gives the problem. */
type Rule = Interval | readonly string[] | ((value: string) => string | undefined);

const BINARY_METRICS = ['auc', 'aucpr', 'error', 'logloss'];
const REGRESSION_METRICS = ['rmse', 'mae', 'rmsle', 'mape', 'mphe'];

function metrics(value: string): string | undefined {
  const unknown = value.split(',').filter((name) => ![...BINARY_METRICS, ...REGRESSION_METRICS].includes(name));
  return unknown.length === 0 ? undefined : `knows no ${unknown.join(', ')}`;
}

const RULES: Readonly<Record<string, Rule>> = {
  num_round: integer(1),
  objective: ['reg:squarederror', 'reg:pseudohubererror', 'binary:logistic'],
  eval_metric: metrics,
  early_stopping_rounds: integer(1),
  eta: number(0, 1),
  gamma: number(0),
  max_depth: integer(0),
  min_child_weight: number(0),
  max_delta_step: number(0),
  subsample: above(0, 1),
  colsample_bytree: above(0, 1),
  colsample_bylevel: above(0, 1),
  colsample_bynode: above(0, 1),
  lambda: number(0),
  alpha: number(0),
  // gpu_hist and auto are left out: the first needs another instance type, the second chooses by data size.
  tree_method: ['hist', 'exact', 'approx'],
  max_bin: integer(2),
  grow_policy: ['depthwise', 'lossguide'],
  max_leaves: integer(0),
  scale_pos_weight: above(0),
  base_score: number(0),
  seed: integer(-(2 ** 31), 2 ** 31 - 1),
  nthread: integer(1),
  verbosity: integer(0, 3),
  monotone_constraints: (value) =>
    /^\((-1|0|1)(,(-1|0|1))*\)$/.test(value) ? undefined : 'must be a tuple of −1, 0 and 1 as in "(1,0,-1)"',
};

function problemOf(name: string, value: string, rule: Rule): string | undefined {
  if (typeof rule === 'function') {
    const problem = rule(value);
    return problem && `hyperparameter ${name} "${value}" ${problem}`;
  }
  if ('kind' in rule) {
    const parsed = value.trim() === '' ? NaN : Number(value);
    const inside = rule.open ? parsed > rule.minimum : parsed >= rule.minimum;
    if (inside && parsed <= rule.maximum && (rule.kind === 'number' || Number.isInteger(parsed))) return undefined;
    const low = `${rule.open ? 'above' : 'from'} ${rule.minimum}`;
    const high = rule.maximum === Infinity ? '' : ` to ${rule.maximum}`;
    return `hyperparameter ${name} "${value}" must be ${rule.kind === 'integer' ? 'a whole number' : 'a number'} ${low}${high}`;
  }
  return rule.includes(value) ? undefined : `hyperparameter ${name} "${value}" must be one of ${rule.join(', ')}`;
}

/**
 * Everything that is wrong with the hyperparameters of a training definition.
 * @param task What the label asks for.
 * @param inputs How many columns the model is fed.
 */
export function hyperparameterProblems(
  hyperparameters: Readonly<Record<string, string>>,
  task: 'regression' | 'binary',
  inputs: number,
): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(hyperparameters)) {
    const rule = RULES[name];
    if (rule === undefined) {
      problems.push(`hyperparameter ${name} is not one of ${Object.keys(RULES).join(', ')}`);
    } else if (typeof value !== 'string') {
      problems.push(`hyperparameter ${name} must be a string, as CreateTrainingJob takes them`);
    } else {
      const problem = problemOf(name, value, rule);
      if (problem !== undefined) problems.push(problem);
    }
  }
  if (hyperparameters.num_round === undefined) problems.push('hyperparameter num_round is required');
  const { objective, eval_metric: evalMetric, monotone_constraints: constraints } = hyperparameters;
  const family = task === 'binary' ? 'binary:' : 'reg:';
  if (objective === undefined || !objective.startsWith(family)) {
    problems.push(`hyperparameter objective must be of the family ${family} for this label`);
  }
  const unsuited = task === 'binary' ? REGRESSION_METRICS : BINARY_METRICS;
  const refused = evalMetric?.split(',').filter((name) => unsuited.includes(name)) ?? [];
  if (refused.length > 0) problems.push(`hyperparameter eval_metric ${refused.join(', ')} does not suit this label`);
  if (constraints !== undefined) {
    const length = constraints.split(',').length;
    if (length !== inputs)
      problems.push(`hyperparameter monotone_constraints has ${length} entries for ${inputs} inputs`);
    if (!['hist', 'exact'].includes(hyperparameters.tree_method ?? '')) {
      problems.push('hyperparameter monotone_constraints needs tree_method hist or exact');
    }
  }
  return problems;
}
