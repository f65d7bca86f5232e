import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { pack } from 'tar-stream';
import { evaluate, judge } from '../../consumer/training/evaluate';
import { prepareDataset } from '../../consumer/training/prepare-dataset';
import type { DatasetDescription, EvaluationReport } from '../../lib/contracts/documents';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import { sensorMonitoring } from '../../use-cases/sensor-monitoring';
import { simulatedRows, writeFeatures } from './features';

const START = Date.parse('2026-11-20T00:00:00Z');
const HOURS = 6;
const NAME = sensorMonitoring.name;
const root = mkdtempSync(path.join(tmpdir(), 'training-'));
afterAll(() => rmSync(root, { recursive: true }));

const partitions = simulatedRows(sensorMonitoring, START, HOURS);

function inputFolder(name: string): string {
  const folder = path.join(root, name);
  partitions.forEach((rows, hour) => writeFeatures(folder, sensorMonitoring, START + hour * HOUR_MS, rows));
  return folder;
}

async function prepare(input: string, output: string): Promise<DatasetDescription> {
  await prepareDataset(['--use-case', NAME, '--dataset-hash', 'abc', '--input', input, '--output', output]);
  return JSON.parse(readFileSync(path.join(output, 'dataset/dataset.json'), 'utf8')) as DatasetDescription;
}

/** A model without a split: it always answers base_score + leaf. */
function constantModel(features: number, value: number): Buffer {
  const tree = {
    left_children: [-1],
    right_children: [-1],
    split_indices: [0],
    split_conditions: [value],
    default_left: [0],
  };
  const learner = {
    learner_model_param: { base_score: '0E0', num_feature: String(features) },
    objective: { name: 'reg:squarederror' },
    gradient_booster: { name: 'gbtree', model: { trees: [tree] } },
  };
  return Buffer.from(JSON.stringify({ learner }));
}

async function archive(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const entries = pack();
  for (const [name, content] of Object.entries(files)) entries.entry({ name }, content);
  entries.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of entries) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

describe('prepare-dataset', () => {
  const input = inputFolder('input');
  const output = path.join(root, 'output');
  let dataset: DatasetDescription;
  beforeAll(async () => {
    dataset = await prepare(input, output);
  });

  it('writes flat label-first files of numbers, as an independent reader sees them', async () => {
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    for (const split of ['train', 'validation', 'test'] as const) {
      expect(readdirSync(path.join(output, split))).toEqual(['part-00000.parquet']);
      const file = path.join(output, split, 'part-00000.parquet');
      const columns = await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${file}'`);
      const described = columns.getRowObjects();
      expect(described.map((column) => column.column_name)).toEqual(dataset.columns);
      expect(new Set(described.map((column) => column.column_type))).toEqual(new Set(['DOUBLE']));
      const counts = await connection.runAndReadAll(
        `SELECT count(*)::INT AS rows, count(label)::INT AS labels, count(pressure_mean)::INT AS pressures,
           count(*) FILTER (isnan(pressure_mean))::INT AS nans FROM '${file}'`,
      );
      const [row] = counts.getRowObjects() as [Record<string, number>];
      expect(row).toMatchObject({ rows: dataset.rows[split], labels: dataset.rows[split], nans: 0 });
      // A quarter of the sensors has no barometer: null, which pandas turns into NaN, XGBoost's missing value.
      expect(row.pressures! / row.rows!).toBeCloseTo(0.75, 1);
    }
    const [means] = (
      await connection.runAndReadAll(
        `SELECT avg(label) AS label, avg(pressure_mean) AS pressure FROM '${output}/train/*.parquet'`,
      )
    ).getRowObjects() as [Record<string, number>];
    expect(dataset.trainMeans[0]).toBeCloseTo(means.label!, 9);
    expect(dataset.trainMeans[dataset.columns.indexOf('pressure_mean')]).toBeCloseTo(means.pressure!, 6);
  });

  it('describes what it did with every row', () => {
    expect(dataset).toMatchObject({ useCase: NAME, datasetHash: 'abc' });
    expect(dataset.columns[0]).toBe('label');
    expect(dataset.hours).toEqual(['00', '01', '02', '03', '04', '05'].map((hour) => `2026-11-20T${hour}`));
    expect(Object.values(dataset.rows).reduce((sum, rows) => sum + rows, 0)).toBe(12 * 12 * HOURS);
  });

  it('writes equal bytes for equal input, however the rows lie in files', async () => {
    const shuffled = path.join(root, 'shuffled');
    partitions.forEach((rows, hour) =>
      writeFeatures(shuffled, sensorMonitoring, START + hour * HOUR_MS, [...rows].reverse()),
    );
    const again = path.join(root, 'again');
    await prepare(shuffled, again);
    for (const file of ['train/part-00000.parquet', 'test/part-00000.parquet', 'dataset/dataset.json']) {
      expect(readFileSync(path.join(again, file)).equals(readFileSync(path.join(output, file)))).toBe(true);
    }
  });

  it('refuses what it cannot use, and says what', async () => {
    await expect(prepareDataset(['--use-case', NAME])).rejects.toThrow('missing --dataset-hash, --input, --output');
    await expect(
      prepareDataset(['--use-case', 'nothing', '--dataset-hash', 'a', '--input', 'b', '--output', 'c']),
    ).rejects.toThrow(`--use-case nothing is not one of ${NAME}`);
    const empty = path.join(root, 'empty');
    mkdirSync(empty);
    await expect(prepare(empty, output)).rejects.toThrow(`dataset of ${NAME}: no .parquet file below`);
    const mixed = inputFolder('mixed');
    writeFeatures(mixed, sensorMonitoring, START, partitions[0]!, 2);
    await expect(prepare(mixed, output)).rejects.toThrow('generations 1 and 2 of 2026-11-20T00 are both listed');
    const foreign = path.join(root, 'foreign');
    writeFeatures(foreign, { ...sensorMonitoring, name: 'other' }, START, partitions[0]!);
    await expect(prepare(foreign, output)).rejects.toThrow('belongs to other');
    const older = path.join(root, 'older');
    const features = sensorMonitoring.features.slice(1);
    writeFeatures(older, { ...sensorMonitoring, features }, START, partitions[0]!);
    await expect(prepare(older, output)).rejects.toThrow('has no column temperature_mean');
    const broken = path.join(root, 'broken');
    writeFileSync(writeFeatures(broken, sensorMonitoring, START, partitions[0]!), 'not Parquet');
    await expect(prepare(broken, output)).rejects.toThrow('is not a Parquet file');
  });
});

