/** Turns expressions into functions of a scope, so that a message costs no walk of the tree. */
import type { Expression, Select } from './ast';
import { FUNCTIONS, FUNCTIONS_ON_AWS_ONLY } from './functions';
import type { FunctionContext } from './functions/function';
import { OPERATORS, negate, not } from './operators';
import { SqlSyntaxError } from './tokenizer';
import { deepEqual, emptyObject, isArray, isObject, memberOf, toBoolean, toInt, toNumber, toText } from './values';
import type { SqlValue } from './values';

/** What names and `*` refer to: the payload, or the element that a nested query looks at. */
export interface Scope extends FunctionContext {
  readonly variables: ReadonlyMap<string, SqlValue>;
  /** @throws SqlFault where the payload is no JSON */
  readonly current: () => SqlValue;
  readonly nested: boolean;
}

export type Evaluate = (scope: Scope) => SqlValue;

/** @throws SqlSyntaxError for a function, cast or variable that there is not. */
export function compileExpression(expression: Expression, variables: ReadonlySet<string>): Evaluate {
  const compile = (part: Expression): Evaluate => compileExpression(part, variables);
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression;
      return () => value;
    }
    case 'array': {
      const items = expression.items.map(compile);
      return (scope) => items.map((item) => item(scope));
    }
    case 'object': {
      const entries = expression.entries.map(([key, value]) => [key, compile(value)] as const);
      return (scope) => {
        const object = emptyObject();
        for (const [key, value] of entries) object[key] = value(scope);
        return object;
      };
    }
    case 'name': {
      const { name } = expression;
      return (scope) => memberOf(scope.current(), name);
    }
    case 'variable': {
      const { name } = expression;
      if (!variables.has(name)) throw new SqlSyntaxError(`@${name} is used before a SET clause assigns it`, 0);
      return (scope) => scope.variables.get(name);
    }
    case 'payload':
      return (scope) => scope.current();
    case 'member': {
      const of = compile(expression.of);
      const { name } = expression;
      return (scope) => memberOf(of(scope), name);
    }
    case 'unary': {
      const operand = compile(expression.operand);
      const apply = expression.operator === 'not' ? not : negate;
      return (scope) => apply(operand(scope));
    }
    case 'binary': {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      const apply = OPERATORS[expression.operator];
      return (scope) => apply(left(scope), right(scope));
    }
    case 'call':
      return compileCall(expression, compile);
    case 'cast':
      return compileCast(expression, compile);
    case 'case': {
      const value = compile(expression.value);
      const branches = expression.branches.map(({ when, then }) => ({ when: compile(when), then: compile(then) }));
      const otherwise = expression.otherwise === undefined ? undefined : compile(expression.otherwise);
      return (scope) => {
        const actual = value(scope);
        if (actual === undefined) return undefined;
        return (branches.find(({ when }) => deepEqual(when(scope), actual))?.then ?? otherwise)?.(scope);
      };
    }
    case 'query':
      return compileQuery(expression, compile, variables);
  }
}

function compileCall(
  expression: Extract<Expression, { kind: 'call' }>,
  compile: (part: Expression) => Evaluate,
): Evaluate {
  const { name } = expression;
  const found = FUNCTIONS[name];
  if (found === undefined) {
    const reason = FUNCTIONS_ON_AWS_ONLY.has(name)
      ? 'is a function of AWS IoT that the local rules engine does not have'
      : 'is no function of AWS IoT SQL';
    throw new SqlSyntaxError(`${name}() ${reason}`, expression.at);
  }
  const [fewest, most] = found.arity;
  const count = expression.arguments.length;
  if (count < fewest || count > most) return () => undefined;
  const values = expression.arguments.map(compile);
  const [first, second] = expression.arguments;
  if (name === 'encode' && first?.kind === 'payload' && second?.kind === 'literal' && second.value === 'base64') {
    // The bytes as they were published, JSON or not.
    return (scope) =>
      scope.nested ? found.apply([scope.current(), 'base64'], scope) : scope.message.payload.toString('base64');
  }
  return (scope) =>
    found.apply(
      values.map((value) => value(scope)),
      scope,
    );
}

const CASTS: Readonly<Record<string, (value: SqlValue) => SqlValue>> = (() => {
  const text = (value: SqlValue): SqlValue => toText(value);
  const bit = (value: SqlValue): SqlValue => (typeof value === 'boolean' ? Number(value) : value);
  const int = (value: SqlValue): SqlValue => toInt(bit(value));
  const decimal = (value: SqlValue): SqlValue => toNumber(bit(value));
  const boolean = (value: SqlValue): SqlValue => (typeof value === 'number' ? value !== 0 : toBoolean(value));
  return {
    string: text,
    nvarchar: text,
    text,
    ntext: text,
    varchar: text,
    int,
    integer: int,
    double: decimal,
    decimal,
    bool: boolean,
    boolean,
  };
})();

function compileCast(
  { operand, type, at }: Extract<Expression, { kind: 'cast' }>,
  compile: (part: Expression) => Evaluate,
): Evaluate {
  const cast = Object.hasOwn(CASTS, type) ? CASTS[type]! : undefined;
  if (cast === undefined)
    throw new SqlSyntaxError(`cast knows no type ${type}; types are ${Object.keys(CASTS).join(', ')}`, at);
  const value = compile(operand);
  return (scope) => cast(value(scope));
}

/** Over an array: one result per element; over an object: its result. */
function compileQuery(
  { select, from, where }: Extract<Expression, { kind: 'query' }>,
  compile: (part: Expression) => Evaluate,
  variables: ReadonlySet<string>,
): Evaluate {
  const source = compile(from);
  const project = compileSelect(select, variables);
  const matches = where === undefined ? undefined : compile(where);
  const look = (scope: Scope, value: SqlValue): SqlValue => {
    const inner: Scope = { ...scope, nested: true, current: () => value };
    return matches === undefined || toBoolean(matches(inner)) === true ? project(inner) : undefined;
  };
  return (scope) => {
    const value = source(scope);
    if (isObject(value)) return look(scope, value);
    return isArray(value) ? value.map((item) => look(scope, item)).filter((item) => item !== undefined) : undefined;
  };
}

/** @throws SqlSyntaxError */
export function compileSelect(select: Select, variables: ReadonlySet<string>): Evaluate {
  if (select.kind === 'value') return compileExpression(select.expression, variables);
  const [only] = select.items;
  if (select.items.length === 1 && only!.kind === 'all') return (scope) => scope.current();
  const items = select.items.map((item) =>
    item.kind === 'all' ? undefined : { path: item.alias, evaluate: compileExpression(item.expression, variables) },
  );
  return (scope) => {
    const output = emptyObject();
    for (const item of items) {
      if (item === undefined) {
        const current = scope.current();
        if (isObject(current)) for (const key of Object.keys(current)) output[key] = current[key];
      } else {
        const value = item.evaluate(scope);
        if (value !== undefined) assign(output, item.path, value);
      }
    }
    return output;
  };
}

function assign(output: Record<string, SqlValue>, path: readonly string[], value: SqlValue): void {
  let target = output;
  for (const name of path.slice(0, -1)) {
    const inner = target[name];
    // A copy: the object may be the payload's own.
    target = target[name] = isObject(inner) ? Object.assign(emptyObject(), inner) : emptyObject();
  }
  target[path.at(-1)!] = value;
}
