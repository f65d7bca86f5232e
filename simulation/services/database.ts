/** The lease table and the registry on the in-memory DynamoDB engine, behind the SDK's client interface. */
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { fromAttributes } from '../../consumer/lake/stores/attributes';
import {
  REGISTRY_PK,
  REGISTRY_SK,
  UNFOLDED_INDEX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../../lib/contracts/registry';
import type { Item } from '../../local/services/dynamodb/attribute-value';
import { DynamoDbEngine } from '../../local/services/dynamodb/engine';
import type { VirtualTime } from '../../test/kcl/support/virtual-time';
import { operationOf, serviceError, type SimulatedProcess } from '../process';

export const LEASES = 'leases';
export const REGISTRY = 'registry';

type Attributes = Record<string, { S: string }>;
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

const WRITES: ReadonlySet<string> = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'TransactWriteItems']);

const KEYS: Readonly<Record<string, readonly string[]>> = {
  [LEASES]: ['leaseKey'],
  [REGISTRY]: [REGISTRY_PK, REGISTRY_SK],
};

function touchedBy(write: Input): Touched {
  const TableName = write['TableName'] as string;
  const source = (write['Key'] ?? write['Item']) as Attributes;
  const Key: Attributes = {};
  for (const name of KEYS[TableName]!) Key[name] = source[name]!;
  return { TableName, Key };
}

function touched(operation: string, input: Input): Touched[] {
  if (operation !== 'TransactWriteItems') return [touchedBy(input)];
  return (input['TransactItems'] as Record<string, Input>[]).map((item) => touchedBy(Object.values(item)[0]!));
}

const keyOf = ({ TableName, Key }: Touched): string[] => KEYS[TableName]!.map((name) => Key[name]!.S);

function subjectOf(operation: string, input: Input): string {
  if (operation === 'Query') {
    const first = Object.values(input['ExpressionAttributeValues'] as Attributes)[0];
    return `${input['TableName']}/${first?.S}`;
  }
  if (operation === 'BatchGetItem' || operation === 'Scan' || operation === 'DescribeTable') return '';
  const first =
    operation === 'TransactWriteItems'
      ? touchedBy(Object.values((input['TransactItems'] as Record<string, Input>[])[0]!)[0]!)
      : touchedBy(input);
  return `${first.TableName}/${keyOf(first).join('/')}`;
}

export class Database {
  /** Called with every watched item that a write changed, in the order of the writes. */
  onChange: (change: Change) => void = () => undefined;
  /** Which items, by their key's values: the rest costs two reads a write for nothing. */
  watches: (table: string, key: readonly string[]) => boolean = () => true;
  private readonly engine: DynamoDbEngine;
  /** Of stored items, which are never changed in place. */
  private readonly rowsOfItems = new WeakMap<object, Row>();

  /** Of the reads since the last write. */
  private readonly answers = new Map<string, unknown>();

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

  /** All rows of a table, in no order that means anything. */
  rows(table: string): Row[] {
    return Array.from(this.engine.allStored(table), (item) => this.rowOf(item)!);
  }

  private read({ TableName, Key }: Touched): Row | undefined {
    return this.rowOf(this.engine.stored(TableName, Key));
  }

  private rowOf(item: Item | undefined): Row | undefined {
    if (item === undefined) return undefined;
    let row = this.rowsOfItems.get(item);
    if (row === undefined) this.rowsOfItems.set(item, (row = fromAttributes(item as never)));
    return row;
  }

  /** Most reads are polls, which find what they found before. */
  private readAgain(operation: string, input: Input): unknown {
    const request = operation + JSON.stringify(input);
    let answer = this.answers.get(request);
    if (answer === undefined) this.answers.set(request, (answer = this.engine.callNow(operation, input)));
    return answer;
  }

  /** At once: nothing comes between a write and those who watch it. */
  private call(operation: string, input: Input): unknown {
    try {
      if (!WRITES.has(operation)) return this.readAgain(operation, input);
      this.answers.clear();
      const items = touched(operation, input).filter((item) => this.watches(item.TableName, keyOf(item)));
      const before = items.map((item) => this.read(item));
      const output = this.engine.callNow(operation, input);
      for (const [at, item] of items.entries()) {
        this.onChange({ table: item.TableName, before: before[at], after: this.read(item) });
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
  }
}
