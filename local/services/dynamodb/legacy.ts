/**
 * The parameters from before expressions, which the Java KCL still sends, as the same conditions and updates.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
 */
import { canonicalValue, invalid, typeOf } from './attribute-value';
import type { AttributeValue } from './attribute-value';
import type { Comparator, Condition, Operand, Path, Update } from './expressions/ast';
import { choice, list, structure } from './state';
import type { Input } from './state';

const COMPARATORS: Readonly<Record<string, Comparator>> = { EQ: '=', NE: '<>', LE: '<=', LT: '<', GE: '>=', GT: '>' };
const OPERATORS = [
  ...Object.keys(COMPARATORS),
  'NOT_NULL',
  'NULL',
  'CONTAINS',
  'NOT_CONTAINS',
  'BEGINS_WITH',
  'IN',
  'BETWEEN',
] as const;
const ARGUMENTS: Readonly<Record<string, number>> = { NULL: 0, NOT_NULL: 0, BETWEEN: 2 };

function literal(value: AttributeValue): Operand {
  return { kind: 'value', value };
}

/** `{ComparisonOperator, AttributeValueList}` on one attribute. */
function comparison(name: string, input: Input): Condition {
  const operator = choice(input, 'ComparisonOperator', OPERATORS);
  if (operator === undefined)
    throw invalid(`One or more parameter values were invalid: ComparisonOperator must be used for attribute ${name}`);
  const values = list(input['AttributeValueList'], 'AttributeValueList').map((value) => literal(canonicalValue(value)));
  if (operator === 'IN' ? values.length === 0 : values.length !== (ARGUMENTS[operator] ?? 1)) {
    throw invalid(
      `One or more parameter values were invalid: Invalid number of argument(s) for the ${operator} ComparisonOperator`,
    );
  }
  const path: Path = [name];
  const operand: Operand = { kind: 'path', path };
  const [first, second] = values as [Operand, Operand];
  switch (operator) {
    case 'NULL':
      return { kind: 'not-exists', path };
    case 'NOT_NULL':
      return { kind: 'exists', path };
    case 'CONTAINS':
      return { kind: 'contains', operand, argument: first };
    case 'NOT_CONTAINS':
      return { kind: 'not', condition: { kind: 'contains', operand, argument: first } };
    case 'BEGINS_WITH':
      return { kind: 'begins-with', operand, argument: first };
    case 'IN':
      return { kind: 'in', operand, candidates: values };
    case 'BETWEEN':
      return { kind: 'between', operand, low: first, high: second };
    default:
      return { kind: 'compare', comparator: COMPARATORS[operator] as Comparator, left: operand, right: first };
  }
}

function join(conditions: readonly Condition[], input: Input): Condition | undefined {
  const kind = choice(input, 'ConditionalOperator', ['AND', 'OR'] as const) === 'OR' ? 'or' : 'and';
  return conditions.reduce<Condition | undefined>(
    (left, right) => (left === undefined ? right : { kind, left, right }),
    undefined,
  );
}

/** Expected of a write. @throws AwsError ValidationException */
export function readExpected(input: Input): Condition | undefined {
  if (input['Expected'] === undefined) return undefined;
  const conditions = Object.entries(structure(input['Expected'], 'Expected')).map(([name, value]): Condition => {
    const expected = structure(value, 'Expected');
    if (expected['ComparisonOperator'] !== undefined) {
      const list = expected['Value'] === undefined ? expected['AttributeValueList'] : [expected['Value']];
      return comparison(name, { ...expected, AttributeValueList: list });
    }
    if (expected['Exists'] === false) {
      if (expected['Value'] !== undefined) {
        throw invalid(
          `One or more parameter values were invalid: Value cannot be used when Exists is set to false for Attribute: ${name}`,
        );
      }
      return { kind: 'not-exists', path: [name] };
    }
    if (expected['Value'] === undefined) {
      throw invalid(
        `One or more parameter values were invalid: Value must be provided when Exists is ${expected['Exists'] === true ? 'true' : 'null'} for Attribute: ${name}`,
      );
    }
    return {
      kind: 'compare',
      comparator: '=',
      left: { kind: 'path', path: [name] },
      right: literal(canonicalValue(expected['Value'])),
    };
  });
  return join(conditions, input);
}

