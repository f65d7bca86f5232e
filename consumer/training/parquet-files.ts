/** Whole Parquet files as columns: the feature files that come in and the split files that go out. */
import { readFile } from 'node:fs/promises';
import { parquetMetadataAsync, parquetRead } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';

/** Values of a column as read: numbers (times as epoch milliseconds), text, or null. */
export type ColumnValues = readonly (number | string | null)[];

/**
 * Reads columns of a local file.
 * @returns Column name → values, all equally long.
 * @throws Error naming the file, and the column where one is missing.
 */
export async function readParquetColumns(path: string, columns: readonly string[]): Promise<Map<string, ColumnValues>> {
  const content = await readFile(path);
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength) as ArrayBuffer;
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw new Error(`${path} is not a Parquet file: ${(error as Error).message}`);
  });
  const present = new Set(metadata.schema.map((element) => element.name));
  const missing = columns.filter((column) => !present.has(column));
  if (missing.length > 0)
    throw new Error(`${path} has no column ${missing.join(', ')}: was it written by another version?`);
  const rows = Number(metadata.num_rows);
  const values = new Map(columns.map((column) => [column, new Array<number | string | null>(rows).fill(null)]));
  await parquetRead({
    file,
    metadata,
    columns: [...columns],
    parsers: { timestampFromMilliseconds: (milliseconds: bigint) => Number(milliseconds) },
    onChunk: ({ columnName, columnData, rowStart }) => {
      const target = values.get(columnName)!;
      for (let index = 0; index < columnData.length; index++) {
        target[rowStart + index] = (columnData[index] as number | string | null | undefined) ?? null;
      }
    },
  });
  return values;
}

/** Missing values (null) become NaN. */
export function toNumbers(values: ColumnValues): Float64Array {
  return Float64Array.from(values, (value) => (value === null ? NaN : Number(value)));
}

const ROW_GROUP_SIZE = 100_000;

/**
 * A file of numeric columns as XGBoost's container takes it: the first column is the label. NaN is written as null,
 * which pyarrow and pandas turn into NaN again, XGBoost's missing value. Equal columns give equal bytes.
 */
export function writeSplit(columns: readonly { readonly name: string; readonly values: Float64Array }[]): Uint8Array {
  const buffer = parquetWriteBuffer({
    columnData: columns.map(({ name, values }, index) => ({
      name,
      type: 'DOUBLE' as const,
      nullable: index > 0,
      data: index > 0 ? Array.from(values, (value) => (Number.isNaN(value) ? null : value)) : values,
    })),
    rowGroupSize: ROW_GROUP_SIZE,
  });
  return new Uint8Array(buffer);
}
