/** The lease table and the registry on the in-memory DynamoDB engine, behind the SDK's client interface. */
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Mutex } from '../../consumer/kcl/common/timing';
import { fromAttributes } from '../../consumer/lake/stores/attributes';
import {
  REGISTRY_PK,
  REGISTRY_SK,
  UNFOLDED_INDEX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../../lib/contracts/registry';
import { DynamoDbEngine } from '../../local/services/dynamodb/engine';
import type { VirtualTime } from '../../test/kcl/support/virtual-time';
import { operationOf, serviceError, type SimulatedProcess } from '../process';

export const LEASES = 'leases';
export const REGISTRY = 'registry';

type Attributes = Record<string, { S?: string }>;
type Input = Record<string, unknown>;
export type Row = Readonly<Record<string, unknown>>;

export interface Change {
  readonly table: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

interface Touched {
  readonly TableName: string;
  readonly Key: Attributes;
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  [LEASES]: ['leaseKey'],
  [REGISTRY]: [REGISTRY_PK, REGISTRY_SK],
};

function touched(operation: string, input: Input): Touched[] {
  const of = (write: Input): Touched => {
    const TableName = write['TableName'] as string;
    const source = (write['Key'] ?? write['Item']) as Attributes;
    return { TableName, Key: Object.fromEntries(KEYS[TableName]!.map((name) => [name, source[name]!])) };
  };
  if (operation !== 'TransactWriteItems') return [of(input)];
  return (input['TransactItems'] as Record<string, Input>[]).map((item) => of(Object.values(item)[0]!));
}

const keyOf = ({ Key }: Touched): string[] => Object.values(Key).map(({ S = '' }) => S);

function subjectOf(operation: string, input: Input): string {
  if (operation === 'Query') {
    const first = Object.values(input['ExpressionAttributeValues'] as Attributes)[0];
    return `${input['TableName']}/${first?.S}`;
  }
  if (operation === 'BatchGetItem' || operation === 'Scan' || operation === 'DescribeTable') return '';
  const first = touched(operation, input)[0]!;
  return `${first.TableName}/${keyOf(first).join('/')}`;
}

export class Database {
  /** Called with every watched item that a write changed, in the order of the writes. */
  onChange: (change: Change) => void = () => undefined;
  /** Which items, by their key's values: the rest costs two reads a write for nothing. */
  watches: (table: string, key: readonly string[]) => boolean = () => true;
  private readonly engine: DynamoDbEngine;
  private readonly mutex = new Mutex();

  constructor(time: VirtualTime) {
    let ids = 0;
    const clock = { now: () => time.now(), after: () => () => undefined };
    this.engine = new DynamoDbEngine({ clock, newId: () => `id-${ids++}` });
  }

  async createTables(): Promise<void> {
    const attribute = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' });
    const key = (hash: string, range?: string) => [
      { AttributeName: hash, KeyType: 'HASH' },
      ...(range === undefined ? [] : [{ AttributeName: range, KeyType: 'RANGE' }]),
    ];
    const index = (IndexName: string, KeySchema: object[], ProjectionType: string) => ({
      IndexName,
      KeySchema,
      Projection: { ProjectionType },
    });
    const BillingMode = 'PAY_PER_REQUEST';
    await this.engine.call('CreateTable', {
      TableName: LEASES,
      BillingMode,
      AttributeDefinitions: [attribute('leaseKey'), attribute('leaseOwner')],
      KeySchema: key('leaseKey'),
      GlobalSecondaryIndexes: [index('LeaseOwnerToLeaseKeyIndex', key('leaseOwner', 'leaseKey'), 'KEYS_ONLY')],
    });
    await this.engine.call('CreateTable', {
      TableName: REGISTRY,
      BillingMode,
      AttributeDefinitions: [REGISTRY_PK, REGISTRY_SK, UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE].map(attribute),
      KeySchema: key(REGISTRY_PK, REGISTRY_SK),
      GlobalSecondaryIndexes: [index(UNFOLDED_INDEX, key(UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE), 'ALL')],
    });
  }

  client(process: SimulatedProcess): DynamoDBClient {
    const send = ({ constructor: { name }, input }: { constructor: { name: string }; input: Input }) => {
      const operation = operationOf(name);
      const request = `${operation} ${subjectOf(operation, input)}`;
      return process.request('dynamodb', request, () => this.call(operation, input));
    };
    return { send } as unknown as DynamoDBClient;
  }

  /** All rows of a table. */
  async rows(TableName: string): Promise<Row[]> {
    const rows: Row[] = [];
    let ExclusiveStartKey: unknown;
    do {
      const page = (await this.engine.call('Scan', {
        TableName,
        ConsistentRead: true,
        ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
      })) as { Items: never[]; LastEvaluatedKey?: unknown };
      rows.push(...page.Items.map(fromAttributes));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return rows;
  }

  async get(table: string, key: Readonly<Record<string, string>>): Promise<Row | undefined> {
    return this.read({ TableName: table, Key: Object.fromEntries(Object.entries(key).map(([n, S]) => [n, { S }])) });
  }

  private async read(item: Touched): Promise<Row | undefined> {
    const { Item } = (await this.engine.call('GetItem', { ...item, ConsistentRead: true })) as { Item?: never };
    return Item === undefined ? undefined : fromAttributes(Item);
  }

  private call(operation: string, input: Input): Promise<unknown> {
    return this.mutex.run(async () => {
      try {
        if (!/^(PutItem|UpdateItem|DeleteItem|TransactWriteItems)$/.test(operation)) {
          return await this.engine.call(operation, input);
        }
        const items = touched(operation, input).filter((item) => this.watches(item.TableName, keyOf(item)));
        const before = await Promise.all(items.map((item) => this.read(item)));
        const output = await this.engine.call(operation, input);
        for (const [at, item] of items.entries()) {
          this.onChange({ table: item.TableName, before: before[at], after: await this.read(item) });
        }
        return output;
      } catch (error) {
        const { name, message, members = {} } = error as Error & { members?: object };
        // Product code asks for this one by its class.
        if (name === 'ConditionalCheckFailedException') {
          throw new ConditionalCheckFailedException({ message, $metadata: { httpStatusCode: 400 } });
        }
        throw Object.assign(serviceError(name, 400, members), { message });
      }
    });
  }
}
