/** Words of an AWS IoT SQL statement. */

/** A statement that AWS IoT, or this evaluator, does not take; the message says what and where. */
export class SqlSyntaxError extends Error {
  override readonly name = 'SqlSyntaxError';
  constructor(
    message: string,
    /** Index in the statement. */
    readonly at: number,
  ) {
    super(message);
  }
}

export interface Token {
  readonly kind: 'name' | 'variable' | 'string' | 'number' | 'symbol' | 'end';
  /** As written; of a string, its content; of a variable, its name without `@`. */
  readonly text: string;
  readonly at: number;
}

const SPACE = /\s+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const VARIABLE = /@([A-Za-z0-9_]{1,64})/y;
const NUMBER = /\d+(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /'((?:[^']|'')*)'|"((?:[^"]|"")*)"/y;
const SYMBOL = /<>|<=|>=|[<>=+\-*/%().,[\]{}:]/y;

/** @throws SqlSyntaxError */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const start = at;
    let found = match(SPACE);
    if (found === null) {
      if ((found = match(NAME)) !== null) tokens.push({ kind: 'name', text: found[0], at });
      else if ((found = match(VARIABLE)) !== null) tokens.push({ kind: 'variable', text: found[1]!, at });
      else if ((found = match(NUMBER)) !== null) tokens.push({ kind: 'number', text: found[0], at });
      else if ((found = match(STRING)) !== null) tokens.push({ kind: 'string', text: unquote(found), at });
      else if ((found = match(SYMBOL)) !== null) tokens.push({ kind: 'symbol', text: found[0], at });
      else throw new SqlSyntaxError(`${describe(text[at]!)} is no part of a statement`, at);
    }
    at = start + found[0].length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

/** A doubled quote stands for one. */
function unquote(found: RegExpExecArray): string {
  return found[1] !== undefined ? found[1].replaceAll("''", "'") : found[2]!.replaceAll('""', '"');
}

function describe(character: string): string {
  return character === "'" || character === '"'
    ? `the string that starts with ${character} does not end; it`
    : JSON.stringify(character);
}
