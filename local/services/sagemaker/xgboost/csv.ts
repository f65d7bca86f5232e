/**
 * CSV as XGBoost's text parser reads it: no header, label first, the longest numeric prefix of each field, anything else
 * missing. Hence a header or a marker file is no error: it becomes a row of label 0 with no features.
 */
import { AlgorithmError } from './algorithm-error';

export interface CsvRows {
  readonly labels: number[];
  readonly weights: number[];
  /** NaN where missing; rows may differ in length. */
  readonly features: number[][];
}

const CANDIDATES = [',', ';', '\t', '|', ' ', ':'];
const NUMBER = /^\s*[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?|nan)/i;

/** The delimiter, found out from one line as the container does it from the first line of some file. */
export function sniffDelimiter(line: string, file: string): string {
  const found = CANDIDATES.find((candidate) => line.includes(candidate));
  if (found === undefined) {
    throw new AlgorithmError(
      `could not determine the delimiter on the first line of ${file}; CSV needs a label and at least one feature`,
    );
  }
  return found;
}

/** @throws AlgorithmError (user) for a line without the delimiter. */
export function parseCsv(text: string, file: string, delimiter: string, weighted: boolean, into: CsvRows): void {
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (line.trim() === '') continue;
    const fields = line.split(delimiter);
    if (fields.length < 2) {
      throw new AlgorithmError(`failed to load csv data: line ${index + 1} of ${file} has no delimiter '${delimiter}'`);
    }
    into.labels.push(numberIn(fields[0]!) || 0);
    if (weighted) into.weights.push(numberIn(fields[1]!) || 0);
    into.features.push(fields.slice(weighted ? 2 : 1).map(numberIn));
  }
}

function numberIn(field: string): number {
  const match = NUMBER.exec(field);
  if (!match) return Number.NaN;
  const text = match[0].trim().toLowerCase();
  if (text.includes('inf')) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}
