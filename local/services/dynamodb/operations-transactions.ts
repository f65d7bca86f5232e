/**
 * TransactWriteItems and TransactGetItems. Calls run one at a time, so a transaction never meets another's half; that
 * two conflict, as on AWS, is a fault for tests to inject.
 */
import { hash } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import { canonicalItem, invalid } from './attribute-value';
import type { Item } from './attribute-value';
import { consumed, readUnits, writeUnits } from './capacity';
import { Placeholders } from './expressions/placeholders';
import { project } from './expressions/paths';
import { conditionFailed, holds, readItemWrite } from './item-write';
import type { ItemWrite } from './item-write';
import { readProjection } from './operations-items';
import { keyString, requireKey } from './schema';
import { list, structure, tableNameOf, TOKEN_LIFETIME_MS } from './state';
import type { DynamoDbState, Input, Operation, Operations, UsedToken, Write } from './state';

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
const MAXIMUM_ACTIONS = 100;
const MAXIMUM_BYTES = 4 << 20;
const KINDS = ['ConditionCheck', 'Put', 'Delete', 'Update'] as const;

export interface CancellationReason {
  readonly Code: string;
  readonly Message?: string;
  readonly Item?: Item;
}

/** The error of a cancelled transaction; a reason per action, `None` where the action was not the cause. */
export function transactionCanceled(reasons: readonly CancellationReason[]): AwsError {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    400,
    { CancellationReasons: reasons },
  );
}

function readActions(input: Input): Input[] {
  const actions = list(input['TransactItems'], 'TransactItems').map((action) => structure(action, 'TransactItems'));
  if (actions.length < 1 || actions.length > MAXIMUM_ACTIONS) {
    throw invalid(
      `1 validation error detected: Value with ${actions.length} members at 'transactItems' failed to satisfy constraint: ` +
        `Member must have length ${actions.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${MAXIMUM_ACTIONS}`}`,
    );
  }
  return actions;
}

function readWrite(state: DynamoDbState, action: Input): ItemWrite {
  const kinds = KINDS.filter((kind) => action[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  return readItemWrite(state, kind, structure(action[kind], kind));
}

function refuseSameItem(items: readonly { readonly table: string; readonly keyText: string }[]): void {
  if (new Set(items.map(({ table, keyText }) => `${table}/${keyText}`)).size !== items.length) {
    throw invalid('Transaction request cannot include multiple operations on one item');
  }
}

interface Outcome {
  readonly reason: CancellationReason;
  readonly write?: Write;
  readonly bytes: number;
}

function decide(request: ItemWrite, isCheck: boolean): Outcome {
  const name = request.table.settings.name;
  const stored = request.table.get(request.keyText);
  if (!holds(request, stored?.item)) {
    const { message, members } = conditionFailed(request, stored?.item);
    return { reason: { Code: 'ConditionalCheckFailed', Message: message, ...members }, bytes: 0 };
  }
  const reason = { Code: 'None' };
  if (isCheck) return { reason, bytes: stored?.size ?? 0 };
  try {
    const put = request.next(stored?.item);
    if (put !== undefined) return { reason, write: { table: name, put }, bytes: stored?.size ?? 0 };
    return stored === undefined
      ? { reason, bytes: 0 }
      : { reason, write: { table: name, delete: request.key }, bytes: stored.size };
  } catch (error) {
    return { reason: { Code: 'ValidationError', Message: (error as Error).message }, bytes: 0 };
  }
}

/** Undefined where the request has no token; `repeated` where the same request went through before. */
function readToken(state: DynamoDbState, input: Input): (UsedToken & { readonly repeated: boolean }) | undefined {
  const token = input['ClientRequestToken'];
  if (token === undefined || token === null) return undefined;
  if (typeof token !== 'string' || token.length < 1 || token.length > 36) {
    throw invalid(
      "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have a length of 1 to 36",
    );
  }
  const at = state.clock.now();
  const digest = hash('sha256', JSON.stringify(input['TransactItems']), 'hex');
  const used = state.tokens.get(token);
  if (used === undefined || at - used.at > TOKEN_LIFETIME_MS) return { token, digest, at, repeated: false };
  if (used.digest !== digest) {
    throw new AwsError(
      'IdempotentParameterMismatchException',
      'The ClientRequestToken was used within the last 10 minutes for a request with other parameters',
    );
  }
  return { ...used, repeated: true };
}

const transactWriteItems: Operation = (state, input) => {
  const actions = readActions(input);
  const requests = actions.map((action) => readWrite(state, action));
  refuseSameItem(requests.map(({ table, keyText }) => ({ table: table.settings.name, keyText })));
  const token = readToken(state, input);
  if (token?.repeated === true) return {};

  const outcomes = requests.map((request, index) => decide(request, actions[index]?.['ConditionCheck'] !== undefined));
  const reasons = outcomes.map(({ reason }) => reason);
  if (reasons.some(({ Code }) => Code !== 'None')) throw transactionCanceled(reasons);
  if (outcomes.reduce((sum, { bytes }) => sum + bytes, 0) > MAXIMUM_BYTES) {
    throw invalid(`Transaction request exceeds the maximum size of ${MAXIMUM_BYTES} bytes`);
  }
  const used = token === undefined ? undefined : { token: token.token, digest: token.digest, at: token.at };
  state.write(
    outcomes.flatMap(({ write }) => write ?? []),
    used,
  );
  const units = new Map<string, number>();
  for (const [index, { table, keyText }] of requests.entries()) {
    const size = Math.max(outcomes[index]?.bytes ?? 0, table.get(keyText)?.size ?? 0);
    units.set(table.settings.name, (units.get(table.settings.name) ?? 0) + 2 * writeUnits(size));
  }
  return consumed(input, units, true);
};

const transactGetItems: Operation = (state, input) => {
  const units = new Map<string, number>();
  const gets = readActions(input).map((action) => {
    const get = structure(action['Get'], 'Get');
    const name = tableNameOf(get['TableName']);
    const placeholders = new Placeholders(get);
    const paths = readProjection(get, placeholders);
    placeholders.refuseUnused(get['ProjectionExpression'] !== undefined);
    const table = state.table(name);
    const key = canonicalItem(get['Key']);
    requireKey(table.keys, key);
    return { table: name, keyText: keyString(table.keys, key), paths };
  });
  refuseSameItem(gets);
  const responses = gets.map(({ table, keyText, paths }) => {
    const stored = state.table(table).get(keyText);
    units.set(table, (units.get(table) ?? 0) + 2 * readUnits(stored?.size ?? 0, true));
    if (stored === undefined) return {};
    return { Item: paths === undefined ? stored.item : project(stored.item, paths) };
  });
  return { Responses: responses, ...consumed(input, units, true) };
};

export const transactionOperations: Operations = {
  TransactWriteItems: transactWriteItems,
  TransactGetItems: transactGetItems,
};
