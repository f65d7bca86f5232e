/** Query and Scan: pages of a table or an index. */
import { canonicalItem, invalid, itemSize } from './attribute-value';
import type { AttributeValue, Item } from './attribute-value';
import { consumed, readUnits } from './capacity';
import { conditionPaths } from './expressions/ast';
import type { Condition, Path } from './expressions/ast';
import { parseCondition } from './expressions/condition-parser';
import { evaluate } from './expressions/evaluate';
import { project } from './expressions/paths';
import { Placeholders } from './expressions/placeholders';
import { partitionToken, segmentOf } from './item-index';
import type { Place, StoredItem } from './item-index';
import { readKeyRange } from './key-condition';
import { readFilters, refuseMixture } from './legacy';
import { readProjection } from './operations-items';
import { keyAttributes, keyString, projectedNames, valueString } from './schema';
import type { IndexSchema, KeySchema } from './schema';
import { choice, integer, tableNameOf } from './state';
import type { DynamoDbState, Input, Operation, Operations } from './state';
import type { Table } from './table';

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html */
const MAXIMUM_PAGE_BYTES = 1 << 20;
const EXPRESSION_NAMES = ['KeyConditionExpression', 'FilterExpression', 'ProjectionExpression'];
const SELECTS = ['ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES', 'SPECIFIC_ATTRIBUTES', 'COUNT'] as const;

interface ReadRequest {
  readonly table: Table;
  readonly index: IndexSchema | undefined;
  readonly schema: KeySchema;
  readonly keyCondition: Condition | undefined;
  readonly filter: Condition | undefined;
  readonly paths: readonly Path[] | undefined;
  readonly countOnly: boolean;
  readonly limit: number;
  /** ExclusiveStartKey */
  readonly after: Item | undefined;
}

function readRequest(state: DynamoDbState, input: Input, operation: 'Query' | 'Scan'): ReadRequest {
  const name = tableNameOf(input['TableName']);
  refuseMixture(input);
  const limit = integer(input, 'Limit', 1, Infinity) ?? Infinity;
  const placeholders = new Placeholders(input);
  const keyCondition = operation === 'Query' ? readKeyCondition(input, placeholders) : undefined;
  const filterExpression = input['FilterExpression'];
  const filter =
    filterExpression === undefined
      ? readFilters(input, `${operation}Filter`)
      : parseCondition('FilterExpression', String(filterExpression), placeholders);
  const paths = readProjection(input, placeholders);
  placeholders.refuseUnused(EXPRESSION_NAMES.some((parameter) => input[parameter] !== undefined));

  const table = state.table(name);
  const index = findIndex(state, table, input['IndexName']);
  if (index?.kind === 'global' && input['ConsistentRead'] === true) {
    throw invalid('Consistent reads are not supported on global secondary indexes');
  }
  const schema = index ?? table.keys;
  if (operation === 'Query' && filter !== undefined) refuseKeysInFilter(schema, filter);
  const countOnly = readSelect(input, table, index, paths) === 'COUNT';
  const after = input['ExclusiveStartKey'] === undefined ? undefined : canonicalItem(input['ExclusiveStartKey']);
  if (after !== undefined) requireStartKey(table.keys, index, after);
  return { table, index, schema, keyCondition, filter, paths, countOnly, limit, after };
}

function readKeyCondition(input: Input, placeholders: Placeholders): Condition {
  const expression = input['KeyConditionExpression'];
  const condition =
    expression === undefined
      ? readFilters(input, 'KeyConditions')
      : parseCondition('KeyConditionExpression', String(expression), placeholders);
  if (condition === undefined) {
    throw invalid('Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.');
  }
  return condition;
}

function findIndex(state: DynamoDbState, table: Table, name: unknown): IndexSchema | undefined {
  if (name === undefined || name === null) return undefined;
  const index = table.settings.indexes.find(({ indexName }) => indexName === name);
  if (index === undefined) throw invalid(`The table does not have the specified index: ${String(name)}`);
  if (state.clock.now() < index.readyAt)
    throw invalid(`Cannot read from backfilling global secondary index: ${index.indexName}`);
  return index;
}

function refuseKeysInFilter(schema: KeySchema, filter: Condition): void {
  const names = new Set(conditionPaths(filter).map(([top]) => top));
  for (const { name } of keyAttributes(schema)) {
    if (names.has(name)) {
      throw invalid(`Filter Expression can only contain non-primary key attributes: Primary key attribute: ${name}`);
    }
  }
}