/** KeyConditions, QueryFilter or ScanFilter. @throws AwsError ValidationException */
export function readFilters(input: Input, parameter: string): Condition | undefined {
  if (input[parameter] === undefined) return undefined;
  const filters = Object.entries(structure(input[parameter], parameter));
  const conditions = filters.map(([name, value]) => comparison(name, structure(value, parameter)));
  return parameter === 'KeyConditions' ? join(conditions, {}) : join(conditions, input);
}

/** AttributeUpdates of UpdateItem. @throws AwsError ValidationException */
export function readAttributeUpdates(input: Input): Update | undefined {
  if (input['AttributeUpdates'] === undefined) return undefined;
  const sets: { path: Path; value: Operand }[] = [];
  const appends: Update['sets'][number][] = [];
  const removes: Path[] = [];
  const adds: { path: Path; value: AttributeValue }[] = [];
  const deletes: { path: Path; value: AttributeValue }[] = [];
  for (const [name, entry] of Object.entries(structure(input['AttributeUpdates'], 'AttributeUpdates'))) {
    const update = structure(entry, 'AttributeUpdates');
    const action = choice(update, 'Action', ['PUT', 'ADD', 'DELETE'] as const) ?? 'PUT';
    const value = update['Value'] === undefined ? undefined : canonicalValue(update['Value']);
    const path: Path = [name];
    if (value === undefined) {
      if (action !== 'DELETE')
        throw invalid(
          `One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified`,
        );
      removes.push(path);
    } else if (action === 'PUT') {
      sets.push({ path, value: literal(value) });
    } else if (action === 'ADD' && 'L' in value) {
      const otherwise = literal({ L: [] });
      appends.push({
        path,
        value: { kind: 'list-append', left: { kind: 'if-not-exists', path, otherwise }, right: literal(value) },
      });
    } else {
      const allowed = action === 'ADD' ? ['N', 'SS', 'NS', 'BS'] : ['SS', 'NS', 'BS'];
      if (!allowed.includes(typeOf(value))) {
        throw invalid(
          `One or more parameter values were invalid: ${action} action is not supported for the type ${typeOf(value)}`,
        );
      }
      (action === 'ADD' ? adds : deletes).push({ path, value });
    }
  }
  return { sets: [...sets, ...appends], removes, adds, deletes };
}

/** AttributesToGet as a projection. @throws AwsError ValidationException */
export function readAttributesToGet(input: Input): Path[] | undefined {
  if (input['AttributesToGet'] === undefined) return undefined;
  const names = list(input['AttributesToGet'], 'AttributesToGet');
  if (names.length === 0) throw invalid('One or more parameter values were invalid: AttributesToGet must not be empty');
  if (new Set(names).size !== names.length)
    throw invalid('One or more parameter values were invalid: Duplicate value in attribute name');
  return names.map((name): Path => [String(name)]);
}

const EXPRESSIONS = [
  'ConditionExpression',
  'FilterExpression',
  'KeyConditionExpression',
  'UpdateExpression',
  'ProjectionExpression',
];
const LEGACY = [
  'Expected',
  'AttributeUpdates',
  'KeyConditions',
  'QueryFilter',
  'ScanFilter',
  'AttributesToGet',
  'ConditionalOperator',
];

/** @throws AwsError ValidationException where a request has both kinds. */
export function refuseMixture(input: Input): void {
  if (LEGACY.every((name) => input[name] === undefined)) return;
  const [expressions, legacy] = [EXPRESSIONS, LEGACY].map((names) =>
    names.filter((name) => input[name] !== undefined),
  ) as [string[], string[]];
  if (expressions.length > 0 && legacy.length > 0) {
    throw invalid(
      'Can not use both expression and non-expression parameters in the same request: ' +
        `Non-expression parameters: {${legacy.join(', ')}} Expression parameters: {${expressions.join(', ')}}`,
    );
  }
}
