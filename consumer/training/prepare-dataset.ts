/**
 * The pipeline's PrepareDataset step: feature files of sealed partitions in, label-first splits out. It reads and
 * writes folders only; SageMaker brings and fetches them.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { DatasetDescription } from '../../lib/contracts/documents';
import { partitionStart } from '../../lib/contracts/lake-layout';
import { partitionHour } from '../../lib/contracts/registry';
import { DATASET_FILE } from '../../lib/contracts/training';
import type { UseCase } from '../../use-cases/define-use-case';
import { requiredOptions, useCaseNamed } from './arguments';
import { buildDataset, SPLITS, sortRows, type FeatureTable } from './dataset';
import { readParquetColumns, toNumbers, writeSplit, type ColumnValues } from './parquet-files';

/** Hive path of a feature file; a ManifestFile input keeps the keys below its prefix. */
const FEATURE_FILE = /(?:^|\/)features\/([^/]+)\/dt=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/gen=(\d+)\/[^/]+\.parquet$/;

interface FeatureFile {
  readonly path: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly start: number;
  readonly generation: number;
}

/** Name of the label column; `defineUseCase` reserves it. */
const LABEL_COLUMN = 'label';

/**
 * `--use-case X --dataset-hash H --input DIR --output DIR`. Writes `train/`, `validation/` and `test/`, each with one
 * flat Parquet file of numbers, label first, and `dataset/dataset.json`.
 * @throws Error where the input holds no files of the use case or no usable dataset can be made of them.
 */
export async function prepareDataset(args: string[]): Promise<void> {
  const options = requiredOptions(args, ['use-case', 'dataset-hash', 'input', 'output']);
  const useCase = useCaseNamed(options['use-case']);
  try {
    await prepare(useCase, options['dataset-hash'], options.input, options.output);
  } catch (error) {
    throw new Error(`dataset of ${useCase.name}: ${(error as Error).message}`, { cause: error });
  }
}

async function prepare(useCase: UseCase, datasetHash: string, input: string, output: string): Promise<void> {
  const files = await findFeatureFiles(useCase, input);
  const table = sortRows(await readTable(useCase, files));
  const dataset = buildDataset(useCase, table, new Set(files.map((file) => file.start)));
  const inputs = useCase.training.inputs ?? useCase.features.map((feature) => feature.name);

  const columnsOf = (rows: Int32Array): { name: string; values: Float64Array }[] => [
    { name: LABEL_COLUMN, values: Float64Array.from(rows, (row) => dataset.labels[row]!) },
    ...inputs.map((name) => {
      const values = table.features.get(name)!;
      return { name, values: Float64Array.from(rows, (row) => values[row]!) };
    }),
  ];
  for (const split of SPLITS) {
    const folder = path.join(output, split);
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'part-00000.parquet'), writeSplit(columnsOf(dataset.splits[split])));
  }
  const description: DatasetDescription = {
    useCase: useCase.name,
    datasetHash,
    columns: [LABEL_COLUMN, ...inputs],
    rows: {
      train: dataset.splits.train.length,
      validation: dataset.splits.validation.length,
      test: dataset.splits.test.length,
      censored: dataset.censored,
      embargoed: dataset.embargoed,
      excluded: dataset.excluded,
    },
    trainMeans: columnsOf(dataset.splits.train).map(({ values }) => presentMean(values)),
    hours: [...new Set(files.map((file) => file.hour))].sort(),
  };
  await mkdir(path.join(output, 'dataset'), { recursive: true });
  await writeFile(path.join(output, 'dataset', DATASET_FILE), `${JSON.stringify(description, undefined, 2)}\n`);
}

/** Null where every value is missing, since JSON has no NaN. */
function presentMean(values: Float64Array): number | null {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length > 0 ? present.reduce((sum, value) => sum + value, 0) / present.length : null;
}

async function findFeatureFiles(useCase: UseCase, input: string): Promise<FeatureFile[]> {
  const entries = await readdir(input, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.parquet'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  const files = paths.map((file) => {
    const match = FEATURE_FILE.exec(file.split(path.sep).join('/'));
    if (match === null) throw new Error(`${file} is not below features/<use case>/dt=…/hour=…/gen=…/`);
    const [, owner, dt, hour, generation] = match as unknown as [string, string, string, string, string];
    if (owner !== useCase.name) throw new Error(`${file} belongs to ${owner}`);
    const partition = { useCase: owner, dt, hour };
    return {
      path: file,
      hour: partitionHour(partition),
      start: partitionStart(partition),
      generation: Number(generation),
    };
  });
  if (files.length === 0) throw new Error(`no .parquet file below ${input}: is the manifest empty?`);
  const generations = new Map<string, number>();
  for (const file of files) {
    const known = generations.get(file.hour) ?? file.generation;
    if (known !== file.generation) {
      throw new Error(
        `generations ${known} and ${file.generation} of ${file.hour} are both listed; list the newest only`,
      );
    }
    generations.set(file.hour, known);
  }
  return files;
}

async function readTable(useCase: UseCase, files: readonly FeatureFile[]): Promise<FeatureTable> {
  const names = useCase.features.map((feature) => feature.name);
  const read: Map<string, ColumnValues>[] = [];
  for (const file of files) {
    read.push(await readParquetColumns(file.path, ['device', 'window_start', 'window_end', ...names]));
  }
  const joined = (name: string): Float64Array =>
    Float64Array.from(read.flatMap((columns) => [...toNumbers(columns.get(name)!)]));
  return {
    device: read.flatMap((columns) => columns.get('device')!.map(String)),
    windowStart: joined('window_start'),
    windowEnd: joined('window_end'),
    features: new Map(names.map((name) => [name, joined(name)])),
  };
}
