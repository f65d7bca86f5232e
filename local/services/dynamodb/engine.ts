/**
 * DynamoDB in process: tables, indexes, expressions, conditions and transactions, durable on disk. Knows nothing of
 * HTTP. Calls run one at a time, each whole, so every read is consistent.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
 */
import { randomUUID } from 'node:crypto';
import { AwsError, ResponseDropped } from '../../gateway/service';
import type { Caller, Clock, JsonService } from '../../gateway/service';
import { batchOperations } from './operations-batch';
import { itemOperations } from './operations-items';
import { queryOperations } from './operations-query';
import { settingsOperations } from './operations-settings';
import { tableOperations } from './operations-tables';
import { transactionOperations } from './operations-transactions';
import type { Item } from './attribute-value';
import { keyString } from './schema';
import { DynamoDbState } from './state';
import type { Operations } from './state';

const operations: Operations = {
  ...tableOperations,
  ...settingsOperations,
  ...itemOperations,
  ...queryOperations,
  ...batchOperations,
  ...transactionOperations,
};

export interface DynamoDbEngineOptions {
  readonly clock: Clock;
  /** Directory of the journal; without one tables live in memory only. */
  readonly directory?: string;
  /** How long tables and indexes stay CREATING or UPDATING, milliseconds. @default 0 */
  readonly statusDelayMs?: number;
  /** Ids of tables. @default random UUIDs */
  readonly newId?: () => string;
  /**
   * Asked before every call: an error (such as TransactionConflictException) is thrown instead of it; `drop-response`
   * lets the call take effect and loses its answer.
   */
  readonly faults?: (
    operation: string,
    input: Readonly<Record<string, unknown>>,
  ) => AwsError | 'drop-response' | undefined;
}

export class DynamoDbEngine implements JsonService {
  readonly name = 'dynamodb';
  readonly protocol = 'json-1.0';
  private readonly state: DynamoDbState;

  constructor(private readonly options: DynamoDbEngineOptions) {
    const { clock, directory, statusDelayMs = 0, newId = randomUUID } = options;
    this.state = new DynamoDbState(clock, statusDelayMs, directory, newId);
  }

  /**
   * What the response confirms is on disk before it resolves. Items in it are the stored ones: not to be changed.
   * @throws AwsError as the API documents; ResponseDropped where a fault says so.
   */
  async call(operation: string, input: Record<string, unknown>, _caller?: Caller): Promise<unknown> {
    try {
      return this.callNow(operation, input);
    } finally {
      await this.state.flushed();
    }
  }

  /** As {@link call}, for tables that live in memory only: there is nothing to wait for. */
  callNow(operation: string, input: Record<string, unknown>): unknown {
    const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (run === undefined)
      throw new AwsError('UnknownOperationException', `The local DynamoDB has no operation ${operation}`);
    const fault = this.options.faults?.(operation, input);
    if (fault instanceof AwsError) throw fault;
    const output = run(this.state, input);
    if (fault === 'drop-response') throw new ResponseDropped(operation);
    return output;
  }

  /** The item as it is stored, for those who watch the tables from the same process. */
  stored(table: string, key: Item): Item | undefined {
    const stored = this.state.table(table);
    return stored.get(keyString(stored.keys, key))?.item;
  }

  /** All of a table's items as they are stored, for the same. */
  *allStored(table: string): Generator<Item> {
    for (const { item } of this.state.table(table).all()) yield item;
  }

  /** Releases the journal. */
  close(): void {
    this.state.close();
  }
}
