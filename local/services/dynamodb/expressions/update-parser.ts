/**
 * UpdateExpression and ProjectionExpression.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
 */
import { invalid, typeOf } from '../attribute-value';
import type { AttributeType, AttributeValue } from '../attribute-value';
import { formatPath } from './ast';
import type { Path, SetValue, Update } from './ast';
import { Cursor } from './cursor';
import type { Placeholders } from './placeholders';

const TYPE_NAMES: Readonly<Record<AttributeType, string>> = {
  S: 'STRING',
  N: 'NUMBER',
  B: 'BINARY',
  BOOL: 'BOOLEAN',
  NULL: 'NULL',
  M: 'MAP',
  L: 'LIST',
  SS: 'STRING_SET',
  NS: 'NUMBER_SET',
  BS: 'BINARY_SET',
};

interface Sections {
  sets: { path: Path; value: SetValue }[];
  removes: Path[];
  adds: { path: Path; value: AttributeValue }[];
  deletes: { path: Path; value: AttributeValue }[];
}

export function parseUpdate(expression: string, placeholders: Placeholders): Update {
  const cursor = new Cursor('UpdateExpression', expression, placeholders);
  const update: Sections = { sets: [], removes: [], adds: [], deletes: [] };
  const seen = new Set<string>();
  do {
    const keyword = cursor.peek().text.toUpperCase();
    if (cursor.peek().kind !== 'name' || !['SET', 'REMOVE', 'ADD', 'DELETE'].includes(keyword))
      throw cursor.unexpected();
    if (seen.has(keyword))
      throw cursor.refuse(`The "${keyword}" section can only be used once in an update expression;`);
    seen.add(keyword);
    cursor.next();
    do parseAction(cursor, keyword, update);
    while (cursor.takeSymbol(','));
  } while (cursor.peek().kind !== 'end');
  refuseOverlaps('UpdateExpression', updatedPaths(update));
  return update;
}

export function updatedPaths(update: Update): Path[] {
  return [
    ...update.sets.map(({ path }) => path),
    ...update.removes,
    ...update.adds.map(({ path }) => path),
    ...update.deletes.map(({ path }) => path),
  ];
}

function parseAction(cursor: Cursor, keyword: string, update: Sections): void {
  const path = cursor.path();
  if (keyword === 'REMOVE') {
    update.removes.push(path);
  } else if (keyword === 'SET') {
    cursor.expectSymbol('=');
    update.sets.push({ path, value: parseSetValue(cursor) });
  } else {
    const operand = cursor.operand();
    if (operand.kind !== 'value') throw cursor.unexpected();
    const allowed = keyword === 'ADD' ? ['N', 'SS', 'NS', 'BS'] : ['SS', 'NS', 'BS'];
    if (!allowed.includes(typeOf(operand.value))) {
      throw cursor.refuse(
        `Incorrect operand type for operator or function; operator: ${keyword}, operand type: ${TYPE_NAMES[typeOf(operand.value)]}`,
      );
    }
    update[keyword === 'ADD' ? 'adds' : 'deletes'].push({ path, value: operand.value });
  }
}

function parseSetValue(cursor: Cursor): SetValue {
  const left = parseSetOperand(cursor);
  if (cursor.takeSymbol('+')) return { kind: 'plus', left, right: parseSetOperand(cursor) };
  if (cursor.takeSymbol('-')) return { kind: 'minus', left, right: parseSetOperand(cursor) };
  return left;
}

function parseSetOperand(cursor: Cursor): SetValue {
  if (cursor.takeSymbol('(')) {
    const value = parseSetValue(cursor);
    cursor.expectSymbol(')');
    return value;
  }
  const name = cursor.functionName();
  if (name === undefined) return cursor.operand();
  if (name !== 'if_not_exists' && name !== 'list_append') {
    throw cursor.refuse(
      ['attribute_exists', 'attribute_not_exists', 'attribute_type', 'begins_with', 'contains', 'size'].includes(name)
        ? `The function is not allowed in an update expression; function: ${name}`
        : `Invalid function name; function: ${name}`,
    );
  }
  cursor.next();
  cursor.expectSymbol('(');
  const left = parseSetOperand(cursor);
  cursor.expectSymbol(',');
  const right = parseSetOperand(cursor);
  cursor.expectSymbol(')');
  if (name === 'list_append') return { kind: 'list-append', left, right };
  if (left.kind !== 'path')
    throw cursor.refuse(`Operator or function requires a document path; operator or function: ${name}`);
  return { kind: 'if-not-exists', path: left.path, otherwise: right };
}

export function parseProjection(expression: string, placeholders: Placeholders): Path[] {
  const cursor = new Cursor('ProjectionExpression', expression, placeholders);
  const paths = [cursor.path()];
  while (cursor.takeSymbol(',')) paths.push(cursor.path());
  cursor.expectEnd();
  refuseOverlaps('ProjectionExpression', paths);
  return paths;
}

/** @throws AwsError ValidationException where one path is another's prefix, or one has a map's and one a list's element. */
function refuseOverlaps(parameter: string, paths: readonly Path[]): void {
  for (let index = 1; index < paths.length; index++) {
    for (let before = 0; before < index; before++) {
      const [one, other] = [paths[before] as Path, paths[index] as Path];
      let at = 0;
      while (at < one.length && at < other.length && one[at] === other[at]) at++;
      const names = `path one: ${formatPath(one)}, path two: ${formatPath(other)}`;
      if (at === one.length || at === other.length) {
        throw invalid(
          `Invalid ${parameter}: Two document paths overlap with each other; must remove or rewrite one of these paths; ${names}`,
        );
      }
      if (typeof one[at] !== typeof other[at]) {
        throw invalid(
          `Invalid ${parameter}: Two document paths conflict with each other; must remove or rewrite one of these paths; ${names}`,
        );
      }
    }
  }
}
