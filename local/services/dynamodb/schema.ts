/** Key schemas of tables and indexes, and what they demand of items and keys. */
import { invalid, MAXIMUM_ITEM_BYTES, itemSize, typeOf, valueSize } from './attribute-value';
import type { AttributeValue, Item } from './attribute-value';

export type KeyType = 'S' | 'N' | 'B';

export interface KeyAttribute {
  readonly name: string;
  readonly type: KeyType;
}

export interface KeySchema {
  readonly hash: KeyAttribute;
  readonly range?: KeyAttribute;
}

export interface IndexSchema extends KeySchema {
  readonly indexName: string;
  readonly kind: 'global' | 'local';
  readonly projection: 'ALL' | 'KEYS_ONLY' | 'INCLUDE';
  readonly nonKeyAttributes: readonly string[];
  /** Epoch milliseconds until which the index is CREATING. */
  readonly readyAt: number;
}

const MAXIMUM_HASH_BYTES = 2_048;
const MAXIMUM_RANGE_BYTES = 1_024;

export function keyAttributes(schema: KeySchema): KeyAttribute[] {
  return schema.range === undefined ? [schema.hash] : [schema.hash, schema.range];
}

/** One string per primary key. */
export function keyString(schema: KeySchema, item: Item): string {
  const hash = valueString(item[schema.hash.name] as AttributeValue);
  // The length keeps ("a", "bc") and ("ab", "c") apart.
  return schema.range === undefined
    ? hash
    : `${hash.length}:${hash}${valueString(item[schema.range.name] as AttributeValue)}`;
}

/** One string per S, N or B in canonical form. */
export function valueString(value: AttributeValue): string {
  return 'S' in value ? `S${value.S}` : 'N' in value ? `N${value.N}` : `B${(value as { B: string }).B}`;
}

export function keyOf(schema: KeySchema, item: Item): Item {
  return Object.fromEntries(keyAttributes(schema).map(({ name }) => [name, item[name] as AttributeValue]));
}

function requireKeyValue(attribute: KeyAttribute, role: 'hash' | 'range', value: AttributeValue): void {
  const type = typeOf(value);
  if (type !== attribute.type) {
    throw invalid(
      `One or more parameter values were invalid: Type mismatch for key ${attribute.name} expected: ${attribute.type} actual: ${type}`,
    );
  }
  const size = valueSize(value);
  if (size === 0) {
    const kind = type === 'S' ? 'string' : 'binary';
    throw invalid(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ${kind} value. Key: ${attribute.name}`,
    );
  }
  const maximum = role === 'hash' ? MAXIMUM_HASH_BYTES : MAXIMUM_RANGE_BYTES;
  if (size > maximum) {
    throw invalid(
      `One or more parameter values were invalid: Size of ${role}key has exceeded the maximum size limit of ${maximum} bytes`,
    );
  }
}

/** @throws AwsError ValidationException unless `key` has the key's attributes and no more. */
export function requireKey(schema: KeySchema, key: Item): void {
  const attributes = keyAttributes(schema);
  if (Object.keys(key).length !== attributes.length)
    throw invalid('The provided key element does not match the schema');
  for (const attribute of attributes) {
    const value = key[attribute.name];
    if (value === undefined) throw invalid('The provided key element does not match the schema');
    if (typeOf(value) !== attribute.type) throw invalid('The provided key element does not match the schema');
    requireKeyValue(attribute, attribute === schema.hash ? 'hash' : 'range', value);
  }
}

/** @throws AwsError ValidationException where the item lacks a key, an index key has another type, or it is too large. */
export function requireItem(schema: KeySchema, indexes: Iterable<IndexSchema>, item: Item, tooLarge: string): void {
  for (const attribute of keyAttributes(schema)) {
    const value = item[attribute.name];
    if (value === undefined)
      throw invalid(`One or more parameter values were invalid: Missing the key ${attribute.name} in the item`);
    requireKeyValue(attribute, attribute === schema.hash ? 'hash' : 'range', value);
  }
  for (const index of indexes) {
    for (const { name, type } of keyAttributes(index)) {
      const value = item[name];
      if (value === undefined) continue;
      if (typeOf(value) !== type) {
        throw invalid(
          `One or more parameter values were invalid: Type mismatch for Index Key ${name} Expected: ${type} Actual: ${typeOf(value)} IndexName: ${index.indexName}`,
        );
      }
      if (valueSize(value) === 0) {
        throw invalid(
          'One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue ' +
            `for a key attribute cannot contain an empty ${type === 'S' ? 'string' : 'binary'} value. IndexName: ${index.indexName}, IndexKey: ${name}`,
        );
      }
    }
  }
  if (itemSize(item) > MAXIMUM_ITEM_BYTES) throw invalid(tooLarge);
}

/** The attributes that the index holds of an item. */
export function projectedNames(table: KeySchema, index: IndexSchema): ReadonlySet<string> | undefined {
  if (index.projection === 'ALL') return undefined;
  const names = [...keyAttributes(table), ...keyAttributes(index)].map(({ name }) => name);
  return new Set(index.projection === 'INCLUDE' ? [...names, ...index.nonKeyAttributes] : names);
}
