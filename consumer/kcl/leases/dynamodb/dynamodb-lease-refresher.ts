/** The lease table in DynamoDB. */
import type { Clock, DynamoDbApi, Item, Log } from '../../dependencies';
import { describeError, errorName } from '../../common/errors';
import { withTimeout } from '../../common/timing';
import { actualOwner, type Lease } from '../lease';
import type { LeaseRefresher, WriteOutcome } from '../lease-refresher';
import {
  assignUpdate,
  changeUpdate,
  createCondition,
  evictUpdate,
  handoffUpdate,
  isLeaseItem,
  isMultiStreamItem,
  itemFromLease,
  KEY_ATTRIBUTE,
  leaseFromItem,
  leaseKey,
  metaInfoUpdate,
  OWNER_ATTRIBUTE,
  OWNER_INDEX,
  renewUpdate,
  takeUpdate,
  type LeaseChange,
  type LeaseMetaInfo,
} from '../lease-serializer';

export interface DynamoDbLeaseRefresherOptions {
  readonly dynamodb: DynamoDbApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly tableName: string;
  /** Milliseconds. */
  readonly requestTimeout: number;
}

type Update = ReturnType<typeof renewUpdate>;

/** As KCL scans: a segment for each 0.2 GB of the table, 1…32 at once. The pages of a scan have 1 MB each. */
const PAGES_IN_SEGMENT = 200;
const MAX_SEGMENTS = 32;

/** Into how many segments a scan is divided, by the number of pages of the one before it. */
export function scanSegments(pages: number): number {
  return Math.min(MAX_SEGMENTS, Math.max(1, Math.ceil(pages / PAGES_IN_SEGMENT)));
}

export class DynamoDbLeaseRefresher implements LeaseRefresher {
  private pagesOfTable = 0;

  constructor(private readonly options: DynamoDbLeaseRefresherOptions) {}

  async listLeases(): Promise<readonly Lease[]> {
    return (await this.readTable()).leases;
  }

  async readTable(): Promise<{ leases: readonly Lease[]; others: readonly Item[] }> {
    const items = await this.scan();
    return {
      leases: items.flatMap((item) => (isLeaseItem(item) ? (this.parse(item) ?? []) : [])),
      others: items.filter((item) => !isLeaseItem(item) || isMultiStreamItem(item)),
    };
  }

  async listLeaseKeysOf(owner: string): Promise<readonly string[]> {
    const input = {
      TableName: this.options.tableName,
      IndexName: OWNER_INDEX,
      KeyConditionExpression: '#owner = :owner',
      ExpressionAttributeNames: { '#owner': OWNER_ATTRIBUTE },
      ExpressionAttributeValues: { ':owner': { S: owner } },
    };
    const items = await this.pages('Query', (start, signal) =>
      this.options.dynamodb.query({ ...input, ...start }, signal),
    );
    return items.flatMap((item) => item[KEY_ATTRIBUTE]?.S ?? []);
  }

  async getLease(key: string): Promise<Lease | undefined> {
    const { Item: item } = await this.request('GetItem', (signal) =>
      this.options.dynamodb.getItem(
        { TableName: this.options.tableName, Key: leaseKey(key), ConsistentRead: true },
        signal,
      ),
    );
    return item === undefined ? undefined : leaseFromItem(item);
  }

  async createLeaseIfNotExists(lease: Lease): Promise<boolean> {
    try {
      await this.request('PutItem', (signal) =>
        this.options.dynamodb.putItem(
          { TableName: this.options.tableName, Item: itemFromLease(lease), ...createCondition() },
          signal,
        ),
      );
      return true;
    } catch (error) {
      if (errorName(error) === 'ConditionalCheckFailedException') return false;
      throw error;
    }
  }

  renewLease(lease: Lease): Promise<WriteOutcome> {
    return this.write(renewUpdate(lease));
  }

  async takeLease(lease: Lease, owner: string): Promise<WriteOutcome> {
    const outcome = await this.write(takeUpdate(lease, owner));
    // A take that was applied while its answer was lost fails its own retry: nobody else writes this worker's id.
    const taken = !outcome.written && outcome.current;
    if (taken && lease.leaseOwner !== owner && actualOwner(taken) === owner) {
      if (taken.leaseCounter === lease.leaseCounter + 1) return { written: true, lease: taken };
    }
    return outcome;
  }

  assignLease(lease: Lease, owner: string, idle: boolean): Promise<WriteOutcome> {
    return this.write(assignUpdate(lease, owner, idle));
  }

  startHandoff(lease: Lease, owner: string): Promise<WriteOutcome> {
    return this.write(handoffUpdate(lease, owner));
  }

  evictLease(lease: Lease): Promise<WriteOutcome> {
    return this.write(evictUpdate(lease));
  }

  updateLease(lease: Lease, change: LeaseChange): Promise<WriteOutcome> {
    return this.write(changeUpdate(lease, change));
  }

  async updateLeaseWithMetaInfo(key: string, info: LeaseMetaInfo): Promise<boolean> {
    return (await this.write(metaInfoUpdate(key, info))).written;
  }

  async deleteLease(key: string): Promise<void> {
    await this.request('DeleteItem', (signal) =>
      this.options.dynamodb.deleteItem({ TableName: this.options.tableName, Key: leaseKey(key) }, signal),
    );
  }

  private async scan(): Promise<Item[]> {
    const { dynamodb, tableName } = this.options;
    const total = scanSegments(this.pagesOfTable);
    let pages = 0;
    const parts = await Promise.all(
      Array.from({ length: total }, (_, segment) => {
        const part = total === 1 ? {} : { Segment: segment, TotalSegments: total };
        return this.pages('Scan', (start, signal) => {
          pages++;
          return dynamodb.scan({ TableName: tableName, ConsistentRead: true, ...part, ...start }, signal);
        });
      }),
    );
    this.pagesOfTable = pages;
    return parts.flat();
  }

  /** All pages: one may be empty of leases, or of anything, and still not be the last. */
  private async pages(
    what: string,
    read: (
      start: { ExclusiveStartKey?: Item },
      signal: AbortSignal,
    ) => Promise<{ readonly Items: readonly Item[]; readonly LastEvaluatedKey?: Item }>,
  ): Promise<Item[]> {
    const items: Item[] = [];
    let start: Item | undefined;
    do {
      const from = start === undefined ? {} : { ExclusiveStartKey: start };
      const page = await this.request(what, (signal) => read(from, signal));
      items.push(...page.Items);
      start = page.LastEvaluatedKey;
    } while (start !== undefined);
    return items;
  }

  private async write(update: Update): Promise<WriteOutcome> {
    try {
      const { Attributes } = await this.request('UpdateItem', (signal) =>
        this.options.dynamodb.updateItem(
          { TableName: this.options.tableName, ...update, ReturnValues: 'ALL_NEW' },
          signal,
        ),
      );
      return { written: true, lease: leaseFromItem(Attributes ?? {}) };
    } catch (error) {
      if (errorName(error) !== 'ConditionalCheckFailedException') throw error;
      const { Item: item } = error as { Item?: Item };
      return { written: false, current: item === undefined ? undefined : leaseFromItem(item) };
    }
  }

  private request<T>(what: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withTimeout(this.options.clock, this.options.requestTimeout, `DynamoDB ${what}`, send);
  }

  private parse(item: Item): Lease | undefined {
    try {
      return leaseFromItem(item);
    } catch (error) {
      this.options.log('error', 'a row of the lease table cannot be read and is ignored', {
        error: describeError(error),
      });
      return undefined;
    }
  }
}
