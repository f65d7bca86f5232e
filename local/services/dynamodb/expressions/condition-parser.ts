/**
 * ConditionExpression, FilterExpression and KeyConditionExpression.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
 */
import { ATTRIBUTE_TYPES, compareValues, typeOf } from '../attribute-value';
import type { AttributeType } from '../attribute-value';
import type { Comparator, Condition, Operand, Path } from './ast';
import { Cursor } from './cursor';
import type { Placeholders } from './placeholders';

const COMPARATORS: readonly string[] = ['=', '<>', '<', '<=', '>', '>='];
const ORDERED: readonly AttributeType[] = ['S', 'N', 'B'];
const MAXIMUM_CANDIDATES = 100;
const MAXIMUM_NESTING = 150;

export function parseCondition(parameter: string, expression: string, placeholders: Placeholders): Condition {
  const cursor = new Cursor(parameter, expression, placeholders);
  const condition = parseOr(cursor, 0);
  cursor.expectEnd();
  return condition;
}

function parseOr(cursor: Cursor, depth: number): Condition {
  if (depth > MAXIMUM_NESTING) throw cursor.refuse('The expression is nested too deeply');
  let left = parseAnd(cursor, depth);
  while (cursor.takeKeyword('OR')) left = { kind: 'or', left, right: parseAnd(cursor, depth) };
  return left;
}

function parseAnd(cursor: Cursor, depth: number): Condition {
  let left = parseNot(cursor, depth);
  while (cursor.takeKeyword('AND')) left = { kind: 'and', left, right: parseNot(cursor, depth) };
  return left;
}

function parseNot(cursor: Cursor, depth: number): Condition {
  if (depth > MAXIMUM_NESTING) throw cursor.refuse('The expression is nested too deeply');
  if (cursor.takeKeyword('NOT')) return { kind: 'not', condition: parseNot(cursor, depth + 1) };
  if (cursor.takeSymbol('(')) {
    const condition = parseOr(cursor, depth + 1);
    cursor.expectSymbol(')');
    return condition;
  }
  const name = cursor.functionName();
  return name === undefined || name === 'size' ? parseComparison(cursor) : parseFunction(cursor, name);
}

function parseOperand(cursor: Cursor): Operand {
  if (cursor.functionName() === undefined) return cursor.operand();
  const name = cursor.next().text;
  if (name !== 'size')
    throw cursor.refuse(`The function is not allowed to be used this way in an expression; function: ${name}`);
  cursor.expectSymbol('(');
  const of = cursor.operand();
  cursor.expectSymbol(')');
  if (of.kind === 'value' && ['N', 'BOOL', 'NULL'].includes(typeOf(of.value)))
    throw wrongOperand(cursor, 'size', typeOf(of.value));
  return { kind: 'size', of };
}

function wrongOperand(cursor: Cursor, operator: string, type: AttributeType) {
  return cursor.refuse(
    `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
  );
}

/** A value given in the request must be of one of the types; an attribute's type shows only at evaluation. */
function requireType(cursor: Cursor, operator: string, operand: Operand, types: readonly AttributeType[]): void {
  if (operand.kind === 'value' && !types.includes(typeOf(operand.value)))
    throw wrongOperand(cursor, operator, typeOf(operand.value));
}

function parseComparison(cursor: Cursor): Condition {
  const left = parseOperand(cursor);
  const token = cursor.peek();
  if (token.kind === 'symbol' && COMPARATORS.includes(token.text)) {
    cursor.next();
    const comparator = token.text as Comparator;
    const right = parseOperand(cursor);
    if (comparator !== '=' && comparator !== '<>') {
      for (const operand of [left, right]) requireType(cursor, comparator, operand, ORDERED);
    }
    if (left.kind === 'path' && right.kind === 'path' && JSON.stringify(left) === JSON.stringify(right)) {
      throw cursor.refuse(
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${comparator}, first operand: [${left.path.join(', ')}]`,
      );
    }
    return { kind: 'compare', comparator, left, right };
  }
  if (cursor.takeKeyword('BETWEEN')) {
    const low = parseOperand(cursor);
    cursor.expectKeyword('AND');
    const high = parseOperand(cursor);
    for (const operand of [left, low, high]) requireType(cursor, 'BETWEEN', operand, ORDERED);
    refuseEmptyRange(cursor, low, high);
    return { kind: 'between', operand: left, low, high };
  }
  if (cursor.takeKeyword('IN')) return { kind: 'in', operand: left, candidates: parseCandidates(cursor) };
  throw cursor.unexpected();
}

function refuseEmptyRange(cursor: Cursor, low: Operand, high: Operand): void {
  if (low.kind !== 'value' || high.kind !== 'value') return;
  const order = compareValues(low.value, high.value);
  if (order === undefined)
    throw cursor.refuse('The BETWEEN operator requires same data type for lower and upper bounds');
  if (order > 0) {
    throw cursor.refuse('The BETWEEN operator requires upper bound to be greater than or equal to lower bound');
  }
}

function parseCandidates(cursor: Cursor): Operand[] {
  cursor.expectSymbol('(');
  const candidates = [parseOperand(cursor)];
  while (cursor.takeSymbol(',')) candidates.push(parseOperand(cursor));
  cursor.expectSymbol(')');
  if (candidates.length > MAXIMUM_CANDIDATES) {
    throw cursor.refuse(`The IN operator is provided with too many operands; number of operands: ${candidates.length}`);
  }
  return candidates;
}

const ARGUMENT_COUNTS: Readonly<Record<string, number>> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
};

function parseFunction(cursor: Cursor, name: string): Condition {
  const expected = ARGUMENT_COUNTS[name];
  if (expected === undefined) {
    throw cursor.refuse(
      name === 'if_not_exists' || name === 'list_append'
        ? `The function is not allowed in a condition expression; function: ${name}`
        : `Invalid function name; function: ${name}`,
    );
  }
  cursor.next();
  cursor.expectSymbol('(');
  const list = [parseOperand(cursor)];
  while (cursor.takeSymbol(',')) list.push(parseOperand(cursor));
  cursor.expectSymbol(')');
  if (list.length !== expected) {
    throw cursor.refuse(
      `Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${list.length}`,
    );
  }
  const [operand, argument] = list as [Operand, Operand];
  switch (name) {
    case 'attribute_exists':
      return { kind: 'exists', path: requirePath(cursor, name, operand) };
    case 'attribute_not_exists':
      return { kind: 'not-exists', path: requirePath(cursor, name, operand) };
    case 'attribute_type':
      requireType(cursor, name, argument, ['S']);
      if (
        argument.kind === 'value' &&
        'S' in argument.value &&
        !ATTRIBUTE_TYPES.includes(argument.value.S as AttributeType)
      ) {
        throw cursor.refuse(
          `Invalid attribute type name found; type: ${argument.value.S}, valid types: {${ATTRIBUTE_TYPES.join(',')}}`,
        );
      }
      return { kind: 'type', operand, argument };
    case 'begins_with':
      for (const one of list) requireType(cursor, name, one, ['S', 'B']);
      return { kind: 'begins-with', operand, argument };
    default:
      return { kind: 'contains', operand, argument };
  }
}

function requirePath(cursor: Cursor, name: string, operand: Operand): Path {
  if (operand.kind === 'path') return operand.path;
  throw cursor.refuse(`Operator or function requires a document path; operator or function: ${name}`);
}
