/**
 * The pipeline's Evaluate step: scores the test split with the trained model and holds the gate's metric against its
 * limit. A missed gate is a result, not a failure: the pipeline's Condition step reads it from the report.
 */
import { createReadStream } from 'node:fs';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { DatasetDescription, EvaluationReport } from '../../lib/contracts/documents';
import { DATASET_FILE, EVALUATION_FILE } from '../../lib/contracts/training';
import type { Gate, UseCase } from '../../use-cases/define-use-case';
import { requiredOptions, useCaseNamed } from './arguments';
import { binaryMetrics, regressionMetrics } from './metrics';
import { readParquetColumns, toNumbers, type ColumnValues } from './parquet-files';
import { MODEL_FILE, XGBoostModel } from './xgboost-model';

/**
 * `--use-case X --model DIR --test DIR --dataset DIR --output DIR`. The model's folder holds `model.tar.gz`, as
 * SageMaker gives it, or the file `xgboost-model`. Writes `evaluation.json`.
 * @throws Error where model, test split and dataset do not fit each other, or the gate's metric cannot be computed.
 */
export async function evaluate(args: string[]): Promise<void> {
  const options = requiredOptions(args, ['use-case', 'model', 'test', 'dataset', 'output']);
  const useCase = useCaseNamed(options['use-case']);
  try {
    const dataset = await readDescription(useCase, options.dataset);
    const model = XGBoostModel.parse(await readModelFile(options.model));
    const metrics = await testMetrics(useCase, dataset, model, options.test);
    const report: EvaluationReport = {
      useCase: useCase.name,
      datasetHash: dataset.datasetHash,
      metrics,
      gate: judge(useCase.training.gate, metrics),
    };
    await mkdir(options.output, { recursive: true });
    await writeFile(path.join(options.output, EVALUATION_FILE), `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (error) {
    throw new Error(`evaluation of ${useCase.name}: ${(error as Error).message}`, { cause: error });
  }
}

async function readDescription(useCase: UseCase, folder: string): Promise<DatasetDescription> {
  const dataset = JSON.parse(await readFile(path.join(folder, DATASET_FILE), 'utf8')) as DatasetDescription;
  if (dataset.useCase !== useCase.name) throw new Error(`the dataset belongs to ${dataset.useCase}`);
  return dataset;
}

/** @throws Error where the folder holds neither an archive nor a model. */
export async function readModelFile(folder: string): Promise<Uint8Array> {
  const archive = path.join(folder, 'model.tar.gz');
  const hasArchive = await access(archive).then(
    () => true,
    () => false,
  );
  if (hasArchive) return await modelInArchive(archive);
  return await readFile(path.join(folder, MODEL_FILE)).catch(() => {
    throw new Error(`${folder} has neither model.tar.gz nor ${MODEL_FILE}`);
  });
}

async function modelInArchive(archive: string): Promise<Uint8Array> {
  const entries = extract();
  const search = async (): Promise<Uint8Array | undefined> => {
    let model: Uint8Array | undefined;
    for await (const entry of entries) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      if (path.posix.basename(entry.header.name) === MODEL_FILE) model = Buffer.concat(chunks);
    }
    return model;
  };
  const [model] = await Promise.all([search(), pipeline(createReadStream(archive), createGunzip(), entries)]);
  if (model === undefined) throw new Error(`${archive} holds no ${MODEL_FILE}`);
  return model;
}

async function testMetrics(
  useCase: UseCase,
  dataset: DatasetDescription,
  model: XGBoostModel,
  folder: string,
): Promise<Record<string, number>> {
  const [label, ...inputs] = dataset.columns as [string, ...string[]];
  if (model.features !== inputs.length) {
    throw new Error(
      `the model takes ${model.features} features, the dataset has ${inputs.length}: they are of different datasets`,
    );
  }
  const files = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).sort();
  if (files.length === 0) throw new Error(`no .parquet file in ${folder}`);
  const read: Map<string, ColumnValues>[] = [];
  for (const file of files) read.push(await readParquetColumns(path.join(folder, file), dataset.columns));
  const column = (name: string): Float64Array =>
    Float64Array.from(read.flatMap((columns) => [...toNumbers(columns.get(name)!)]));
  const labels = column(label);
  const predictions = model.predictColumns(inputs.map(column));
  if (useCase.training.label.kind === 'event-within') return binaryMetrics(labels, predictions);
  const current = useCase.training.label.feature;
  return regressionMetrics(labels, predictions, inputs.includes(current) ? column(current) : undefined);
}

/**
 * The gate's verdict in a sentence.
 * @throws Error where the metric is missing or not a number.
 */
export function judge(gate: Gate, metrics: Readonly<Record<string, number>>): EvaluationReport['gate'] {
  const value = metrics[gate.metric];
  if (value === undefined || !Number.isFinite(value)) {
    throw new Error(`metric ${gate.metric} could not be computed on the test split`);
  }
  const limit = 'atMost' in gate ? `at most ${gate.atMost}` : `at least ${gate.atLeast}`;
  const passed = 'atMost' in gate ? value <= gate.atMost : value >= gate.atLeast;
  const verdict = passed ? 'meets' : 'misses';
  return {
    metric: gate.metric,
    value,
    limit,
    passed,
    reason: `${gate.metric} ${Number(value.toPrecision(6))} ${verdict} ${limit}`,
  };
}
