/** Reads key schemas and indexes of CreateTable and UpdateTable. */
import { invalid } from './attribute-value';
import type { IndexSchema, KeyAttribute, KeySchema, KeyType } from './schema';
import { keyAttributes } from './schema';
import { choice, list, structure } from './state';
import type { Input } from './state';
import type { TableSettings } from './table';

const MAXIMUM_GLOBAL_INDEXES = 20;
const MAXIMUM_LOCAL_INDEXES = 5;

export type AttributeDefinitions = TableSettings['attributes'];

/** @throws AwsError ValidationException */
export function readAttributes(input: Input): AttributeDefinitions {
  return list(input['AttributeDefinitions'], 'AttributeDefinitions').map((entry) => {
    const definition = structure(entry, 'AttributeDefinitions');
    const AttributeType = choice(definition, 'AttributeType', ['S', 'N', 'B'] as const);
    if (AttributeType === undefined) throw invalid('AttributeDefinitions: AttributeType must not be null');
    return { AttributeName: String(definition['AttributeName']), AttributeType };
  });
}

/** @throws AwsError ValidationException */
export function readKeySchema(value: unknown, attributes: AttributeDefinitions): KeySchema {
  const elements = list(value, 'KeySchema').map((entry) => structure(entry, 'KeySchema'));
  const [first, second] = elements;
  if (first?.['KeyType'] !== 'HASH') {
    throw invalid('Invalid KeySchema: The first KeySchemaElement is not a HASH key type');
  }
  if (elements.length > 2 || (second !== undefined && second['KeyType'] !== 'RANGE')) {
    throw invalid('Invalid KeySchema: The second KeySchemaElement is not a RANGE key type');
  }
  const attribute = (element: Input): KeyAttribute => {
    const name = String(element['AttributeName']);
    const found = attributes.find(({ AttributeName }) => AttributeName === name);
    if (found === undefined) {
      throw invalid(
        'One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. ' +
          `Keys: [${name}], AttributeDefinitions: [${attributes.map(({ AttributeName }) => AttributeName).join(', ')}]`,
      );
    }
    return { name, type: found.AttributeType as KeyType };
  };
  if (second !== undefined && second['AttributeName'] === first['AttributeName']) {
    throw invalid('Both the Hash Key and the Range Key element in the KeySchema have the same name');
  }
  return { hash: attribute(first), ...(second !== undefined && { range: attribute(second) }) };
}

/** @throws AwsError ValidationException */
export function readIndex(
  value: unknown,
  kind: IndexSchema['kind'],
  attributes: AttributeDefinitions,
  readyAt: number,
): IndexSchema {
  const input = structure(value, 'index');
  const indexName = input['IndexName'];
  if (typeof indexName !== 'string' || !/^[a-zA-Z0-9_.-]{3,255}$/.test(indexName)) {
    throw invalid(
      `Invalid table/index name: ${String(indexName)}. Index names have 3 to 255 of the characters a-z, A-Z, 0-9, '_', '-' and '.'`,
    );
  }
  const projection = input['Projection'] === undefined ? {} : structure(input['Projection'], 'Projection');
  const type = choice(projection, 'ProjectionType', ['ALL', 'KEYS_ONLY', 'INCLUDE'] as const);
  if (type === undefined)
    throw invalid(`One or more parameter values were invalid: Unknown ProjectionType: null of index ${indexName}`);
  const nonKeyAttributes = list(projection['NonKeyAttributes'], 'NonKeyAttributes').map(String);
  if ((type === 'INCLUDE') !== nonKeyAttributes.length > 0) {
    throw invalid(
      `One or more parameter values were invalid: ProjectionType is ${type}, ` +
        `${type === 'INCLUDE' ? 'but NonKeyAttributes is not specified' : 'but NonKeyAttributes is specified'}`,
    );
  }
  return {
    ...readKeySchema(input['KeySchema'], attributes),
    indexName,
    kind,
    projection: type,
    nonKeyAttributes,
    readyAt,
  };
}

/** @throws AwsError ValidationException where names repeat, there are too many, or attributes are defined and not used. */
export function requireConsistent(
  keys: KeySchema,
  indexes: readonly IndexSchema[],
  attributes: AttributeDefinitions,
): void {
  const names = indexes.map(({ indexName }) => indexName);
  const duplicate = names.find((name, at) => names.indexOf(name) !== at);
  if (duplicate !== undefined)
    throw invalid(`One or more parameter values were invalid: Duplicate index name: ${duplicate}`);
  for (const [kind, maximum] of [
    ['global', MAXIMUM_GLOBAL_INDEXES],
    ['local', MAXIMUM_LOCAL_INDEXES],
  ] as const) {
    const count = indexes.filter((index) => index.kind === kind).length;
    if (count > maximum)
      throw invalid(
        `One or more parameter values were invalid: a table has at most ${maximum} ${kind} secondary indexes, not ${count}`,
      );
  }
  for (const index of indexes) {
    if (index.kind === 'local' && index.hash.name !== keys.hash.name) {
      throw invalid(
        `One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema for index: ${index.indexName}`,
      );
    }
  }
  const used = new Set([keys, ...indexes].flatMap(keyAttributes).map(({ name }) => name));
  const unused = attributes
    .filter(({ AttributeName }) => !used.has(AttributeName))
    .map(({ AttributeName }) => AttributeName);
  if (unused.length > 0) {
    throw invalid(
      'One or more parameter values were invalid: Some AttributeDefinitions are not used. ' +
        `AttributeDefinitions: [${attributes.map(({ AttributeName }) => AttributeName).join(', ')}], keys used: [${[...used].join(', ')}]`,
    );
  }
}

/** @throws AwsError ValidationException */
export function readTags(value: unknown): Record<string, string> {
  const tags = list(value, 'Tags').map((entry) => structure(entry, 'Tags'));
  for (const { Key, Value } of tags) {
    if (typeof Key !== 'string' || Key === '' || Key.length > 128 || typeof Value !== 'string' || Value.length > 256) {
      throw invalid(
        'One or more parameter values were invalid: a tag has a Key of 1 to 128 and a Value of up to 256 characters',
      );
    }
  }
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key as string, Value as string]));
}