function readSelect(
  input: Input,
  table: Table,
  index: IndexSchema | undefined,
  paths: readonly Path[] | undefined,
): string | undefined {
  const select = choice(input, 'Select', SELECTS);
  if (paths !== undefined && select !== undefined && select !== 'SPECIFIC_ATTRIBUTES') {
    throw invalid(`Cannot specify the ProjectionExpression when choosing to get ${select}`);
  }
  if (select === 'SPECIFIC_ATTRIBUTES' && paths === undefined) {
    throw invalid('Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES');
  }
  if (select === 'ALL_PROJECTED_ATTRIBUTES' && index === undefined) {
    throw invalid('ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName');
  }
  const names = index?.kind === 'global' ? projectedNames(table.keys, index) : undefined;
  if (names === undefined) return select;
  if (select === 'ALL_ATTRIBUTES') {
    throw invalid(
      `One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index ${index?.indexName} because its projection type is not ALL`,
    );
  }
  const missing = (paths ?? []).map(([top]) => top).filter((top) => !names.has(top));
  if (missing.length > 0) {
    throw invalid(
      `One or more parameter values were invalid: Global secondary index ${index?.indexName} does not project [${missing.join(', ')}]`,
    );
  }
  return select;
}

/** @throws AwsError ValidationException unless it has the table's and the index's keys and no more. */
function requireStartKey(table: KeySchema, index: IndexSchema | undefined, key: Item): void {
  const attributes = new Map(
    [...keyAttributes(table), ...(index === undefined ? [] : keyAttributes(index))].map((one) => [one.name, one.type]),
  );
  const fits = [...attributes].every(([name, type]) => key[name] !== undefined && type in key[name]);
  if (!fits || Object.keys(key).length !== attributes.size) {
    throw invalid('The provided starting key is invalid: The provided key element does not match the schema');
  }
}

function placeOf(request: ReadRequest, key: Item): Place {
  const { range } = request.schema;
  return { range: range === undefined ? undefined : key[range.name], key: keyString(request.table.keys, key) };
}

function startKey(request: ReadRequest, item: Item): Item {
  const attributes = [...keyAttributes(request.table.keys), ...keyAttributes(request.schema)];
  return Object.fromEntries(attributes.map(({ name }) => [name, item[name] as AttributeValue]));
}

/** Reads until the limit, a page's size or the end. A limit that is met exactly still gives a LastEvaluatedKey. */
function readPage(request: ReadRequest, source: Iterable<StoredItem>, input: Input): Record<string, unknown> {
  const names = request.index === undefined ? undefined : projectedNames(request.table.keys, request.index);
  const items: Item[] = [];
  let count = 0;
  let scanned = 0;
  let bytes = 0;
  let last: Item | undefined;
  for (const stored of source) {
    const item = names === undefined ? stored.item : pick(stored.item, names);
    scanned++;
    bytes += names === undefined ? stored.size : itemSize(item);
    if (request.filter === undefined || evaluate(request.filter, item)) {
      count++;
      if (!request.countOnly) items.push(request.paths === undefined ? item : project(item, request.paths));
    }
    if (scanned >= request.limit || bytes >= MAXIMUM_PAGE_BYTES) {
      last = stored.item;
      break;
    }
  }
  return {
    ...(!request.countOnly && { Items: items }),
    Count: count,
    ScannedCount: scanned,
    ...(last !== undefined && { LastEvaluatedKey: startKey(request, last) }),
    ...consumed(input, new Map([[request.table.settings.name, readUnits(bytes, input['ConsistentRead'] === true)]])),
  };
}

function pick(item: Item, names: ReadonlySet<string>): Item {
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
}

function itemsOf(request: ReadRequest) {
  return request.index === undefined ? request.table.primary : request.table.index(request.index.indexName);
}

const query: Operation = (state, input) => {
  const request = readRequest(state, input, 'Query');
  const { schema, after } = request;
  const { partitionKey, inRange } = readKeyRange(schema, request.keyCondition as Condition);
  if (after !== undefined) {
    const hash = after[schema.hash.name] as AttributeValue;
    const range = schema.range === undefined ? undefined : after[schema.range.name];
    if (valueString(hash) !== valueString(partitionKey) || inRange(range) !== 0) {
      throw invalid('The provided starting key is outside query boundaries based on provided conditions');
    }
  }
  const place = after === undefined ? undefined : placeOf(request, after);
  const source = itemsOf(request)?.query(partitionKey, input['ScanIndexForward'] !== false, place, inRange) ?? [];
  return readPage(request, source, input);
};

const scan: Operation = (state, input) => {
  const segment = integer(input, 'Segment', 0, 999_999);
  const segments = integer(input, 'TotalSegments', 1, 1_000_000);
  if ((segment === undefined) !== (segments === undefined)) {
    throw invalid(
      'The TotalSegments parameter is required but was not present in the request when Segment parameter is present',
    );
  }
  if (segment !== undefined && segments !== undefined && segment >= segments) {
    throw invalid(
      `The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: ${segment} is not less than TotalSegments: ${segments}`,
    );
  }
  const request = readRequest(state, input, 'Scan');
  let after: { token: string; place: Place } | undefined;
  if (request.after !== undefined) {
    const token = partitionToken(request.after[request.schema.hash.name] as AttributeValue);
    if (segmentOf(token, segments ?? 1) !== (segment ?? 0)) {
      throw invalid(
        'The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.',
      );
    }
    after = { token, place: placeOf(request, request.after) };
  }
  return readPage(request, itemsOf(request)?.scan(segment ?? 0, segments ?? 1, after) ?? [], input);
};

export const queryOperations: Operations = { Query: query, Scan: scan };
