/** A write of one item, of PutItem, UpdateItem, DeleteItem or a transaction: what it asks, and what it makes of the item. */
import { AwsError } from '../../gateway/service';
import { canonicalItem, invalid } from './attribute-value';
import type { Item } from './attribute-value';
import type { Condition, Path, Update } from './expressions/ast';
import { parseCondition } from './expressions/condition-parser';
import { applyUpdate, evaluate } from './expressions/evaluate';
import { Placeholders } from './expressions/placeholders';
import { parseUpdate, updatedPaths } from './expressions/update-parser';
import { readAttributeUpdates, readExpected, refuseMixture } from './legacy';
import { keyAttributes, keyOf, keyString, requireItem, requireKey } from './schema';
import { choice, tableNameOf } from './state';
import type { DynamoDbState, Input } from './state';
import type { Table } from './table';

const EXPRESSION_NAMES = ['ConditionExpression', 'UpdateExpression'];

export interface ItemWrite {
  readonly table: Table;
  readonly key: Item;
  readonly keyText: string;
  readonly condition?: Condition;
  readonly returnOnFailure: boolean;
  /** Paths that an update names, for UPDATED_OLD and UPDATED_NEW. */
  readonly paths: readonly Path[];
  /** The item afterwards; undefined where there is none. @throws AwsError ValidationException */
  next(old: Item | undefined): Item | undefined;
}

type Kind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck';

/** Checks everything that does not depend on the item. @throws AwsError */
export function readItemWrite(state: DynamoDbState, kind: Kind, input: Input): ItemWrite {
  const name = tableNameOf(input['TableName']);
  refuseMixture(input);
  const placeholders = new Placeholders(input);
  const expression = input['ConditionExpression'];
  const condition =
    expression === undefined
      ? readExpected(input)
      : parseCondition('ConditionExpression', String(expression), placeholders);
  const update = kind === 'Update' ? readUpdate(input, placeholders) : undefined;
  placeholders.refuseUnused(EXPRESSION_NAMES.some((parameter) => input[parameter] !== undefined));
  if (kind === 'ConditionCheck' && condition === undefined) throw invalid('The expression can not be empty;');
  const returnOnFailure =
    choice(input, 'ReturnValuesOnConditionCheckFailure', ['NONE', 'ALL_OLD'] as const) === 'ALL_OLD';

  const table = state.table(name);
  const common = { table, returnOnFailure, ...(condition !== undefined && { condition }) };
  if (kind === 'Put') {
    const item = canonicalItem(input['Item']);
    requireItem(table.keys, table.settings.indexes, item, 'Item size has exceeded the maximum allowed size');
    return {
      ...common,
      key: keyOf(table.keys, item),
      keyText: keyString(table.keys, item),
      paths: [],
      next: () => item,
    };
  }
  const key = canonicalItem(input['Key']);
  requireKey(table.keys, key);
  const located = { ...common, key, keyText: keyString(table.keys, key) };
  if (update === undefined) return { ...located, paths: [], next: (old) => (kind === 'Delete' ? undefined : old) };
  const paths = updatedPaths(update);
  for (const attribute of keyAttributes(table.keys)) {
    if (paths.some(([top]) => top === attribute.name)) {
      throw invalid(
        `One or more parameter values were invalid: Cannot update attribute ${attribute.name}. This attribute is part of the key`,
      );
    }
  }
  return { ...located, paths, next: (old) => updateItem(table, key, update, old) };
}

function readUpdate(input: Input, placeholders: Placeholders): Update {
  const expression = input['UpdateExpression'];
  if (expression !== undefined) return parseUpdate(String(expression), placeholders);
  return readAttributeUpdates(input) ?? { sets: [], removes: [], adds: [], deletes: [] };
}

function updateItem(table: Table, key: Item, update: Update, old: Item | undefined): Item | undefined {
  const item = applyUpdate(old ?? key, update);
  // Removing from an item that is not there does not create it; any other update does, even an empty one.
  const onlyRemoves =
    update.sets.length + update.adds.length === 0 && update.removes.length + update.deletes.length > 0;
  if (old === undefined && onlyRemoves) return undefined;
  requireItem(table.keys, table.settings.indexes, item, 'Item size to update has exceeded the maximum allowed size');
  return item;
}

export function holds(write: ItemWrite, old: Item | undefined): boolean {
  return write.condition === undefined || evaluate(write.condition, old ?? {});
}

export function conditionFailed(write: ItemWrite, old: Item | undefined): AwsError {
  const members = write.returnOnFailure && old !== undefined ? { Item: old } : {};
  return new AwsError('ConditionalCheckFailedException', 'The conditional request failed', 400, members);
}
