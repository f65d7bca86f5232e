/** PutItem, GetItem, UpdateItem, DeleteItem. */
import { canonicalItem, invalid } from './attribute-value';
import type { Item } from './attribute-value';
import { consumed, readUnits, writeUnits } from './capacity';
import type { Path } from './expressions/ast';
import { project } from './expressions/paths';
import { Placeholders } from './expressions/placeholders';
import { parseProjection } from './expressions/update-parser';
import { conditionFailed, holds, readItemWrite } from './item-write';
import { readAttributesToGet, refuseMixture } from './legacy';
import { keyString, requireKey } from './schema';
import { choice, tableNameOf } from './state';
import type { Input, Operation, Operations } from './state';

const RETURN_VALUES = ['NONE', 'ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATED_NEW'] as const;

function write(kind: 'Put' | 'Update' | 'Delete'): Operation {
  return (state, input) => {
    const returned = choice(input, 'ReturnValues', RETURN_VALUES) ?? 'NONE';
    if (kind !== 'Update' && returned !== 'NONE' && returned !== 'ALL_OLD')
      throw invalid('Return values set to invalid value');
    const request = readItemWrite(state, kind, input);
    const stored = request.table.get(request.keyText);
    const old = stored?.item;
    if (!holds(request, old)) throw conditionFailed(request, old);
    const next = request.next(old);
    const name = request.table.settings.name;
    if (next !== undefined) state.write([{ table: name, put: next }]);
    else if (old !== undefined) state.write([{ table: name, delete: request.key }]);
    const attributes = returnedAttributes(returned, old, next, request.paths);
    const size = Math.max(stored?.size ?? 0, request.table.get(request.keyText)?.size ?? 0);
    return {
      ...(attributes !== undefined && { Attributes: attributes }),
      ...consumed(input, new Map([[name, writeUnits(size)]])),
    };
  };
}

function returnedAttributes(
  returned: (typeof RETURN_VALUES)[number],
  old: Item | undefined,
  next: Item | undefined,
  paths: readonly Path[],
): Item | undefined {
  if (returned === 'NONE') return undefined;
  const item = returned.endsWith('_OLD') ? old : next;
  if (item === undefined) return undefined;
  const attributes = returned.startsWith('ALL_') ? item : project(item, paths);
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

/** ProjectionExpression or AttributesToGet. @throws AwsError ValidationException */
export function readProjection(input: Input, placeholders: Placeholders): Path[] | undefined {
  const expression = input['ProjectionExpression'];
  return expression === undefined ? readAttributesToGet(input) : parseProjection(String(expression), placeholders);
}

const getItem: Operation = (state, input) => {
  const name = tableNameOf(input['TableName']);
  refuseMixture(input);
  const placeholders = new Placeholders(input);
  const paths = readProjection(input, placeholders);
  placeholders.refuseUnused(input['ProjectionExpression'] !== undefined);
  const table = state.table(name);
  const key = canonicalItem(input['Key']);
  requireKey(table.keys, key);
  const stored = table.get(keyString(table.keys, key));
  return {
    ...(stored !== undefined && { Item: paths === undefined ? stored.item : project(stored.item, paths) }),
    ...consumed(input, new Map([[name, readUnits(stored?.size ?? 0, input['ConsistentRead'] === true)]])),
  };
};

export const itemOperations: Operations = {
  PutItem: write('Put'),
  UpdateItem: write('Update'),
  DeleteItem: write('Delete'),
  GetItem: getItem,
};
