/** Each rule of the XGBoost container that binds the files of a channel, one test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import type { AlgorithmError } from '../../../local/services/sagemaker/xgboost/algorithm-error';
import { builtInParameters } from '../../../local/services/sagemaker/xgboost/built-in-parameters';
import { type CheckedJob, checkJob, trainBuiltIn } from '../../../local/services/sagemaker/xgboost/container';
import { FinalMetrics } from '../../../local/services/sagemaker/xgboost/final-metrics';
import { checkHyperparameters } from '../../../local/services/sagemaker/xgboost/hyperparameters';

let root: string;
let log: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'container-'));
  log = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, content: string | Uint8Array): void {
  const target = join(root, 'input/data', path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

const numbers = (name: string, data: (number | null)[]): ColumnSource => ({
  name,
  data,
  type: 'DOUBLE',
  nullable: true,
});

function parquet(columns: ColumnSource[]): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ columnData: columns }));
}

const TWO_COLUMNS = parquet([numbers('label', [1, 2, 3]), numbers('x', [4, null, 6])]);

interface Setup {
  readonly hyperparameters?: Record<string, string>;
  readonly channels?: Record<string, Record<string, string>>;
}

function check({ hyperparameters = {}, channels = { train: {} } }: Setup = {}): Promise<CheckedJob> {
  mkdirSync(join(root, 'input/config'), { recursive: true });
  const configs = Object.fromEntries(
    Object.entries(channels).map(([name, config]) => [
      name,
      { ContentType: 'text/csv', TrainingInputMode: 'File', S3DistributionType: 'FullyReplicated', ...config },
    ]),
  );
  writeFileSync(
    join(root, 'input/config/hyperparameters.json'),
    JSON.stringify({ num_round: '2', ...hyperparameters }),
  );
  writeFileSync(join(root, 'input/config/inputdataconfig.json'), JSON.stringify(configs));
  return checkJob(root, (line) => log.push(line));
}

const PARQUET = { ContentType: 'application/x-parquet' };

describe('channels', () => {
  beforeEach(() => file('train/a.csv', '1,2\n3,4\n'));

  test('train is required', async () => {
    await expect(check({ channels: { validation: {} } })).rejects.toThrow(/required channel train is missing/);
  });

  test('a channel that the algorithm does not have fails', async () => {
    await expect(check({ channels: { train: {}, test: {} } })).rejects.toThrow(/extraneous channel test/);
  });

  test.each(['csv', 'text/csv', 'text/csv; label_size=1', 'TEXT/CSV;charset=utf8'])(
    'content type %s is CSV',
    async (type) => {
      expect((await check({ channels: { train: { ContentType: type } } })).format).toBe('csv');
    },
  );

  test.each([
    ['text/csv;label_size=2', /label_size must be 1/],
    ['application/json', /not an accepted ContentType/],
    ['text/libsvm', /use text\/csv or application\/x-parquet/],
  ])('content type %s fails', async (type, message) => {
    await expect(check({ channels: { train: { ContentType: type } } })).rejects.toThrow(message);
  });

  test('no content type means libsvm, which our files are not', async () => {
    await expect(check({ channels: { train: { ContentType: undefined as unknown as string } } })).rejects.toThrow(
      /libsvm/,
    );
  });

  test('Pipe mode is no longer supported', async () => {
    await expect(check({ channels: { train: { TrainingInputMode: 'Pipe' } } })).rejects.toThrow(
      /Pipe is no longer supported/,
    );
  });

  test('a validation channel without data fails', async () => {
    mkdirSync(join(root, 'input/data/validation'), { recursive: true });
    await expect(check({ channels: { train: {}, validation: {} } })).rejects.toThrow(
      /no data in the validation channel/,
    );
    file('validation/empty.csv', '');
    await expect(check({ channels: { train: {}, validation: {} } })).rejects.toThrow(
      /no data in the validation channel/,
    );
  });

  test('a train channel without data fails', async () => {
    rmSync(join(root, 'input/data/train'), { recursive: true });
    await expect(check()).rejects.toThrow(/no data in the training channel/);
  });
});

describe('files of a channel', () => {
  test('folders are read to the third level; deeper files are silently not trained on, but for one warning', async () => {
    file('train/a.csv', '1,1\n');
    file('train/dt=1/b.csv', '2,1\n');
    file('train/dt=1/hour=1/c.csv', '3,1\n');
    const whole = await check();
    expect([...whole.train.labels].sort()).toEqual([1, 2, 3]);
    expect(log.some((line) => line.includes('WARNING'))).toBe(false);

    file('train/dt=1/hour=1/gen=1/d.csv', '4,1\n');
    const partial = await check();
    expect([...partial.train.labels]).not.toContain(4);
    expect(log.filter((line) => /WARNING.*depth.*3/.test(line))).toHaveLength(1);
  });

  test('a deep folder ends the scan: what comes after it is not trained on either', async () => {
    file('train/a/b/c/deep.csv', '1,1\n');
    file('train/z/shallow.csv', '2,1\n');
    await expect(check()).rejects.toThrow(/no data in the training channel/);
    expect(log.filter((line) => line.includes('WARNING'))).toHaveLength(1);
  });

  test('a hidden file anywhere fails', async () => {
    file('train/a.csv', '1,1\n');
    file('train/sub/.DS_Store', 'x');
    await expect(check()).rejects.toThrow(/hidden file .DS_Store/);
  });
});

describe('CSV', () => {
  test('label first, no header, empty fields missing', async () => {
    file('train/a.csv', '1,2,\n0,,4\n\n');
    const { train } = await check();
    expect([...train.labels]).toEqual([1, 0]);
    expect([train.rows, train.columns]).toEqual([2, 2]);
    expect([...train.values]).toEqual([2, Number.NaN, Number.NaN, 4]);
  });

  test('a header and a marker become training rows of label 0 without any error', async () => {
    file('train/a.csv', 'label,x\n1,2\n');
    file('train/_manifest.json', '{"rows":1,"columns":2}\n');
    const { train } = await check();
    expect([...train.labels]).toEqual([0, 0, 1]);
    expect([...train.values]).toEqual([Number.NaN, Number.NaN, 2]);
  });

  test('an empty marker adds no row', async () => {
    file('train/_SUCCESS', '');
    file('train/a.csv', '1,2\n');
    expect((await check()).train.rows).toBe(1);
  });

  test('the delimiter is that of the first line', async () => {
    file('train/a.csv', '1;2;3\n4;5;6\n');
    expect((await check()).train.columns).toBe(2);
  });

  test('a line without the delimiter fails with its file and number', async () => {
    file('train/a.csv', '1,2\n3\n');
    await expect(check()).rejects.toThrow(/line 2 of a.csv/);
  });

  test('short rows are missing features', async () => {
    file('train/a.csv', '1,2,3\n4,5\n');
    const { train } = await check();
    expect([...train.values]).toEqual([2, 3, 5, Number.NaN]);
  });

  test('csv_weights takes the second column as weights', async () => {
    file('train/a.csv', '1,0.5,7\n2,2,8\n');
    const { train } = await check({ hyperparameters: { csv_weights: '1' } });
    expect([...train.weights!]).toEqual([0.5, 2]);
    expect([...train.values]).toEqual([7, 8]);
  });

  test('infinity fails', async () => {
    file('train/a.csv', '1,inf\n');
    await expect(check()).rejects.toThrow(/infinity/);
  });
});

describe('Parquet', () => {
  test('column 0 is the label, all others features, null is missing', async () => {
    file('train/a.parquet', TWO_COLUMNS);
    const { train } = await check({ channels: { train: PARQUET } });
    expect([...train.labels]).toEqual([1, 2, 3]);
    expect([...train.values]).toEqual([4, Number.NaN, 6]);
  });

  test('integers and booleans are numbers', async () => {
    const columns: ColumnSource[] = [
      { name: 'label', data: [0, 1], type: 'INT32' },
      { name: 'count', data: [5n, 6n], type: 'INT64' },
      { name: 'flag', data: [true, false], type: 'BOOLEAN' },
    ];
    file('train/a.parquet', parquet(columns));
    expect([...(await check({ channels: { train: PARQUET } })).train.values]).toEqual([5, 1, 6, 0]);
  });

  test.each([
    ['STRING', { name: 'device', data: ['a', 'b', 'c'], type: 'STRING' } as ColumnSource],
    ['TIMESTAMP', { name: 'at', data: [new Date(0), new Date(1), new Date(2)], type: 'TIMESTAMP' } as ColumnSource],
  ])('a %s column fails', async (_type, column) => {
    file('train/a.parquet', parquet([numbers('label', [1, 2, 3]), column]));
    await expect(check({ channels: { train: PARQUET } })).rejects.toThrow(/every column must be a number/);
  });

  test('files of another schema fail', async () => {
    file('train/a.parquet', TWO_COLUMNS);
    file('train/b.parquet', parquet([numbers('label', [1]), numbers('y', [1])]));
    await expect(check({ channels: { train: PARQUET } })).rejects.toThrow(/b.parquet has columns label, y.*label, x/);
  });

  test('names that begin with an underscore are passed over; other files that are no Parquet fail', async () => {
    file('train/a.parquet', TWO_COLUMNS);
    file('train/_manifest.json', '{}');
    expect((await check({ channels: { train: PARQUET } })).train.rows).toBe(3);
    file('train/manifest.json', '{}');
    await expect(check({ channels: { train: PARQUET } })).rejects.toThrow(/manifest.json is not a Parquet file/);
  });

  test('a label that is null fails', async () => {
    file('train/a.parquet', parquet([numbers('label', [1, null]), numbers('x', [1, 2])]));
    await expect(check({ channels: { train: PARQUET } })).rejects.toThrow(/label.*NaN/);
  });

  test('no rows fail', async () => {
    file('train/a.parquet', parquet([numbers('label', []), numbers('x', [])]));
    await expect(check({ channels: { train: PARQUET } })).rejects.toThrow(/no labels/);
  });

  test('validation with other features fails', async () => {
    file('train/a.parquet', TWO_COLUMNS);
    file('validation/a.parquet', parquet([numbers('label', [1]), numbers('x', [1]), numbers('y', [1])]));
    await expect(check({ channels: { train: PARQUET, validation: PARQUET } })).rejects.toThrow(
      /train has 1 features, validation has 2/,
    );
  });
});

describe('labels', () => {
  test.each(['auc', 'aucpr'])('%s on a single class is the customer’s error', async (metric) => {
    file('train/a.csv', '1,2\n0,3\n');
    file('validation/a.csv', '1,2\n1,3\n');
    const setup = {
      hyperparameters: { objective: 'binary:logistic', eval_metric: metric },
      channels: { train: {}, validation: {} },
    };
    await expect(check(setup)).rejects.toThrow(/channel validation contains only positive or only negative/);
  });

  test('the objective’s range of labels is enforced, and worded as a client error', async () => {
    file('train/a.csv', '2,2\n0,3\n');
    const job = await check({ hyperparameters: { objective: 'binary:logistic' } });
    try {
      trainBuiltIn(root, job, () => {});
      throw new Error('trained');
    } catch (error) {
      expect((error as AlgorithmError).failureReason).toMatch(/^ClientError: label must be in \[0,1\].*exit code: 2$/);
    }
  });
});

describe('hyperparameters', () => {
  const valid = { num_round: '10' };

  test.each<[Record<string, string>, RegExp]>([
    [{}, /num_round is missing/],
    [{ ...valid, n_estimators: '5' }, /n_estimators is extraneous/],
    [{ num_round: '0' }, /num_round: the value is not in \[1, \+inf\)/],
    [{ num_round: '1.5' }, /num_round: could not parse/],
    [{ ...valid, eta: '1.5' }, /eta: the value is not in \[0, 1\]/],
    [{ ...valid, eta: 'fast' }, /eta: could not parse/],
    [{ ...valid, subsample: '0' }, /subsample: the value is not in \(0, 1\]/],
    [{ ...valid, objective: 'reg:magic' }, /objective: the value is not one of/],
    [{ ...valid, eval_metric: 'rmse,luck' }, /eval_metric: luck/],
    [{ ...valid, tree_method: 'turbo' }, /tree_method/],
    [{ ...valid, objective: 'multi:softprob' }, /num_class is required/],
    [{ ...valid, monotone_constraints: '(1,0)' }, /only with tree_method exact or hist/],
    [
      { ...valid, tree_method: 'hist', monotone_constraints: '(1,2)' },
      /monotone_constraints: the value must be a tuple/,
    ],
    [{ ...valid, objective: 'reg:squarederror', eval_metric: 'auc' }, /auc can be applied to classification/],
    [{ ...valid, scale_pos_weight: '0' }, /scale_pos_weight: the value is not in \(0, \+inf\)/],
    [{ ...valid, base_score: '-1' }, /base_score/],
  ])('%j fails', (given, message) => {
    expect(() => checkHyperparameters(given)).toThrow(message);
  });

  test('aliases stand for their names', () => {
    const named = checkHyperparameters({
      ...valid,
      learning_rate: '0.2',
      reg_lambda: '3',
      reg_alpha: '1',
      min_split_loss: '2',
    });
    expect(builtInParameters(named)).toMatchObject({ eta: 0.2, lambda: 3, alpha: 1, gamma: 2, rounds: 10 });
  });

  test('early stopping without an eval_metric does nothing, as in the container', () => {
    expect(
      builtInParameters(checkHyperparameters({ ...valid, early_stopping_rounds: '3' })).earlyStoppingRounds,
    ).toBeUndefined();
    const named = checkHyperparameters({ ...valid, early_stopping_rounds: '3', eval_metric: 'rmse' });
    expect(builtInParameters(named).earlyStoppingRounds).toBe(3);
  });

  test.each([
    { booster: 'dart' },
    { objective: 'count:poisson' },
    { eval_metric: 'ndcg' },
    { grow_policy: 'lossguide' },
    { num_parallel_tree: '4' },
  ])('what only the real XGBoost has is refused with the way out: %j', (more) => {
    const named = checkHyperparameters({ ...valid, ...(more as unknown as Record<string, string>) });
    expect(() => builtInParameters(named)).toThrow(/install xgboost/);
  });
});

describe('log lines', () => {
  test('a round per line in the container’s form; the last value of each metric is final', async () => {
    file('train/a.csv', Array.from({ length: 50 }, (_, row) => `${row},${row % 7}`).join('\n'));
    file('validation/a.csv', '1,1\n2,2\n');
    const job = await check({ hyperparameters: { eval_metric: 'mae,rmse' }, channels: { train: {}, validation: {} } });
    const lines: string[] = [];
    trainBuiltIn(root, job, (line) => lines.push(line));
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      /^\[1\]#011train-mae:\d+\.\d{5}#011train-rmse:[\d.]+#011validation-mae:[\d.]+#011validation-rmse:[\d.]+$/,
    );
    const metrics = new FinalMetrics();
    for (const [index, line] of ['noise', ...lines].entries()) metrics.read(line, index * 1000);
    const value = Number(/validation-rmse:([\d.]+)/.exec(lines[1]!)![1]);
    expect(metrics.list()).toContainEqual({ MetricName: 'validation:rmse', Value: value, Timestamp: 2 });
    expect(metrics.list()).toHaveLength(4);
  });
});
