/** The registry in DynamoDB. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type AttributeValue,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import {
  REGISTRY_PK,
  REGISTRY_SK,
  UNFOLDED_INDEX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../../../lib/contracts/registry';
import type { Clock } from '../clock';
import { fromAttributes, toAttribute, toAttributes } from './attributes';
import {
  ConditionFailedError,
  type Condition,
  type Item,
  type Key,
  type RegistryStore,
  type UnfoldedQuery,
  type Write,
} from './registry-store';

/** BatchGetItem's limit. */
const BATCH_GET_KEYS = 100;
const CONFLICT_ATTEMPTS = 8;
const CONFLICT_WAIT_MS = 25;

type Attributes = Record<string, AttributeValue>;

interface Expressions {
  ConditionExpression?: string;
  UpdateExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Attributes;
}

/** Expression text with every name and value behind a placeholder. */
class ExpressionBuilder {
  private readonly names: Record<string, string> = {};
  private readonly values: Attributes = {};
  private count = 0;

  name(path: string): string {
    return path
      .split('.')
      .map((part) => {
        this.names[`#${part}`] = part;
        return `#${part}`;
      })
      .join('.');
  }

  value(value: unknown): string {
    const placeholder = `:v${this.count++}`;
    this.values[placeholder] = toAttribute(value);
    return placeholder;
  }

  condition(condition: Condition): string {
    const all = condition.map((tests) =>
      tests
        .map((test) => {
          if ('absent' in test) return `attribute_not_exists(${this.name(test.path)})`;
          if ('equals' in test) return `${this.name(test.path)} = ${this.value(test.equals)}`;
          return `${this.name(test.path)} < ${this.value(test.lessThan)}`;
        })
        .join(' AND '),
    );
    return all.length === 1 ? all[0]! : all.map((tests) => `(${tests})`).join(' OR ');
  }

  update(set: Readonly<Record<string, unknown>>, remove: readonly string[]): string {
    const assignments = Object.entries(set).map(([path, value]) => `${this.name(path)} = ${this.value(value)}`);
    const clauses: string[] = [];
    if (assignments.length > 0) clauses.push(`SET ${assignments.join(', ')}`);
    if (remove.length > 0) clauses.push(`REMOVE ${remove.map((path) => this.name(path)).join(', ')}`);
    return clauses.join(' ');
  }

  placeholders(): Expressions {
    return {
      ...(Object.keys(this.names).length > 0 ? { ExpressionAttributeNames: this.names } : {}),
      ...(Object.keys(this.values).length > 0 ? { ExpressionAttributeValues: this.values } : {}),
    };
  }
}

export class DynamoDbRegistryStore implements RegistryStore {
  constructor(
    private readonly client: DynamoDBClient,
    private readonly tableName: string,
    private readonly clock: Clock,
  ) {}

