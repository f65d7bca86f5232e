/**
 * Parquet out and in, by columns. The bytes are a function of the values alone: hyparquet-writer stores no time and
 * no host, the codec and the row group size are fixed here.
 */
import { parquetMetadata, parquetMetadataAsync, parquetRead, type AsyncBuffer } from 'hyparquet';
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';

export interface ParquetColumn {
  readonly name: string;
  /** TIMESTAMP is epoch milliseconds, stored as INT64. NaN in a DOUBLE column is stored as null. */
  readonly type: 'STRING' | 'INT32' | 'TIMESTAMP' | 'DOUBLE';
  readonly nullable: boolean;
  readonly data: readonly (string | null)[] | Int32Array | Float64Array;
}

export interface RowGroup {
  readonly rows: number;
  /** Byte range [offset, offset + length) of the group's columns. */
  readonly offset: number;
  readonly length: number;
}

/** One row group decodes in some tens of megabytes; a fold task reads only those that hold its devices. */
export const ROW_GROUP_ROWS = 65_536;

/** A file of at least one column and one row, Snappy. */
export function writeParquet(columns: readonly ParquetColumn[]): { bytes: Uint8Array; rowGroups: RowGroup[] } {
  const columnData = columns.map((column) => ({
    name: column.name,
    type: column.type,
    nullable: column.nullable,
    data: physical(column),
  }));
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({ writer, schema: schemaFromColumnData({ columnData }), codec: 'SNAPPY' });
  void parquet.write({ columnData, rowGroupSize: ROW_GROUP_ROWS });
  const rowGroups = parquet.row_groups.map((group) => ({
    rows: Number(group.num_rows),
    offset: Number(group.columns[0]!.file_offset),
    length: Number(group.total_compressed_size),
  }));
  void parquet.finish();
  return { bytes: writer.getBytes(), rowGroups };
}

function physical(column: ParquetColumn): (string | number | bigint | null)[] | Int32Array {
  const { data } = column;
  if (data instanceof Int32Array) return data;
  if (!(data instanceof Float64Array)) return data as (string | null)[];
  const values = new Array<number | bigint | null>(data.length);
  for (let row = 0; row < data.length; row++) {
    const value = data[row]!;
    values[row] = column.type === 'TIMESTAMP' ? BigInt(value) : value !== value ? null : value;
  }
  return values;
}

/** All columns of a file that {@link writeParquet} wrote, as they were given to it. */
export async function readParquetColumns(file: ArrayBuffer): Promise<ParquetColumn[]> {
  const leaves = parquetMetadata(file).schema.slice(1);
  const values = await readParquet(
    file,
    leaves.map(({ name }) => name),
  );
  return leaves.map(({ name, type, repetition_type }): ParquetColumn => {
    const column = values.get(name)!;
    const nullable = repetition_type === 'OPTIONAL';
    switch (type) {
      case 'INT32':
        return { name, type, nullable, data: Int32Array.from(column as number[]) };
      case 'INT64':
        return { name, type: 'TIMESTAMP', nullable, data: Float64Array.from(column as number[]) };
      case 'DOUBLE':
        return { name, type, nullable, data: Float64Array.from(column, (value) => (value as number | null) ?? NaN) };
      default:
        return { name, type: 'STRING', nullable, data: column as (string | null)[] };
    }
  });
}

/** Column name → values in row order; TIMESTAMP as epoch milliseconds, null where the file has null. */
export type ParquetValues = Map<string, (string | number | null)[]>;

/**
 * Reads rows [rowStart, rowEnd) of the named columns; all rows by default. A column that the file lacks is all null.
 * @param footerBytes What stands behind the row groups, where it is known: then no more than that is read for it.
 */
export async function readParquet(
  file: AsyncBuffer | ArrayBuffer,
  columns: readonly string[],
  rowStart = 0,
  rowEnd?: number,
  footerBytes?: number,
): Promise<ParquetValues> {
  const values: ParquetValues = new Map(columns.map((name) => [name, []]));
  const chunks: { name: string; rowStart: number; data: ArrayLike<unknown> }[] = [];
  const metadata =
    file instanceof ArrayBuffer
      ? parquetMetadata(file)
      : await parquetMetadataAsync(file, footerBytes === undefined ? {} : { initialFetchSize: footerBytes });
  const present = new Set(metadata.schema.map(({ name }) => name));
  await parquetRead({
    file,
    metadata,
    columns: columns.filter((name) => present.has(name)),
    rowStart,
    ...(rowEnd === undefined ? {} : { rowEnd }),
    parsers: { timestampFromMilliseconds: (millis: bigint) => Number(millis) } as never,
    onChunk: ({ columnName, columnData, rowStart: at }) =>
      chunks.push({ name: columnName, rowStart: at, data: columnData }),
  });
  // Chunks arrive as their pages are decoded, and may reach beyond the rows asked for.
  chunks.sort((a, b) => a.rowStart - b.rowStart);
  for (const { name, rowStart: at, data } of chunks) {
    const column = values.get(name);
    if (column === undefined) continue;
    const end = rowEnd === undefined ? data.length : Math.min(data.length, rowEnd - at);
    for (let row = Math.max(0, rowStart - at); row < end; row++)
      column.push((data[row] as string | number | null) ?? null);
  }
  const rows = (rowEnd ?? Number(metadata.num_rows)) - rowStart;
  for (const name of columns) if (!present.has(name)) values.set(name, new Array<null>(rows).fill(null));
  return values;
}
