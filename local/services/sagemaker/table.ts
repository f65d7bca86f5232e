/** Durable tables of records: in memory, and in one journal that holds every change. */
import { join } from 'node:path';
import { Journal } from '../../storage/journal';

interface Change {
  readonly table: string;
  readonly key: string;
  /** Absent = deleted. */
  readonly value?: unknown;
}

/** Fewer superfluous changes than this are not worth rewriting the file. */
const COMPACTION_MINIMUM = 1000;

export class Database {
  private readonly tables = new Map<string, Map<string, unknown>>();
  private readonly journal: Journal<Change>;

  constructor(directory: string) {
    let changes = 0;
    this.journal = Journal.open<Change>(join(directory, 'state.journal'), ({ table, key, value }) => {
      changes++;
      if (value === undefined) this.rows(table).delete(key);
      else this.rows(table).set(key, value);
    });
    const live = [...this.tables.values()].reduce((sum, rows) => sum + rows.size, 0);
    if (changes - live > COMPACTION_MINIMUM) this.journal.rewrite(this.everything());
  }

  table<Row>(name: string): Table<Row> {
    return new Table<Row>(this.rows(name) as Map<string, Row>, (key, value) =>
      this.journal.append({ table: name, key, value }),
    );
  }

  close(): void {
    this.journal.close();
  }

  private rows(name: string): Map<string, unknown> {
    let rows = this.tables.get(name);
    if (!rows) this.tables.set(name, (rows = new Map()));
    return rows;
  }

  private *everything(): Iterable<Change> {
    for (const [table, rows] of this.tables) for (const [key, value] of rows) yield { table, key, value };
  }
}

export class Table<Row> {
  constructor(
    private readonly rows: Map<string, Row>,
    private readonly record: (key: string, value?: Row) => Promise<void>,
  ) {}

  get(key: string): Row | undefined {
    return this.rows.get(key);
  }

  /** In order of first insertion. */
  values(): Row[] {
    return [...this.rows.values()];
  }

  /** Visible at once; durable when the promise resolves. */
  put(key: string, row: Row): Promise<void> {
    this.rows.set(key, row);
    return this.record(key, row);
  }

  delete(key: string): Promise<void> {
    this.rows.delete(key);
    return this.record(key);
  }
}