  async get(key: Key): Promise<Item | undefined> {
    const { Item } = await this.client.send(
      new GetItemCommand({ TableName: this.tableName, Key: keyAttributes(key), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : (fromAttributes(Item) as Item);
  }

  async getMany(keys: readonly Key[]): Promise<Item[]> {
    const items: Item[] = [];
    let pending = keys.map(keyAttributes);
    for (let attempt = 0; pending.length > 0; attempt++) {
      const batch = pending.slice(0, BATCH_GET_KEYS);
      const { Responses, UnprocessedKeys } = await this.client.send(
        new BatchGetItemCommand({ RequestItems: { [this.tableName]: { Keys: batch, ConsistentRead: true } } }),
      );
      for (const item of Responses?.[this.tableName] ?? []) items.push(fromAttributes(item) as Item);
      const unprocessed = (UnprocessedKeys?.[this.tableName]?.Keys ?? []) as Attributes[];
      if (unprocessed.length === batch.length) await this.clock.sleep(CONFLICT_WAIT_MS * 2 ** Math.min(attempt, 6));
      pending = [...unprocessed, ...pending.slice(BATCH_GET_KEYS)];
    }
    return items;
  }

  async query(pk: string, prefix = ''): Promise<Item[]> {
    const input: QueryCommandInput = {
      TableName: this.tableName,
      ConsistentRead: true,
      KeyConditionExpression: prefix === '' ? '#pk = :pk' : '#pk = :pk AND begins_with(#sk, :prefix)',
      ExpressionAttributeNames: { '#pk': REGISTRY_PK, ...(prefix === '' ? {} : { '#sk': REGISTRY_SK }) },
      ExpressionAttributeValues: { ':pk': { S: pk }, ...(prefix === '' ? {} : { ':prefix': { S: prefix } }) },
    };
    const items: Item[] = [];
    do {
      const page = await this.client.send(new QueryCommand(input));
      for (const item of page.Items ?? []) items.push(fromAttributes(item) as Item);
      input.ExclusiveStartKey = page.LastEvaluatedKey;
    } while (input.ExclusiveStartKey !== undefined);
    return items;
  }

  async unfolded({ hash, after, before, limit }: UnfoldedQuery): Promise<Item[]> {
    // A key condition takes one test of the range key; the open interval (after, before) is BETWEEN without its ends.
    const range =
      after !== undefined && before !== undefined
        ? '#range BETWEEN :after AND :before'
        : after !== undefined
          ? '#range > :after'
          : before !== undefined
            ? '#range < :before'
            : undefined;
    const input: QueryCommandInput = {
      TableName: this.tableName,
      IndexName: UNFOLDED_INDEX,
      KeyConditionExpression: range === undefined ? '#hash = :hash' : `#hash = :hash AND ${range}`,
      ExpressionAttributeNames: {
        '#hash': UNFOLDED_INDEX_HASH,
        ...(range === undefined ? {} : { '#range': UNFOLDED_INDEX_RANGE }),
      },
      ExpressionAttributeValues: {
        ':hash': { S: hash },
        ...(after === undefined ? {} : { ':after': { S: after } }),
        ...(before === undefined ? {} : { ':before': { S: before } }),
      },
    };
    const items: Item[] = [];
    do {
      const page = await this.client.send(new QueryCommand({ ...input, Limit: limit - items.length }));
      for (const attributes of page.Items ?? []) {
        const item = fromAttributes(attributes) as Item;
        const at = item[UNFOLDED_INDEX_RANGE] as string;
        if (at !== after && at !== before) items.push(item);
      }
      input.ExclusiveStartKey = page.LastEvaluatedKey;
    } while (input.ExclusiveStartKey !== undefined && items.length < limit);
    return items;
  }

  async write(write: Write): Promise<void> {
    const parts = this.expressions(write);
    const command =
      'put' in write
        ? new PutItemCommand({ ...parts, Item: toAttributes(write.put) })
        : 'update' in write
          ? new UpdateItemCommand({ ...parts, Key: keyAttributes(write.update) })
          : new DeleteItemCommand({ ...parts, Key: keyAttributes(write.delete) });
    await this.withoutConflicts(() => this.client.send(command as PutItemCommand));
  }

  async transact(writes: readonly Write[]): Promise<void> {
    const TransactItems = writes.map((write) => {
      const parts = this.expressions(write);
      if ('put' in write) return { Put: { ...parts, Item: toAttributes(write.put) } };
      if ('update' in write) {
        const { UpdateExpression = '', ...rest } = parts;
        return { Update: { ...rest, UpdateExpression, Key: keyAttributes(write.update) } };
      }
      return { Delete: { ...parts, Key: keyAttributes(write.delete) } };
    });
    await this.withoutConflicts(() => this.client.send(new TransactWriteItemsCommand({ TransactItems })));
  }

  private expressions(write: Write): Expressions & { TableName: string } {
    const builder = new ExpressionBuilder();
    const parts: Expressions = {};
    if (write.condition !== undefined && write.condition.length > 0) {
      parts.ConditionExpression = builder.condition(write.condition);
    }
    if ('update' in write) parts.UpdateExpression = builder.update(write.set ?? {}, write.remove ?? []);
    return { TableName: this.tableName, ...parts, ...builder.placeholders() };
  }

  /**
   * A transaction and any other write of one item at one time conflict, both ways: try again.
   * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
   */
  private async withoutConflicts(send: () => Promise<unknown>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await send();
        return;
      } catch (error) {
        const kind = failureOf(error as Error);
        if (kind === 'condition') throw new ConditionFailedError((error as Error).message);
        if (kind !== 'conflict' || attempt >= CONFLICT_ATTEMPTS) throw error;
        await this.clock.sleep(CONFLICT_WAIT_MS * 2 ** attempt);
      }
    }
  }
}

function failureOf(error: Error): 'condition' | 'conflict' | 'other' {
  if (error.name === 'ConditionalCheckFailedException') return 'condition';
  if (error.name === 'TransactionConflictException' || error.name === 'TransactionInProgressException')
    return 'conflict';
  if (error.name !== 'TransactionCanceledException') return 'other';
  const codes = ((error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? []).map(
    ({ Code }) => Code,
  );
  if (codes.includes('ConditionalCheckFailed')) return 'condition';
  const transient = ['None', 'TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'];
  return codes.length > 0 && codes.every((code) => code === undefined || transient.includes(code))
    ? 'conflict'
    : 'other';
}

function keyAttributes({ pk, sk }: Key): Attributes {
  return { [REGISTRY_PK]: { S: pk }, [REGISTRY_SK]: { S: sk } };
}
