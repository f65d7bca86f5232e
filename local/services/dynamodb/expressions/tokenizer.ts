/** Splits an expression into tokens. */
import { invalid } from '../attribute-value';

export interface Token {
  readonly kind: 'name' | '#name' | ':value' | 'number' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const PATTERN = /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(#[A-Za-z0-9_]+)|(:[A-Za-z0-9_]+)|(\d+)|(<>|<=|>=|[()[\].,=<>+-]))/y;
const MAXIMUM_BYTES = 4_096;

/** Programs send the same few expressions over and over, with other values. */
const known = new Map<string, readonly Token[]>();
const MAXIMUM_KNOWN = 1_000;

/** @throws AwsError ValidationException; `parameter` is the expression's name in the request. */
export function tokenize(parameter: string, expression: string): readonly Token[] {
  const before = known.get(expression);
  if (before !== undefined) return before;
  const tokens = split(parameter, expression);
  if (known.size >= MAXIMUM_KNOWN) known.clear();
  known.set(expression, tokens);
  return tokens;
}

function split(parameter: string, expression: string): Token[] {
  if (expression.trim() === '') throw invalid(`Invalid ${parameter}: The expression can not be empty;`);
  if (Buffer.byteLength(expression) > MAXIMUM_BYTES) {
    throw invalid(
      `Invalid ${parameter}: Expression size has exceeded the maximum allowed size; expression size: ${Buffer.byteLength(expression)}`,
    );
  }
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  const { length } = expression.trimEnd();
  while (PATTERN.lastIndex < length) {
    const from = PATTERN.lastIndex;
    const match = PATTERN.exec(expression);
    if (match === null) throw syntaxError(parameter, expression, expression.slice(from).trimStart().charAt(0), from);
    const [whole, name, placeholder, value, number, symbol] = match;
    const at = from + whole.length - whole.trimStart().length;
    if (name !== undefined) tokens.push({ kind: 'name', text: name, at });
    else if (placeholder !== undefined) tokens.push({ kind: '#name', text: placeholder, at });
    else if (value !== undefined) tokens.push({ kind: ':value', text: value, at });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, at });
    else tokens.push({ kind: 'symbol', text: symbol as string, at });
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: expression.length });
  return tokens;
}

export function syntaxError(parameter: string, expression: string, token: string, at: number) {
  const near = expression.slice(Math.max(0, at - 10), at + 20);
  return invalid(`Invalid ${parameter}: Syntax error; token: "${token}", near: "${near}"`);
}
