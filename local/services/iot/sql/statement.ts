/** Rule statements and substitution templates, ready to evaluate. */
import type { Select, Statement } from './ast';
import { compileExpression, compileSelect } from './compile';
import type { Evaluate, Scope } from './compile';
import type { RuleMessage, SqlEnvironment } from './message';
import { parseExpression, parseStatement } from './parser';
import { SqlSyntaxError } from './tokenizer';
import { SqlFault, isObject, toText } from './values';
import type { SqlValue } from './values';

/** AWS IoT's limit on a rule's SQL, characters. */
const LONGEST_STATEMENT = 18_000;

export interface RuleStatement {
  /** Undefined: Basic Ingest only. */
  readonly topicFilter: string | undefined;
  /**
   * The outgoing payload, or undefined where WHERE does not hold.
   * @throws SqlFault where the payload is no JSON and the statement or a template needs it to be
   */
  evaluate(evaluation: Evaluation): Buffer | undefined;
}

/** A text with `${expression}` in it. @see https://docs.aws.amazon.com/iot/latest/developerguide/iot-substitution-templates.html */
export interface Template {
  evaluate(evaluation: Evaluation): string;
}

/** One message under evaluation by one rule. */
export class Evaluation {
  readonly scope: Scope;
  private parsed: { readonly value: SqlValue } | undefined;

  constructor(message: RuleMessage, environment: SqlEnvironment) {
    const variables = new Map<string, SqlValue>();
    this.assigned = variables;
    this.scope = { message, environment, variables, nested: false, current: () => this.json() };
  }

  /** Filled by the statement's SET clause, read by its templates. */
  readonly assigned: Map<string, SqlValue>;

  /** Whether the payload is a JSON object, or empty, which counts as one. */
  isJsonObject(): boolean {
    return isObject((this.parsed ??= { value: parsePayload(this.scope.message.payload) }).value);
  }

  private json(): SqlValue {
    if (!this.isJsonObject())
      throw new SqlFault('the payload is no JSON object, and the statement refers to its members');
    return this.parsed!.value;
  }
}

/** @throws SqlSyntaxError */
export function compileStatement(sql: string): RuleStatement {
  if (sql.length > LONGEST_STATEMENT)
    throw new SqlSyntaxError(`the statement has ${sql.length} characters; at most ${LONGEST_STATEMENT} are allowed`, 0);
  const statement = parseStatement(sql);
  const known = new Set<string>();
  const variables = statement.variables.map(({ name, expression }) => {
    const evaluate = compileExpression(expression, known);
    known.add(name);
    return { name, evaluate };
  });
  const where = statement.where === undefined ? undefined : compileExpression(statement.where, known);
  const select = compileOutput(statement, known);
  return {
    topicFilter: statement.topicFilter,
    evaluate(evaluation) {
      for (const { name, evaluate } of variables) evaluation.assigned.set(name, evaluate(evaluation.scope));
      return where === undefined || where(evaluation.scope) === true ? select(evaluation) : undefined;
    },
  };
}

/** `${…}` anywhere in the text. @throws SqlSyntaxError */
export function compileTemplate(text: string, variables: ReadonlySet<string> = new Set()): Template {
  const parts = splitTemplate(text).map((part): string | Evaluate => {
    return typeof part === 'string' ? part : compileExpression(parseExpression(part.expression), variables);
  });
  if (parts.every((part) => typeof part === 'string')) {
    const constant = parts.join('');
    return { evaluate: () => constant };
  }
  return {
    // Undefined by itself is written as nothing.
    evaluate: ({ scope }) =>
      parts.map((part) => (typeof part === 'string' ? part : (toText(part(scope)) ?? ''))).join(''),
  };
}

/** The variables that a statement's SET clause assigns: its templates may use them. */
export function variablesOf(sql: string): ReadonlySet<string> {
  return new Set(parseStatement(sql).variables.map(({ name }) => name));
}

function compileOutput({ select }: Statement, variables: ReadonlySet<string>): (evaluation: Evaluation) => Buffer {
  const [only] = select.kind === 'items' ? select.items : [];
  if (select.kind === 'items' && select.items.length === 1 && only!.kind === 'all') {
    return ({ scope }) => scope.message.payload;
  }
  const evaluate = compileSelect(select, variables);
  const mixed = mixesPayload(select);
  return (evaluation) => {
    if (mixed && !evaluation.isJsonObject())
      throw new SqlFault('the payload is no JSON object, and the statement adds to it by `*, …`');
    return serialize(evaluate(evaluation.scope));
  };
}

function mixesPayload(select: Select): boolean {
  return select.kind === 'items' && select.items.some(({ kind }) => kind === 'all');
}

/** Undefined by itself is written as nothing. */
function serialize(value: SqlValue): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  return Buffer.from(JSON.stringify(value) ?? '');
}

function parsePayload(payload: Buffer): SqlValue {
  if (payload.length === 0) return {};
  try {
    return JSON.parse(payload.toString('utf8')) as SqlValue;
  } catch {
    return undefined;
  }
}

function splitTemplate(text: string): (string | { readonly expression: string })[] {
  const parts: (string | { readonly expression: string })[] = [];
  let at = 0;
  for (let start = text.indexOf('${'); start !== -1; start = text.indexOf('${', at)) {
    if (start > at) parts.push(text.slice(at, start));
    const end = closingBrace(text, start + 2);
    parts.push({ expression: text.slice(start + 2, end) });
    at = end + 1;
  }
  if (at < text.length || parts.length === 0) parts.push(text.slice(at));
  return parts;
}

function closingBrace(text: string, from: number): number {
  let depth = 0;
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '{') depth++;
    else if (character === '}' && depth-- === 0) return at;
  }
  throw new SqlSyntaxError(`the substitution template that starts at character ${from - 1} does not end`, from);
}
