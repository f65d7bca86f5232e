import type { Item } from '../../../local/services/dynamodb/attribute-value';
import { DynamoDbEngine } from '../../../local/services/dynamodb/engine';
import type { DynamoDbEngineOptions } from '../../../local/services/dynamodb/engine';
import { ManualClock } from '../support/manual-clock';

export type Output = Record<string, unknown> & {
  Item?: Item;
  Items?: Item[];
  Attributes?: Item;
  Count?: number;
  ScannedCount?: number;
  LastEvaluatedKey?: Item;
};

/** Table `items`: pk S, sk N; indexes byOwner (owner S, at N; ALL), sparse byMark (mark S; KEYS_ONLY), byKind (kind S; INCLUDE note). */
const TABLE = {
  TableName: 'items',
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: Object.entries({ pk: 'S', sk: 'N', owner: 'S', at: 'N', mark: 'S', kind: 'S' }).map(
    ([AttributeName, AttributeType]) => ({
      AttributeName,
      AttributeType,
    }),
  ),
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'byOwner',
      KeySchema: [
        { AttributeName: 'owner', KeyType: 'HASH' },
        { AttributeName: 'at', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'ALL' },
    },
    {
      IndexName: 'byMark',
      KeySchema: [{ AttributeName: 'mark', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
    {
      IndexName: 'byKind',
      KeySchema: [{ AttributeName: 'kind', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['note'] },
    },
  ],
};

export class Harness {
  readonly clock = new ManualClock();
  engine: DynamoDbEngine;

  constructor(readonly options: Partial<DynamoDbEngineOptions> = {}) {
    this.engine = new DynamoDbEngine({ clock: this.clock, ...options });
  }

  static async start(options: Partial<DynamoDbEngineOptions> = {}): Promise<Harness> {
    const harness = new Harness(options);
    await harness.call('CreateTable', TABLE);
    return harness;
  }

  restart(): void {
    this.engine.close();
    this.engine = new DynamoDbEngine({ clock: this.clock, ...this.options });
  }

  async call<T = Output>(operation: string, input: Record<string, unknown> = {}): Promise<T> {
    return (await this.engine.call(operation, input)) as T;
  }

  put(item: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<Output> {
    return this.call('PutItem', { TableName: 'items', Item: { ...key('p', 1), ...item }, ...more });
  }

  update(expression: string, values?: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<Output> {
    return this.call('UpdateItem', {
      TableName: 'items',
      Key: key('p', 1),
      UpdateExpression: expression,
      ...(values !== undefined && { ExpressionAttributeValues: values }),
      ...more,
    });
  }

  /** The item without its key. */
  async get(pk = 'p', sk = 1): Promise<Item | undefined> {
    const { Item } = await this.call('GetItem', { TableName: 'items', Key: key(pk, sk), ConsistentRead: true });
    if (Item === undefined) return undefined;
    return Object.fromEntries(Object.entries(Item).filter(([name]) => name !== 'pk' && name !== 'sk'));
  }
}

export function key(pk: string, sk: number): Record<string, { S: string } | { N: string }> {
  return { pk: { S: pk }, sk: { N: String(sk) } };
}

export const S = (text: string) => ({ S: text });
export const N = (number: number | string) => ({ N: String(number) });
export const L = (...members: unknown[]) => ({ L: members });
export const M = (members: Record<string, unknown>) => ({ M: members });
