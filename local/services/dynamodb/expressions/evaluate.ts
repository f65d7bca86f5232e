/** Conditions against an item, and updates of an item: pure functions. */
import { compareValues, contentOf, equalValues, invalid, typeOf } from '../attribute-value';
import type { AttributeValue, Item } from '../attribute-value';
import { addNumbers, subtractNumbers } from '../decimal';
import type { Comparator, Condition, Operand, Path, SetValue, Update } from './ast';
import { getPath, removePath, setPath } from './paths';

function resolve(item: Item, operand: Operand): AttributeValue | undefined {
  if (operand.kind === 'value') return operand.value;
  if (operand.kind === 'path') return getPath(item, operand.path);
  const value = resolve(item, operand.of);
  const size = value === undefined ? undefined : sizeOf(value);
  return size === undefined ? undefined : { N: String(size) };
}

/** What the function `size` gives: bytes of strings and binaries, members of the rest; numbers and booleans have none. */
function sizeOf(value: AttributeValue): number | undefined {
  if ('S' in value) return Buffer.byteLength(value.S);
  if ('B' in value) return Buffer.byteLength(value.B, 'base64');
  if ('M' in value) return Object.keys(value.M).length;
  const content = contentOf(value);
  return Array.isArray(content) ? content.length : undefined;
}

/** A missing item is an empty one. */
export function evaluate(condition: Condition, item: Item): boolean {
  switch (condition.kind) {
    case 'and':
      return evaluate(condition.left, item) && evaluate(condition.right, item);
    case 'or':
      return evaluate(condition.left, item) || evaluate(condition.right, item);
    case 'not':
      return !evaluate(condition.condition, item);
    case 'exists':
      return getPath(item, condition.path) !== undefined;
    case 'not-exists':
      return getPath(item, condition.path) === undefined;
    case 'compare':
      return compare(condition.comparator, resolve(item, condition.left), resolve(item, condition.right));
    case 'between': {
      const value = resolve(item, condition.operand);
      return compare('>=', value, resolve(item, condition.low)) && compare('<=', value, resolve(item, condition.high));
    }
    case 'in': {
      const value = resolve(item, condition.operand);
      return condition.candidates.some((candidate) => compare('=', value, resolve(item, candidate)));
    }
    case 'type': {
      const [value, type] = [resolve(item, condition.operand), resolve(item, condition.argument)];
      return value !== undefined && type !== undefined && 'S' in type && typeOf(value) === type.S;
    }
    case 'begins-with':
      return beginsWith(resolve(item, condition.operand), resolve(item, condition.argument));
    case 'contains':
      return contains(resolve(item, condition.operand), resolve(item, condition.argument));
  }
}

/** Values of different types are unequal and have no order; so it is with a missing one. */
function compare(comparator: Comparator, left: AttributeValue | undefined, right: AttributeValue | undefined): boolean {
  if (comparator === '=' || comparator === '<>') {
    const equal = left !== undefined && right !== undefined && equalValues(left, right);
    return equal === (comparator === '=');
  }
  const order = left === undefined || right === undefined ? undefined : compareValues(left, right);
  if (order === undefined) return false;
  return comparator === '<'
    ? order < 0
    : comparator === '<='
      ? order <= 0
      : comparator === '>'
        ? order > 0
        : order >= 0;
}

export function beginsWith(value: AttributeValue | undefined, prefix: AttributeValue | undefined): boolean {
  if (value === undefined || prefix === undefined) return false;
  if ('S' in value && 'S' in prefix) return value.S.startsWith(prefix.S);
  if (!('B' in value && 'B' in prefix)) return false;
  const start = Buffer.from(prefix.B, 'base64');
  return Buffer.from(value.B, 'base64').subarray(0, start.length).equals(start);
}

function contains(value: AttributeValue | undefined, part: AttributeValue | undefined): boolean {
  if (value === undefined || part === undefined) return false;
  if ('S' in value) return 'S' in part && value.S.includes(part.S);
  if ('B' in value) return 'B' in part && Buffer.from(value.B, 'base64').includes(Buffer.from(part.B, 'base64'));
  if ('L' in value) return value.L.some((member) => equalValues(member, part));
  if ('SS' in value) return 'S' in part && value.SS.includes(part.S);
  if ('NS' in value) return 'N' in part && value.NS.includes(part.N);
  if ('BS' in value) return 'B' in part && value.BS.includes(part.B);
  return false;
}

function wrongType() {
  return invalid('An operand in the update expression has an incorrect data type');
}

function compute(item: Item, value: SetValue): AttributeValue {
  switch (value.kind) {
    case 'if-not-exists':
      return getPath(item, value.path) ?? compute(item, value.otherwise);
    case 'list-append': {
      const [left, right] = [compute(item, value.left), compute(item, value.right)];
      if (!('L' in left && 'L' in right)) throw wrongType();
      return { L: [...left.L, ...right.L] };
    }
    case 'plus':
    case 'minus': {
      const [left, right] = [compute(item, value.left), compute(item, value.right)];
      if (!('N' in left && 'N' in right)) throw wrongType();
      return { N: value.kind === 'plus' ? addNumbers(left.N, right.N) : subtractNumbers(left.N, right.N) };
    }
    default: {
      const resolved = resolve(item, value);
      if (resolved === undefined)
        throw invalid('The provided expression refers to an attribute that does not exist in the item');
      return resolved;
    }
  }
}

function add(current: AttributeValue | undefined, value: AttributeValue): AttributeValue {
  if (current === undefined) return value;
  if ('N' in current && 'N' in value) return { N: addNumbers(current.N, value.N) };
  if ('N' in value || typeOf(current) !== typeOf(value)) throw wrongType();
  const members = new Set([...(contentOf(current) as string[]), ...(contentOf(value) as string[])]);
  return { [typeOf(value)]: [...members] } as unknown as AttributeValue;
}

/** Undefined where nothing is left: a set is never empty. */
function subtract(current: AttributeValue, value: AttributeValue): AttributeValue | undefined {
  if (typeOf(current) !== typeOf(value)) throw wrongType();
  const gone = new Set(contentOf(value) as string[]);
  const members = (contentOf(current) as string[]).filter((member) => !gone.has(member));
  return members.length === 0 ? undefined : ({ [typeOf(value)]: members } as unknown as AttributeValue);
}

/** A total order with higher list indexes first, so that a removal does not move what a later one means. */
function byDescendingIndex(left: Path, right: Path): number {
  const at = left.findIndex((element, index) => element !== right[index]);
  const [one, other] = [left[at], right[at]];
  if (typeof one === 'number' && typeof other === 'number') return other - one;
  return String(one) < String(other) ? -1 : 1;
}

/**
 * The item after the update. Every value is computed from the item as it was before.
 * @throws AwsError ValidationException
 */
export function applyUpdate(item: Item, update: Update): Item {
  const sets = update.sets.map(({ path, value }) => ({ path, value: compute(item, value) }));
  let next = item;
  // Elements that are appended keep the order of their indexes.
  for (const { path, value } of sets.sort((left, right) => -byDescendingIndex(left.path, right.path)))
    next = setPath(next, path, value);
  for (const { path, value } of update.adds) next = setPath(next, path, add(getPath(item, path), value));
  for (const { path, value } of update.deletes) {
    const current = getPath(item, path);
    const rest = current === undefined ? undefined : subtract(current, value);
    if (rest !== undefined) next = setPath(next, path, rest);
    else if (current !== undefined) next = removePath(next, path);
  }
  for (const path of [...update.removes].sort(byDescendingIndex)) next = removePath(next, path);
  return next;
}
