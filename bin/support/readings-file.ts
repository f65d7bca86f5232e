/** Reads a CSV or NDJSON file of real readings for a replay. */
import { parse } from 'csv-parse';
import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { UseCase } from '../../use-cases/define-use-case';
import { UserError } from './command-line';

export interface ReadingsFileOptions {
  readonly file: string;
  readonly useCase: UseCase;
  /** Column (CSV) or member (NDJSON) that holds the event time. */
  readonly timeColumn: string;
  /** Unit of numeric times. */
  readonly timeUnit: 's' | 'ms';
  /** Field of the use case → column of the file. */
  readonly columns: Readonly<Record<string, string>>;
}

export interface FileReading {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly values: Record<string, number>;
}

/**
 * Yields the file's readings in its order.
 * @throws UserError naming file, line and column for anything that is not a reading.
 */
export async function* readReadings(options: ReadingsFileOptions): AsyncGenerator<FileReading> {
  checkFile(options.file);
  const rows = /\.(nd)?jsonl?$/i.test(options.file) ? ndjsonRows(options.file) : csvRows(options.file);
  let first = true;
  for await (const { line, row } of rows) {
    if (first) checkColumns(options, row);
    first = false;
    const values: Record<string, number> = {};
    for (const [field, column] of Object.entries(options.columns)) {
      const cell = row[column];
      if (cell === undefined || cell === null || cell === '') continue;
      const value = Number(cell);
      if (typeof cell === 'object' || typeof cell === 'boolean' || Number.isNaN(value)) {
        throw new UserError(
          `${options.file} line ${line}: column "${column}" (field ${field}) holds ${kindOf(cell)}, not a number. Correct or remove the row.`,
        );
      }
      values[field] = value;
    }
    yield { timestamp: eventTime(options, row[options.timeColumn], line), values };
  }
  if (first) throw new UserError(`${options.file} holds no readings.`);
}

type Row = Record<string, unknown>;

function checkFile(file: string): void {
  try {
    if (!statSync(file).isFile()) throw new UserError(`${file} is not a file.`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}. Check the path given with --file.`,
    );
  }
}

function checkColumns(options: ReadingsFileOptions, row: Row): void {
  for (const column of [options.timeColumn, ...Object.values(options.columns)]) {
    if (!(column in row)) {
      throw new UserError(`${options.file} has no column "${column}"; it has: ${Object.keys(row).join(', ')}.`);
    }
  }
}

async function* csvRows(file: string): AsyncGenerator<{ line: number; row: Row }> {
  const parser = createReadStream(file).pipe(
    parse({ columns: true, bom: true, skip_empty_lines: true, trim: true, info: true }),
  );
  try {
    for await (const { info, record } of parser as AsyncIterable<{ info: { lines: number }; record: Row }>) {
      yield { line: info.lines, row: record };
    }
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}. Correct the row; nothing was published.`);
  }
}

async function* ndjsonRows(file: string): AsyncGenerator<{ line: number; row: Row }> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() === '') continue;
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch {
      throw new UserError(`${file} line ${line}: not a JSON object. Correct the line; nothing was published.`);
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw new UserError(
        `${file} line ${line}: ${kindOf(row)}, not a JSON object. Correct the line; nothing was published.`,
      );
    }
    yield { line, row: row as Row };
  }
}

/** ISO 8601, `YYYY-MM-DD HH:MM:SS` (taken as UTC), or a number in `timeUnit`. */
function eventTime(options: ReadingsFileOptions, cell: unknown, line: number): number {
  const text = String(cell ?? '').trim();
  let time = NaN;
  if (/^-?\d+(\.\d+)?$/.test(text)) {
    time = Math.round(Number(text) * (options.timeUnit === 's' ? 1000 : 1));
  } else if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const iso = text.replace(' ', 'T');
    time = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(iso) || !iso.includes('T') ? iso : `${iso}Z`);
  }
  if (Number.isNaN(time)) {
    throw new UserError(
      `${options.file} line ${line}: column "${options.timeColumn}" holds ${kindOf(cell)}, not a time ` +
        `(ISO 8601, YYYY-MM-DD HH:MM:SS in UTC, or a number with --time-unit s|ms). Correct the row; nothing was published.`,
    );
  }
  return time;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'nothing';
  if (typeof value === 'string') return `text of ${value.length} characters`;
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