describe('evaluate', () => {
  const dataset = path.join(root, 'evaluated');
  const inputs = sensorMonitoring.features.length;
  beforeAll(async () => void (await prepare(inputFolder('input-2'), dataset)));

  async function run(model: string): Promise<EvaluationReport> {
    const output = path.join(root, 'evaluation');
    const folders = [
      '--model',
      model,
      '--test',
      `${dataset}/test`,
      '--dataset',
      `${dataset}/dataset`,
      '--output',
      output,
    ];
    await evaluate(['--use-case', NAME, ...folders]);
    return JSON.parse(readFileSync(path.join(output, 'evaluation.json'), 'utf8')) as EvaluationReport;
  }

  function folderWith(name: string, file: string, content: Buffer): string {
    const folder = path.join(root, name);
    mkdirSync(folder);
    writeFileSync(path.join(folder, file), content);
    return folder;
  }

  it('scores the model in model.tar.gz and reports a missed gate as a result', async () => {
    const tar = await archive({ 'other.txt': Buffer.from('x'), 'xgboost-model': constantModel(inputs, 21) });
    const report = await run(folderWith('archive', 'model.tar.gz', tar));
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const result = await connection.runAndReadAll(
      `SELECT sqrt(avg((label - 21)**2)) AS rmse, sqrt(avg((label - temperature_mean)**2)) AS baseline_rmse
       FROM '${dataset}/test/*.parquet'`,
    );
    const [expected] = result.getRowObjects() as [{ rmse: number; baseline_rmse: number }];
    expect(report).toMatchObject({ useCase: NAME, datasetHash: 'abc' });
    expect(report.metrics.rmse).toBeCloseTo(expected.rmse, 9);
    expect(report.metrics.baseline_rmse).toBeCloseTo(expected.baseline_rmse, 9);
    const ratio = expected.rmse / expected.baseline_rmse;
    expect(ratio).toBeGreaterThan(1);
    expect(report.gate).toMatchObject({ metric: 'rmse_ratio', limit: 'at most 0.9', passed: false });
    expect(report.gate.reason).toMatch(/^rmse_ratio \d+\.\d+ misses at most 0\.9$/);
  });

  it('takes an unpacked model as well', async () => {
    const report = await run(folderWith('unpacked', 'xgboost-model', constantModel(inputs, 21)));
    expect(report.metrics.rmse).toBeGreaterThan(0);
  });

  it('refuses a model that is missing, broken or of another dataset', async () => {
    const tar = await archive({ 'other.txt': Buffer.from('x') });
    await expect(run(folderWith('no-model', 'model.tar.gz', tar))).rejects.toThrow('holds no xgboost-model');
    await expect(run(folderWith('no-archive', 'x', tar))).rejects.toThrow('has neither model.tar.gz nor xgboost-model');
    await expect(run(folderWith('cut', 'model.tar.gz', tar.subarray(0, 40)))).rejects.toThrow(`evaluation of ${NAME}:`);
    const other = folderWith('other', 'xgboost-model', constantModel(3, 21));
    await expect(run(other)).rejects.toThrow(`the model takes 3 features, the dataset has ${inputs}`);
  });

  it('judges at the limit itself, and never on a metric that is not there', () => {
    expect(judge({ metric: 'auc', atLeast: 0.7 }, { auc: 0.7 })).toMatchObject({
      passed: true,
      reason: 'auc 0.7 meets at least 0.7',
    });
    expect(judge({ metric: 'rmse', atMost: 1 }, { rmse: 1.0001 }).passed).toBe(false);
    expect(() => judge({ metric: 'auc', atLeast: 0.7 }, { auc: NaN })).toThrow('metric auc could not be computed');
    expect(() => judge({ metric: 'auc', atLeast: 0.7 }, {})).toThrow('metric auc could not be computed');
  });
});
