/** Databases, tables and partitions, and the journal that they survive a restart by. */
import { join } from 'node:path';
import { Journal } from '../../storage/journal';

export type Shape = Readonly<Record<string, unknown>>;

export interface CatalogTable {
  definition: Shape;
  /** By the values of the partition keys. */
  readonly partitions: Map<string, Shape>;
}

export interface CatalogDatabase {
  definition: Shape;
  readonly tables: Map<string, CatalogTable>;
}

export type CatalogChange =
  | { readonly type: 'database'; readonly database: string; readonly definition: Shape | null }
  | { readonly type: 'table'; readonly database: string; readonly table: string; readonly definition: Shape | null }
  | {
      readonly type: 'partition';
      readonly database: string;
      readonly table: string;
      readonly values: readonly string[];
      readonly definition: Shape | null;
    };

/** Changes beyond those needed before the journal is written anew. */
const COMPACTION_SLACK = 5_000;

export class Catalog {
  readonly databases = new Map<string, CatalogDatabase>();
  private readonly journal: Journal<CatalogChange> | undefined;
  private changes = 0;

  /** Without a directory the catalog lives in memory. */
  constructor(directory: string | undefined) {
    if (directory === undefined) return;
    this.journal = Journal.open<CatalogChange>(join(directory, 'catalog.ndjson'), (change) => this.apply(change));
    const needed = [...this.contents()];
    if (this.changes > needed.length + COMPACTION_SLACK) this.journal.rewrite(needed);
  }

  /** Takes effect at once; resolves when it is durable. A definition of null removes. */
  async change(change: CatalogChange): Promise<void> {
    this.apply(change);
    await this.journal?.append(change);
  }

  close(): void {
    this.journal?.close();
  }

  private apply(change: CatalogChange): void {
    this.changes++;
    const database = this.databases.get(change.database);
    if (change.type === 'database') {
      if (change.definition === null) this.databases.delete(change.database);
      else if (database === undefined)
        this.databases.set(change.database, { definition: change.definition, tables: new Map() });
      else database.definition = change.definition;
      return;
    }
    const table = database?.tables.get(change.table);
    if (change.type === 'table') {
      if (change.definition === null) database?.tables.delete(change.table);
      else if (table === undefined)
        database?.tables.set(change.table, { definition: change.definition, partitions: new Map() });
      else table.definition = change.definition;
      return;
    }
    const key = partitionKey(change.values);
    if (change.definition === null) table?.partitions.delete(key);
    else table?.partitions.set(key, change.definition);
  }

  private *contents(): Generator<CatalogChange> {
    for (const [database, { definition, tables }] of this.databases) {
      yield { type: 'database', database, definition };
      for (const [table, { definition: tableDefinition, partitions }] of tables) {
        yield { type: 'table', database, table, definition: tableDefinition };
        for (const [key, partition] of partitions) {
          yield { type: 'partition', database, table, values: JSON.parse(key) as string[], definition: partition };
        }
      }
    }
  }
}

export function partitionKey(values: readonly string[]): string {
  return JSON.stringify(values);
}
