/** Attribute values as they stand on the wire: checking, canonical form, size, equality and order. */
import { AwsError } from '../../gateway/service';
import { canonicalNumber, compareNumbers } from './decimal';

export type AttributeValue =
  | { readonly S: string }
  | { readonly N: string }
  /** base64 */
  | { readonly B: string }
  | { readonly BOOL: boolean }
  | { readonly NULL: true }
  | { readonly M: Item }
  | { readonly L: readonly AttributeValue[] }
  | { readonly SS: readonly string[] }
  | { readonly NS: readonly string[] }
  | { readonly BS: readonly string[] };

export type Item = Readonly<Record<string, AttributeValue>>;
export type AttributeType = 'S' | 'N' | 'B' | 'BOOL' | 'NULL' | 'M' | 'L' | 'SS' | 'NS' | 'BS';

export const ATTRIBUTE_TYPES: readonly AttributeType[] = ['S', 'N', 'B', 'BOOL', 'NULL', 'M', 'L', 'SS', 'NS', 'BS'];
const MAXIMUM_DEPTH = 32;
export const MAXIMUM_ITEM_BYTES = 400 * 1_024;
const SET_NAMES = { SS: 'string set', NS: 'number set', BS: 'binary set' };

export function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

export function typeOf(value: AttributeValue): AttributeType {
  for (const type in value) return type as AttributeType;
  throw invalid('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
}

/** The member that holds the value, whatever its type. */
export function contentOf(value: AttributeValue): unknown {
  return (value as unknown as Record<string, unknown>)[typeOf(value)];
}

function wrongShape(): AwsError {
  return new AwsError('SerializationException', 'An AttributeValue does not have the shape of its type');
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw wrongShape();
  return value;
}

function binary(value: unknown): string {
  const bytes = Buffer.from(text(value), 'base64');
  return bytes.toString('base64');
}

function canonicalSet(type: 'SS' | 'NS' | 'BS', value: unknown): string[] {
  if (!Array.isArray(value)) throw wrongShape();
  if (value.length === 0)
    throw invalid(`One or more parameter values were invalid: An ${SET_NAMES[type]}  may not be empty`);
  const members = value.map((member) =>
    type === 'NS' ? canonicalNumber(text(member)) : type === 'BS' ? binary(member) : text(member),
  );
  if (new Set(members).size !== members.length) {
    throw invalid(
      `One or more parameter values were invalid: Input collection [${members.slice(0, 10).join(', ')}] contains duplicates.`,
    );
  }
  return members;
}

/**
 * A copy in canonical form; refuses what DynamoDB refuses.
 * @throws AwsError ValidationException, SerializationException
 */
export function canonicalValue(value: unknown, depth = 0): AttributeValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongShape();
  let type: AttributeType | undefined;
  let types = 0;
  for (const name of Object.keys(value)) {
    if ((value as Record<string, unknown>)[name] === undefined) continue;
    type = name as AttributeType;
    types++;
  }
  if (type === undefined || types !== 1) {
    throw invalid(
      type === undefined
        ? 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'
        : 'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    );
  }
  if (depth > MAXIMUM_DEPTH)
    throw invalid(
      `Nesting Levels have exceeded supported limits: Attributes may be nested ${MAXIMUM_DEPTH} levels deep`,
    );
  const content = (value as Record<string, unknown>)[type];
  switch (type) {
    case 'S':
      return { S: text(content) };
    case 'N':
      return { N: canonicalNumber(text(content)) };
    case 'B':
      return { B: binary(content) };
    case 'BOOL':
      if (typeof content !== 'boolean') throw wrongShape();
      return { BOOL: content };
    case 'NULL':
      if (content !== true)
        throw invalid(
          'One or more parameter values were invalid: Null attribute value types must have the value of true',
        );
      return { NULL: true };
    case 'M':
      return { M: canonicalItem(content, depth + 1) };
    case 'L':
      if (!Array.isArray(content)) throw wrongShape();
      return { L: content.map((member) => canonicalValue(member, depth + 1)) };
    case 'SS':
      return { SS: canonicalSet('SS', content) };
    case 'NS':
      return { NS: canonicalSet('NS', content) };
    case 'BS':
      return { BS: canonicalSet('BS', content) };
    default:
      throw invalid('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  }
}

/** `__proto__` is an attribute name like any other. */
export function setMember(item: Record<string, AttributeValue>, name: string, value: AttributeValue): void {
  if (name !== '__proto__') item[name] = value;
  else Object.defineProperty(item, name, { value, enumerable: true, configurable: true, writable: true });
}

/** @throws AwsError ValidationException, SerializationException */
export function canonicalItem(value: unknown, depth = 0): Item {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongShape();
  const item: Record<string, AttributeValue> = {};
  for (const name of Object.keys(value)) {
    const content = (value as Record<string, unknown>)[name];
    if (content !== undefined) setMember(item, name, canonicalValue(content, depth));
  }
  return item;
}

/**
 * Bytes that the item counts for.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export function itemSize(item: Item): number {
  let size = 0;
  for (const name of Object.keys(item)) size += Buffer.byteLength(name) + valueSize(item[name] as AttributeValue);
  return size;
}

function numberSize(number: string): number {
  const digits = number.replace(/[-.]/g, '').replace(/^0+|0+$/g, '').length;
  return Math.ceil(digits / 2) + 1 + (number.startsWith('-') ? 1 : 0);
}

const binarySize = (base64: string) => Buffer.byteLength(base64, 'base64');
const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);

export function valueSize(value: AttributeValue): number {
  if ('S' in value) return Buffer.byteLength(value.S);
  if ('N' in value) return numberSize(value.N);
  if ('B' in value) return binarySize(value.B);
  if ('M' in value) return 3 + itemSize(value.M) + Object.keys(value.M).length;
  if ('L' in value) return 3 + sum(value.L.map((member) => valueSize(member) + 1));
  if ('SS' in value) return sum(value.SS.map((member) => Buffer.byteLength(member)));
  if ('NS' in value) return sum(value.NS.map(numberSize));
  if ('BS' in value) return sum(value.BS.map(binarySize));
  return 1;
}

/** Both canonical; sets are equal whatever their order. */
export function equalValues(left: AttributeValue, right: AttributeValue): boolean {
  const type = typeOf(left);
  if (type !== typeOf(right)) return false;
  const [one, other] = [contentOf(left), contentOf(right)];
  switch (type) {
    case 'SS':
    case 'NS':
    case 'BS': {
      const members = new Set(one as string[]);
      return members.size === (other as string[]).length && (other as string[]).every((member) => members.has(member));
    }
    case 'L': {
      const [list, peer] = [one as AttributeValue[], other as AttributeValue[]];
      return (
        list.length === peer.length && list.every((member, index) => equalValues(member, peer[index] as AttributeValue))
      );
    }
    case 'M': {
      const [map, peer] = [one as Item, other as Item];
      const names = Object.keys(map);
      return (
        names.length === Object.keys(peer).length &&
        names.every(
          (name) => Object.hasOwn(peer, name) && equalValues(map[name] as AttributeValue, peer[name] as AttributeValue),
        )
      );
    }
    default:
      return one === other;
  }
}

/** UTF-8 byte order, which is code point order; UTF-16 order differs where one string has a surrogate pair. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const one = left.charCodeAt(at);
    const other = right.charCodeAt(at);
    if (one === other) continue;
    // Surrogates (code points from U+10000) sort above U+E000–U+FFFF.
    const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return rank(one) - rank(other);
  }
  return left.length - right.length;
}

/** Order of two S, N or B; undefined where the types differ or have no order. */
export function compareValues(left: AttributeValue, right: AttributeValue): number | undefined {
  if ('S' in left && 'S' in right) return compareStrings(left.S, right.S);
  if ('N' in left && 'N' in right) return compareNumbers(left.N, right.N);
  if ('B' in left && 'B' in right) return Buffer.compare(Buffer.from(left.B, 'base64'), Buffer.from(right.B, 'base64'));
  return undefined;
}
