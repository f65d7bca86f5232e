/** Files of a channel → the matrix that the container trains on, by its rules. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { Matrix } from '../trainer/matrix';
import { AlgorithmError } from './algorithm-error';
import type { DataFormat } from './channels';
import { type CsvRows, parseCsv, sniffDelimiter } from './csv';

/** @throws AlgorithmError (user) naming the file and the column for whatever the container cannot train on. */
export async function loadMatrix(files: readonly string[], format: DataFormat, csvWeights: boolean): Promise<Matrix> {
  const matrix = format === 'csv' ? loadCsv(files, csvWeights) : await loadParquet(files);
  if (matrix.rows === 0) throw new AlgorithmError('the input data has no labels: no rows were found in its files');
  for (const label of matrix.labels) {
    if (!Number.isFinite(label))
      throw new AlgorithmError(
        `failed to load ${format} data: the label (column 0) holds NaN, infinity or a value too large`,
      );
  }
  for (const value of matrix.values) {
    if (value === Infinity || value === -Infinity)
      throw new AlgorithmError(`failed to load ${format} data: a feature holds infinity or a value too large`);
  }
  return matrix;
}

function loadCsv(files: readonly string[], weighted: boolean): Matrix {
  const texts = files.map((file) => ({ name: basename(file), text: readFileSync(file, 'utf8') }));
  const rows: CsvRows = { labels: [], weights: [], features: [] };
  const sample = texts.find(({ text }) => text !== '');
  const delimiter = sample ? sniffDelimiter(sample.text.split('\n', 1)[0]!, sample.name) : ',';
  for (const { name, text } of texts) parseCsv(text, name, delimiter, weighted, rows);
  // A short row's remaining features are missing.
  const columns = rows.features.reduce((most, row) => Math.max(most, row.length), 0);
  const values = new Float32Array(rows.labels.length * columns).fill(Number.NaN);
  for (const [row, features] of rows.features.entries()) values.set(features, row * columns);
  return {
    rows: rows.labels.length,
    columns,
    values,
    labels: Float32Array.from(rows.labels),
    ...(weighted ? { weights: Float32Array.from(rows.weights) } : {}),
  };
}

const NUMERIC_TYPES = ['DOUBLE', 'FLOAT', 'INT32', 'INT64', 'BOOLEAN'];
/** Logical types whose values are still plain numbers. */
const NUMERIC_LOGICAL_TYPES = ['INTEGER', 'FLOAT16'];
const NUMERIC_CONVERTED_TYPES = /^U?INT_(8|16|32|64)$/;

interface ParquetFile {
  readonly name: string;
  readonly bytes: ArrayBuffer;
  readonly metadata: FileMetaData;
  readonly columns: readonly string[];
}

/** Files whose name begins with `_` are passed over, as pyarrow does with a directory of Parquet files. */
async function loadParquet(paths: readonly string[]): Promise<Matrix> {
  const files = paths.filter((path) => !basename(path).startsWith('_')).map(openParquet);
  const [first] = files;
  if (!first) return { rows: 0, columns: 0, values: new Float32Array(0), labels: new Float32Array(0) };
  for (const file of files) {
    // pyarrow would fill the columns that a file lacks with nulls and say nothing.
    if (file.columns.join() !== first.columns.join()) {
      throw new AlgorithmError(
        `failed to load parquet data: ${file.name} has columns ${file.columns.join(', ')}, but ${first.name} has ${first.columns.join(', ')}`,
      );
    }
  }
  const columns = first.columns.length - 1;
  const rows = files.reduce((sum, { metadata }) => sum + Number(metadata.num_rows), 0);
  const labels = new Float32Array(rows);
  const values = new Float32Array(rows * columns);
  let from = 0;
  for (const { bytes, metadata } of files) {
    const objects = await parquetReadObjects({
      file: bytes,
      metadata,
      compressors: { GZIP: (input) => gunzipSync(input) },
    });
    for (const object of objects) {
      for (const [index, column] of first.columns.entries()) {
        const value = object[column];
        const number = value === null || value === undefined ? Number.NaN : Number(value);
        if (index === 0) labels[from] = number;
        else values[from * columns + index - 1] = number;
      }
      from++;
    }
  }
  return { rows, columns, values, labels };
}

function openParquet(path: string): ParquetFile {
  const name = basename(path);
  const content = readFileSync(path);
  const bytes = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength) as ArrayBuffer;
  let metadata: FileMetaData;
  try {
    metadata = parquetMetadata(bytes);
  } catch (error) {
    throw new AlgorithmError(
      `failed to load parquet data: ${name} is not a Parquet file (${(error as Error).message})`,
    );
  }
  const leaves = metadata.schema.filter((element, index) => index > 0 && element.type !== undefined);
  for (const { name: column, type, logical_type: logical, converted_type: converted } of leaves) {
    const numeric =
      NUMERIC_TYPES.includes(type!) &&
      (logical === undefined || NUMERIC_LOGICAL_TYPES.includes(logical.type)) &&
      (converted === undefined || NUMERIC_CONVERTED_TYPES.test(converted));
    if (!numeric) {
      const kind = logical?.type ?? converted ?? type;
      throw new AlgorithmError(
        `failed to load parquet data: column ${column} of ${name} is ${kind}; every column must be a number`,
      );
    }
  }
  if (leaves.length < 2)
    throw new AlgorithmError(`failed to load parquet data: ${name} needs a label (column 0) and at least one feature`);
  return { name, bytes, metadata, columns: leaves.map((element) => element.name) };
}
