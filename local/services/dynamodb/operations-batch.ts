/** BatchGetItem and BatchWriteItem. */
import { canonicalItem, invalid } from './attribute-value';
import type { Item } from './attribute-value';
import { consumed, readUnits, writeUnits } from './capacity';
import { Placeholders } from './expressions/placeholders';
import { project } from './expressions/paths';
import { readItemWrite } from './item-write';
import { readProjection } from './operations-items';
import { keyString, requireKey } from './schema';
import { list, structure, tableNameOf } from './state';
import type { Input, Operation, Operations, Write } from './state';

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html */
const MAXIMUM_GETS = 100;
const MAXIMUM_GET_BYTES = 16 << 20;
/** @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html */
const MAXIMUM_WRITES = 25;

function readRequests(input: Input): [string, unknown][] {
  const requests = Object.entries(structure(input['RequestItems'], 'RequestItems'));
  if (requests.length === 0) {
    throw invalid(
      "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  }
  return requests.map(([name, request]) => [tableNameOf(name), request]);
}

function refuseDuplicates(keys: readonly string[]): void {
  if (new Set(keys).size !== keys.length) throw invalid('Provided list of item keys contains duplicates');
}

const batchGetItem: Operation = (state, input) => {
  const requests = readRequests(input).map(([name, value]) => {
    const request = structure(value, 'RequestItems');
    const placeholders = new Placeholders(request);
    const paths = readProjection(request, placeholders);
    placeholders.refuseUnused(request['ProjectionExpression'] !== undefined);
    const table = state.table(name);
    const keys = list(request['Keys'], 'Keys').map((key) => canonicalItem(key));
    if (keys.length === 0) throw invalid('The Keys of a table in BatchGetItem must have at least one member');
    for (const key of keys) requireKey(table.keys, key);
    refuseDuplicates(keys.map((key) => keyString(table.keys, key)));
    return { name, request, table, keys, paths };
  });
  if (requests.reduce((sum, { keys }) => sum + keys.length, 0) > MAXIMUM_GETS)
    throw invalid('Too many items requested for the BatchGetItem call');

  const responses: Record<string, Item[]> = {};
  const unprocessed: Record<string, unknown> = {};
  const units = new Map<string, number>();
  let bytes = 0;
  for (const { name, request, table, keys, paths } of requests) {
    const items: Item[] = (responses[name] = []);
    const left: Item[] = [];
    for (const key of keys) {
      const stored = table.get(keyString(table.keys, key));
      if (bytes + (stored?.size ?? 0) > MAXIMUM_GET_BYTES) {
        left.push(key);
        continue;
      }
      bytes += stored?.size ?? 0;
      units.set(name, (units.get(name) ?? 0) + readUnits(stored?.size ?? 0, request['ConsistentRead'] === true));
      if (stored !== undefined) items.push(paths === undefined ? stored.item : project(stored.item, paths));
    }
    if (left.length > 0) unprocessed[name] = { ...request, Keys: left };
  }
  return { Responses: responses, UnprocessedKeys: unprocessed, ...consumed(input, units, true) };
};

const batchWriteItem: Operation = (state, input) => {
  const requests = readRequests(input).flatMap(([name, value]) => {
    const entries = list(value, 'RequestItems').map((entry) => structure(entry, 'WriteRequest'));
    if (entries.length === 0)
      throw invalid('The write requests of a table in BatchWriteItem must have at least one member');
    const writes = entries.map((entry) => {
      const put = entry['PutRequest'];
      const remove = entry['DeleteRequest'];
      if ((put === undefined) === (remove === undefined)) {
        throw invalid(
          'Supplied AttributeValue has more than one datatypes set: a WriteRequest has either a PutRequest or a DeleteRequest',
        );
      }
      return put === undefined
        ? readItemWrite(state, 'Delete', { TableName: name, Key: structure(remove, 'DeleteRequest')['Key'] })
        : readItemWrite(state, 'Put', { TableName: name, Item: structure(put, 'PutRequest')['Item'] });
    });
    refuseDuplicates(writes.map(({ keyText }) => keyText));
    return writes;
  });
  if (requests.length > MAXIMUM_WRITES) throw invalid('Too many items requested for the BatchWriteItem call');

  const units = new Map<string, number>();
  const writes = requests.map((request): Write => {
    const table = request.table.settings.name;
    const put = request.next(undefined);
    return put === undefined ? { table, delete: request.key } : { table, put };
  });
  state.write(writes);
  for (const { table, keyText } of requests) {
    const name = table.settings.name;
    units.set(name, (units.get(name) ?? 0) + writeUnits(table.get(keyText)?.size ?? 0));
  }
  return { UnprocessedItems: {}, ...consumed(input, units, true) };
};

export const batchOperations: Operations = { BatchGetItem: batchGetItem, BatchWriteItem: batchWriteItem };
