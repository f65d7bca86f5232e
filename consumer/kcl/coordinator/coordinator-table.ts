/** A table that holds coordinator state or worker metrics: the lease table itself, or one of the two of KCL 3.0 to 3.4. */
import type { AttributeValue, Clock, DynamoDbApi, Item } from '../dependencies';
import { errorName } from '../common/errors';
import { withTimeout } from '../common/timing';

export interface CoordinatorTableOptions {
  readonly dynamodb: DynamoDbApi;
  readonly clock: Clock;
  readonly tableName: string;
  /** Its partition key. */
  readonly keyAttribute: string;
  /** Milliseconds. */
  readonly requestTimeout: number;
}

/** Of a conditional write: whether it was done, and the row as it stood where it was refused. */
export interface RowOutcome {
  readonly written: boolean;
  readonly current?: Item;
}

/** One attempt each; methods throw the service's error, or RequestTimeoutError. */
export class CoordinatorTable {
  constructor(private readonly options: CoordinatorTableOptions) {}

  get keyAttribute(): string {
    return this.options.keyAttribute;
  }

  /** Strongly consistent. */
  async get(key: string): Promise<Item | undefined> {
    const { Item: item } = await this.request('GetItem', (signal) =>
      this.options.dynamodb.getItem(
        { TableName: this.options.tableName, Key: this.key(key), ConsistentRead: true },
        signal,
      ),
    );
    return item;
  }

  async list(): Promise<readonly Item[]> {
    const items: Item[] = [];
    for (let start: Item | undefined; ;) {
      const from = start === undefined ? {} : { ExclusiveStartKey: start };
      const page = await this.request('Scan', (signal) =>
        this.options.dynamodb.scan({ TableName: this.options.tableName, ConsistentRead: true, ...from }, signal),
      );
      items.push(...page.Items);
      start = page.LastEvaluatedKey;
      if (start === undefined) return items;
    }
  }

  /** If there is no such row. */
  create(key: string, attributes: Item): Promise<RowOutcome> {
    const { keyAttribute, tableName } = this.options;
    return this.outcome('PutItem', (signal) =>
      this.options.dynamodb.putItem(
        {
          TableName: tableName,
          Item: { ...this.key(key), ...attributes },
          ConditionExpression: 'attribute_not_exists(#k)',
          ExpressionAttributeNames: { '#k': keyAttribute },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        },
        signal,
      ),
    );
  }

  /**
   * Sets attributes and removes others; the rest of the row stays, and a row that is missing is made.
   * @param expected attributes that must have these values
   */
  update(key: string, set: Item, expected: Item = {}, remove: readonly string[] = []): Promise<RowOutcome> {
    const names: Record<string, string> = {};
    const values: Record<string, AttributeValue> = {};
    const assign = (attributes: Item, prefix: string): string[] =>
      Object.entries(attributes).map(([name, value]) => {
        names[`#${name}`] = name;
        values[`:${prefix}${name}`] = value;
        return `#${name} = :${prefix}${name}`;
      });
    const parts = [`SET ${assign(set, '').join(', ')}`];
    if (remove.length > 0) {
      for (const name of remove) names[`#${name}`] = name;
      parts.push(`REMOVE ${remove.map((name) => `#${name}`).join(', ')}`);
    }
    const conditions = assign(expected, 'was_');
    return this.outcome('UpdateItem', async (signal) => {
      await this.options.dynamodb.updateItem(
        {
          TableName: this.options.tableName,
          Key: this.key(key),
          UpdateExpression: parts.join(' '),
          ...(conditions.length > 0 ? { ConditionExpression: conditions.join(' AND ') } : {}),
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: values,
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        },
        signal,
      );
    });
  }

  async delete(key: string): Promise<void> {
    await this.request('DeleteItem', (signal) =>
      this.options.dynamodb.deleteItem({ TableName: this.options.tableName, Key: this.key(key) }, signal),
    );
  }

  private async outcome(what: string, send: (signal: AbortSignal) => Promise<void>): Promise<RowOutcome> {
    try {
      await this.request(what, send);
      return { written: true };
    } catch (error) {
      if (errorName(error) !== 'ConditionalCheckFailedException') throw error;
      const { Item: item } = error as { Item?: Item };
      return { written: false, ...(item === undefined ? {} : { current: item }) };
    }
  }

  private key(key: string): Item {
    return { [this.options.keyAttribute]: { S: key } };
  }

  private request<T>(what: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withTimeout(this.options.clock, this.options.requestTimeout, `DynamoDB ${what}`, send);
  }
}
