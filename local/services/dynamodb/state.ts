/**
 * What every operation works on: the tables, the clock, and the journal. All of one call's changes are one entry of
 * the journal, so that a transaction is on disk whole or not at all.
 */
import { join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { Clock } from '../../gateway/service';
import { Journal } from '../../storage/journal';
import { invalid } from './attribute-value';
import type { Item } from './attribute-value';
import { keyString } from './schema';
import { Table } from './table';
import type { TableSettings } from './table';

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

/** A journal with fewer entries than this is not worth compacting. */
const COMPACT_FROM_ENTRIES = 10_000;
/** @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
export const TOKEN_LIFETIME_MS = 600_000;

export type Input = Readonly<Record<string, unknown>>;

/** A put has the item; a delete has the item's key alone. */
export interface Write {
  readonly table: string;
  readonly put?: Item;
  readonly delete?: Item;
}

/** A transaction's ClientRequestToken: what was asked, and when, epoch milliseconds. */
export interface UsedToken {
  readonly token: string;
  readonly digest: string;
  readonly at: number;
}

type Entry =
  | { readonly settings: TableSettings }
  | { readonly drop: string }
  | { readonly writes: readonly Write[]; readonly token?: UsedToken };

export class DynamoDbState {
  readonly tables = new Map<string, Table>();
  readonly tokens = new Map<string, UsedToken>();
  private readonly journal: Journal<Entry> | undefined;
  private entries = 0;
  private pending: Promise<void> | undefined;

  constructor(
    readonly clock: Clock,
    /** How long tables and indexes stay CREATING or UPDATING, milliseconds. */
    readonly statusDelayMs: number,
    directory: string | undefined,
    readonly newId: () => string,
  ) {
    if (directory === undefined) return;
    this.journal = Journal.open<Entry>(join(directory, 'tables.jsonl'), (entry) => {
      this.entries++;
      this.apply(entry);
    });
    this.compact();
  }

  /** @throws AwsError ResourceNotFoundException */
  table(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) throw new AwsError('ResourceNotFoundException', 'Requested resource not found');
    return table;
  }

  /** As `table`, with the name in the message, as the operations on tables have it. @throws AwsError ResourceNotFoundException */
  namedTable(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) {
      throw new AwsError('ResourceNotFoundException', `Requested resource not found: Table: ${name} not found`);
    }
    return table;
  }

  saveTable(settings: TableSettings): void {
    this.commit({ settings });
  }

  dropTable(name: string): void {
    this.commit({ drop: name });
  }

  /** All of them or none. The items are canonical and have been checked. */
  write(writes: readonly Write[], token?: UsedToken): void {
    if (writes.length > 0 || token !== undefined) this.commit({ writes, ...(token !== undefined && { token }) });
  }

  /** Resolves once everything that was changed since the last call is on disk. */
  async flushed(): Promise<void> {
    const pending = this.pending;
    this.pending = undefined;
    await pending;
  }

  close(): void {
    this.journal?.close();
  }

  private commit(entry: Entry): void {
    this.apply(entry);
    if (this.journal === undefined) return;
    this.pending = this.journal.append(entry);
    this.entries++;
    this.compact();
  }

  private apply(entry: Entry): void {
    if ('settings' in entry) {
      const known = this.tables.get(entry.settings.name);
      if (known === undefined) this.tables.set(entry.settings.name, new Table(entry.settings));
      else known.change(entry.settings);
    } else if ('drop' in entry) {
      this.tables.delete(entry.drop);
    } else {
      for (const write of entry.writes) {
        const table = this.tables.get(write.table);
        if (write.put !== undefined) table?.put(write.put);
        else if (write.delete !== undefined) table?.delete(keyString(table.keys, write.delete));
      }
      if (entry.token !== undefined) this.tokens.set(entry.token.token, entry.token);
    }
  }

  /** Rewrites the journal where most of it is overwritten. */
  private compact(): void {
    if (this.journal === undefined) return;
    let live = 0;
    for (const table of this.tables.values()) live += 1 + table.itemCount;
    if (this.entries < Math.max(COMPACT_FROM_ENTRIES, live * 4)) return;
    const oldest = this.clock.now() - TOKEN_LIFETIME_MS;
    for (const { token, at } of this.tokens.values()) if (at < oldest) this.tokens.delete(token);
    this.journal.rewrite(this.snapshot());
    this.entries = live;
  }

  private *snapshot(): Generator<Entry> {
    for (const table of this.tables.values()) {
      yield { settings: table.settings };
      for (const { item } of table.all()) yield { writes: [{ table: table.settings.name, put: item }] };
    }
    for (const token of this.tokens.values()) yield { writes: [], token };
  }
}

/** TableName may be a name or an ARN. @throws AwsError ValidationException */
export function tableNameOf(value: unknown): string {
  if (value === undefined || value === null) {
    throw invalid(
      "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null",
    );
  }
  const text = typeof value === 'string' ? value : '';
  const name = /^arn:aws[^:]*:dynamodb:[^:]*:\d{12}:table\/([^/]+)$/.exec(text)?.[1] ?? text;
  if (!/^[a-zA-Z0-9_.-]{3,255}$/.test(name)) {
    throw invalid(
      `Invalid table/index name. Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'`,
    );
  }
  return name;
}

export function tableArn(name: string): string {
  return `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
}

/** A member that is a structure. @throws AwsError SerializationException */
export function structure(value: unknown, name: string): Input {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', `${name} must be a structure`);
  }
  return value as Input;
}

/** A member that is a list; absent is empty. @throws AwsError SerializationException */
export function list(value: unknown, name: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new AwsError('SerializationException', `${name} must be a list`);
  return value as unknown[];
}

/** @throws AwsError ValidationException */
export function choice<T extends string>(input: Input, name: string, values: readonly T[]): T | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!values.includes(value as T)) {
    throw invalid(
      `1 validation error detected: Value '${String(value)}' at '${name.charAt(0).toLowerCase()}${name.slice(1)}' failed to satisfy constraint: ` +
        `Member must satisfy enum value set: [${values.join(', ')}]`,
    );
  }
  return value as T;
}

/** @throws AwsError ValidationException, SerializationException */
export function integer(input: Input, name: string, min: number, max: number): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new AwsError('SerializationException', `${name} must be an integer`);
  if (value < min || value > max) {
    throw invalid(
      `1 validation error detected: Value '${value}' at '${name.charAt(0).toLowerCase()}${name.slice(1)}' failed to satisfy constraint: ` +
        `Member must have value ${value < min ? `greater than or equal to ${min}` : `less than or equal to ${max}`}`,
    );
  }
  return value;
}

export type Operation = (state: DynamoDbState, input: Input) => unknown;
export type Operations = Readonly<Record<string, Operation>>;
