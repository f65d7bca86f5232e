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
    const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (run === undefined)
      throw new AwsError('UnknownOperationException', `The local DynamoDB has no operation ${operation}`);
    const fault = this.options.faults?.(operation, input);
    if (fault instanceof AwsError) throw fault;
    const output = run(this.state, input);
    await this.state.flushed();
    if (fault === 'drop-response') throw new ResponseDropped(operation);
    return output;
  }

  /** Releases the journal. */
  close(): void {
    this.state.close();
  }
}
