/** What a Query asks of the keys: one partition key, and a range of sort keys. */
import { compareValues, contentOf, invalid, typeOf } from './attribute-value';
import type { AttributeValue } from './attribute-value';
import type { Comparator, Condition, Operand } from './expressions/ast';
import { beginsWith } from './expressions/evaluate';
import type { KeySchema } from './schema';

export interface KeyRange {
  readonly partitionKey: AttributeValue;
  /** Negative below the range, 0 in it, positive above. */
  readonly inRange: (range: AttributeValue | undefined) => number;
}

interface Term {
  readonly name: string;
  readonly comparator: Comparator | 'between' | 'begins-with';
  readonly values: readonly AttributeValue[];
}

const FLIPPED: Readonly<Record<Comparator, Comparator>> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function unsupported() {
  return invalid('Query key condition not supported');
}

function terms(condition: Condition): Term[] {
  switch (condition.kind) {
    case 'and':
      return [...terms(condition.left), ...terms(condition.right)];
    case 'compare': {
      const { left, right, comparator } = condition;
      if (left.kind === 'value') return [term(right, FLIPPED[comparator], [left])];
      return [term(left, comparator, [right])];
    }
    case 'between':
      return [term(condition.operand, 'between', [condition.low, condition.high])];
    case 'begins-with':
      return [term(condition.operand, 'begins-with', [condition.argument])];
    default:
      throw invalid(
        'Invalid operator used in KeyConditionExpression: only =, <, <=, >, >=, BETWEEN, begins_with and AND are supported',
      );
  }
}

function term(operand: Operand, comparator: Term['comparator'], operands: readonly Operand[]): Term {
  if (operand.kind !== 'path' || operand.path.length !== 1) throw unsupported();
  const values = operands.map((one) => {
    if (one.kind !== 'value') throw unsupported();
    return one.value;
  });
  return { name: operand.path[0], comparator, values };
}

/** @throws AwsError ValidationException unless the condition is one on the schema's keys that Query supports. */
export function readKeyRange(schema: KeySchema, condition: Condition): KeyRange {
  const all = terms(condition);
  const hash = all.filter(({ name }) => name === schema.hash.name);
  const range = all.filter(({ name }) => name === schema.range?.name);
  if (hash.length === 0) throw invalid(`Query condition missed key schema element: ${schema.hash.name}`);
  if (hash.length + range.length < all.length) {
    throw schema.range === undefined || range.length > 0
      ? unsupported()
      : invalid(`Query condition missed key schema element: ${schema.range.name}`);
  }
  if (hash.length > 1 || range.length > 1) {
    throw invalid('KeyConditionExpressions must only contain one condition per key');
  }
  const [equality] = hash as [Term];
  if (equality.comparator !== '=') throw unsupported();
  requireTypes(equality, schema.hash.type);
  const [sort] = range;
  if (sort === undefined) return { partitionKey: equality.values[0] as AttributeValue, inRange: () => 0 };
  if (sort.comparator === '<>') throw unsupported();
  requireTypes(sort, schema.range?.type ?? 'S');
  return { partitionKey: equality.values[0] as AttributeValue, inRange: rangeTest(sort) };
}

function requireTypes({ name, values }: Term, type: string): void {
  for (const value of values) {
    if (typeOf(value) !== type) {
      throw invalid('One or more parameter values were invalid: Condition parameter type does not match schema type');
    }
    if (contentOf(value) === '') {
      throw invalid(
        `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
      );
    }
  }
}

function rangeTest({ comparator, values }: Term): KeyRange['inRange'] {
  const [low, high = low] = values as [AttributeValue, AttributeValue?];
  const order = (range: AttributeValue | undefined, bound: AttributeValue) =>
    range === undefined ? 0 : (compareValues(range, bound) ?? 0);
  switch (comparator) {
    case '<':
      return (range) => (order(range, low) < 0 ? 0 : 1);
    case '<=':
      return (range) => (order(range, low) <= 0 ? 0 : 1);
    case '>':
      return (range) => (order(range, low) > 0 ? 0 : -1);
    case '>=':
      return (range) => (order(range, low) >= 0 ? 0 : -1);
    case 'begins-with':
      return (range) => (beginsWith(range, low) ? 0 : order(range, low));
    default:
      return (range) => (order(range, low) < 0 ? -1 : order(range, high) > 0 ? 1 : 0);
  }
}
