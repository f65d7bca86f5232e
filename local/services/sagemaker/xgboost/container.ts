/**
 * The XGBoost container in algorithm mode: reads `/opt/ml/input`, checks hyperparameters, channels and data, trains, and
 * writes `/opt/ml/model/xgboost-model`. `root` stands for /opt/ml.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { train } from '../trainer/booster';
import type { Matrix } from '../trainer/matrix';
import { MODEL_FILE, modelFile } from '../trainer/model-file';
import { AlgorithmError } from './algorithm-error';
import { builtInParameters } from './built-in-parameters';
import { type ChannelConfig, type DataFormat, checkChannels, trainingFiles } from './channels';
import { loadMatrix } from './dataset';
import { checkHyperparameters } from './hyperparameters';

export interface CheckedJob {
  readonly hyperparameters: ReadonlyMap<string, string>;
  readonly format: DataFormat;
  /** The files that are trained on, as flat folders of links below `<root>/tmp`. */
  readonly trainDirectory: string;
  readonly validationDirectory?: string;
  readonly train: Matrix;
  readonly validation?: Matrix;
}

type Log = (line: string) => void;

/** Every rule of the container; its work up to the first round. @throws AlgorithmError */
export async function checkJob(root: string, log: Log): Promise<CheckedJob> {
  const hyperparameters = checkHyperparameters(readConfig<Record<string, string>>(root, 'hyperparameters.json'));
  const channels = readConfig<Record<string, ChannelConfig>>(root, 'inputdataconfig.json');
  const format = checkChannels(channels);
  const weighted = format === 'csv' && hyperparameters.get('csv_weights') === '1';
  const trainFiles = trainingFiles(join(root, 'input/data/train'), log);
  if (trainFiles.length === 0)
    throw new AlgorithmError('no data in the training channel path /opt/ml/input/data/train');
  const validationFiles = trainingFiles(join(root, 'input/data/validation'), log);
  if (channels.validation && validationFiles.length === 0) {
    throw new AlgorithmError('no data in the validation channel path /opt/ml/input/data/validation');
  }
  const training = await loadMatrix(trainFiles, format, weighted);
  const validation = channels.validation ? await loadMatrix(validationFiles, format, weighted) : undefined;
  log(`Train matrix has ${training.rows} rows and ${training.columns} columns`);
  if (validation) log(`Validation matrix has ${validation.rows} rows`);
  checkLabels(hyperparameters, training, 'train');
  if (validation) {
    if (validation.columns !== training.columns) {
      throw new AlgorithmError(
        `feature_names mismatch: train has ${training.columns} features, validation has ${validation.columns}`,
      );
    }
    checkLabels(hyperparameters, validation, 'validation');
  }
  return {
    hyperparameters,
    format,
    train: training,
    validation,
    trainDirectory: linkFlat(trainFiles, join(root, 'tmp/train')),
    validationDirectory: validation && linkFlat(validationFiles, join(root, 'tmp/validation')),
  };
}

/**
 * An area under a curve needs both classes. The container's list of customer errors has this one; its newer XGBoost
 * prints nan instead and trains on, and a gate on nan lets anything or nothing through, so it stays an error here.
 */
function checkLabels(hyperparameters: ReadonlyMap<string, string>, matrix: Matrix, channel: string): void {
  const metrics = hyperparameters.get('eval_metric')?.split(',') ?? [];
  const curves = metrics.filter((metric) => metric === 'auc' || metric === 'aucpr');
  if (curves.length === 0 || hyperparameters.get('objective')?.startsWith('multi:')) return;
  if (matrix.labels.every((label) => label === matrix.labels[0])) {
    throw new AlgorithmError(
      `eval_metric ${curves.join(', ')}: the dataset of channel ${channel} contains only positive or only negative samples`,
    );
  }
}

/** Trains with the built-in trainer and writes the model. @throws AlgorithmError */
export function trainBuiltIn(root: string, job: CheckedJob, log: Log): void {
  const parameters = builtInParameters(job.hyperparameters);
  if (parameters.monotone && parameters.monotone.length !== job.train.columns) {
    throw new AlgorithmError(
      `monotone_constraints has ${parameters.monotone.length} entries for ${job.train.columns} features`,
    );
  }
  let bytes: Buffer;
  try {
    const model = train(parameters, job.train, job.validation, ({ round, metrics }) => {
      log(`[${round}]${[...metrics].map(([name, value]) => `#011${name}:${metricText(value)}`).join('')}`);
    });
    bytes = modelFile(model);
  } catch (error) {
    // The trainer throws for labels and parameters only.
    throw new AlgorithmError((error as Error).message);
  }
  mkdirSync(join(root, 'model'), { recursive: true });
  writeFileSync(join(root, 'model', MODEL_FILE), bytes);
}

function metricText(value: number): string {
  return Number.isNaN(value) ? 'nan' : value.toFixed(5);
}

function readConfig<T>(root: string, name: string): T {
  return JSON.parse(readFileSync(join(root, 'input/config', name), 'utf8')) as T;
}

function linkFlat(files: readonly string[], directory: string): string {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  // The name stays in front, since a leading underscore decides whether pyarrow reads the file.
  for (const [index, file] of files.entries()) symlinkSync(file, join(directory, `${basename(file)}${index}`));
  return directory;
}
