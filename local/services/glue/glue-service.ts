/**
 * AWS Glue Data Catalog: databases, tables and partitions.
 * @see https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog.html
 */
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, JsonService } from '../../gateway/service';
import { Catalog, partitionKey } from './catalog';
import type { CatalogDatabase, CatalogTable, Shape } from './catalog';

export interface GlueOptions {
  /** Where the catalog is kept; absent: in memory. */
  readonly directory?: string;
  readonly clock: Clock;
  readonly accountId: string;
}

type Input = Record<string, unknown>;

/** BatchCreatePartition takes at most 100 partitions, BatchGetPartition 1,000. */
const BATCH_CREATE_LIMIT = 100;

export class GlueService implements JsonService {
  readonly name = 'glue';
  readonly protocol = 'json-1.1';
  private readonly catalog: Catalog;

  constructor(private readonly options: GlueOptions) {
    this.catalog = new Catalog(options.directory);
  }

  async call(operation: string, input: Input, _caller: Caller): Promise<unknown> {
    switch (operation) {
      case 'CreateDatabase':
        return this.createDatabase(input['DatabaseInput'] as Input);
      case 'UpdateDatabase':
        return this.updateDatabase(input);
      case 'GetDatabase':
        return { Database: this.database(String(input['Name'])).definition };
      case 'GetDatabases':
        return { DatabaseList: [...this.catalog.databases.values()].map(({ definition }) => definition) };
      case 'CreateTable':
        return this.createTable(input);
      case 'UpdateTable':
        return this.updateTable(input);
      case 'GetTable':
        return { Table: this.table(input, String(input['Name'])).definition };
      case 'GetTables':
        return {
          TableList: [...this.database(String(input['DatabaseName'])).tables.values()].map(
            ({ definition }) => definition,
          ),
        };
      case 'DeleteTable':
        return this.deleteTable(input);
      case 'CreatePartition':
        return this.createPartition(input, input['PartitionInput'] as Input);
      case 'BatchCreatePartition':
        return this.batchCreatePartition(input);
      case 'UpdatePartition':
        return this.updatePartition(input);
      case 'GetPartition':
        return { Partition: this.partition(this.tableOf(input), values(input['PartitionValues'])) };
      case 'GetPartitions':
        return this.getPartitions(input);
      case 'BatchGetPartition':
        return this.batchGetPartition(input);
      case 'DeletePartition':
        return this.deletePartition(input);
      default:
        throw new AwsError('UnknownOperationException', `Glue ${operation} is not served locally`);
    }
  }

  /** Partitions per `database.table`. */
  summary(): { table: string; partitions: number }[] {
    return [...this.catalog.databases].flatMap(([database, { tables }]) =>
      [...tables].map(([table, { partitions }]) => ({ table: `${database}.${table}`, partitions: partitions.size })),
    );
  }

  close(): void {
    this.catalog.close();
  }

  private async createDatabase(input: Input): Promise<unknown> {
    const name = String(input['Name']);
    if (this.catalog.databases.has(name)) throw exists(`Database ${name}`);
    await this.catalog.change({
      type: 'database',
      database: name,
      definition: { ...input, CreateTime: this.now(), CatalogId: this.options.accountId },
    });
    return {};
  }

  private async updateDatabase(input: Input): Promise<unknown> {
    const name = String(input['Name']);
    const definition = { ...this.database(name).definition, ...(input['DatabaseInput'] as Input) };
    await this.catalog.change({ type: 'database', database: name, definition });
    return {};
  }

  private async createTable(input: Input): Promise<unknown> {
    const database = String(input['DatabaseName']);
    const table = input['TableInput'] as Input;
    const name = String(table['Name']);
    if (this.database(database).tables.has(name)) throw exists(`Table ${database}.${name}`);
    const now = this.now();
    const definition = {
      ...table,
      DatabaseName: database,
      CreateTime: now,
      UpdateTime: now,
      CatalogId: this.options.accountId,
    };
    await this.catalog.change({ type: 'table', database, table: name, definition });
    return {};
  }

  private async updateTable(input: Input): Promise<unknown> {
    const database = String(input['DatabaseName']);
    const table = input['TableInput'] as Input;
    const { definition: before } = this.table(input, String(table['Name']));
    const definition = {
      ...table,
      DatabaseName: database,
      CreateTime: before['CreateTime'],
      UpdateTime: this.now(),
      CatalogId: this.options.accountId,
    };
    await this.catalog.change({ type: 'table', database, table: String(table['Name']), definition });
    return {};
  }

  private async deleteTable(input: Input): Promise<unknown> {
    this.table(input, String(input['Name']));
    await this.catalog.change({
      type: 'table',
      database: String(input['DatabaseName']),
      table: String(input['Name']),
      definition: null,
    });
    return {};
  }

  private async createPartition(input: Input, partition: Input): Promise<unknown> {
    const table = this.tableOf(input);
    const wanted = values(partition['Values']);
    const keys = (table.definition['PartitionKeys'] ?? []) as unknown[];
    if (wanted.length !== keys.length) {
      throw new AwsError(
        'InvalidInputException',
        `The number of partition keys (${keys.length}) do not match the number of partition values (${wanted.length})`,
      );
    }
    if (table.partitions.has(partitionKey(wanted))) throw exists('Partition');
    await this.putPartition(input, wanted, { ...partition, CreationTime: this.now() });
    return {};
  }

  private async batchCreatePartition(input: Input): Promise<unknown> {
    const list = (input['PartitionInputList'] ?? []) as Input[];
    if (list.length > BATCH_CREATE_LIMIT)
      throw new AwsError('InvalidInputException', `At most ${BATCH_CREATE_LIMIT} partitions in one call`);
    const Errors: unknown[] = [];
    for (const partition of list) {
      try {
        await this.createPartition(input, partition);
      } catch (error) {
        if (!(error instanceof AwsError) || error.code === 'EntityNotFoundException') throw error;
        Errors.push({
          PartitionValues: partition['Values'],
          ErrorDetail: { ErrorCode: error.code, ErrorMessage: error.message },
        });
      }
    }
    return { Errors };
  }

  private async updatePartition(input: Input): Promise<unknown> {
    const table = this.tableOf(input);
    const before = values(input['PartitionValueList']);
    const { CreationTime } = this.partition(table, before);
    const partition = input['PartitionInput'] as Input;
    const after = values(partition['Values'] ?? before);
    if (partitionKey(after) !== partitionKey(before)) {
      if (table.partitions.has(partitionKey(after))) throw exists('Partition');
      await this.putPartition(input, before, null);
    }
    await this.putPartition(input, after, { ...partition, Values: after, CreationTime });
    return {};
  }

  private getPartitions(input: Input): unknown {
    if (input['Expression'] !== undefined && input['Expression'] !== '') {
      throw new AwsError('InvalidInputException', 'Expression of GetPartitions is not served locally');
    }
    const all = [...this.tableOf(input).partitions.values()];
    const from = Number(input['NextToken'] ?? 0);
    const to = from + Number(input['MaxResults'] ?? 1_000);
    return { Partitions: all.slice(from, to), ...(to < all.length && { NextToken: String(to) }) };
  }

  private batchGetPartition(input: Input): unknown {
    const table = this.tableOf(input);
    const wanted = (input['PartitionsToGet'] ?? []) as { Values: string[] }[];
    const found = wanted.map(({ Values }) => table.partitions.get(partitionKey(Values)));
    return {
      Partitions: found.filter((partition) => partition !== undefined),
      UnprocessedKeys: [],
    };
  }

  private async deletePartition(input: Input): Promise<unknown> {
    const wanted = values(input['PartitionValues']);
    this.partition(this.tableOf(input), wanted);
    await this.putPartition(input, wanted, null);
    return {};
  }

  private putPartition(input: Input, of: readonly string[], definition: Input | null): Promise<void> {
    const database = String(input['DatabaseName']);
    const table = String(input['TableName']);
    const full =
      definition === null
        ? null
        : { ...definition, DatabaseName: database, TableName: table, CatalogId: this.options.accountId };
    return this.catalog.change({ type: 'partition', database, table, values: of, definition: full });
  }

  private database(name: string): CatalogDatabase {
    const database = this.catalog.databases.get(name);
    if (database === undefined) throw new AwsError('EntityNotFoundException', `Database ${name} not found.`);
    return database;
  }

  private table(input: Input, name: string): CatalogTable {
    const database = String(input['DatabaseName']);
    const table = this.database(database).tables.get(name);
    if (table === undefined) throw new AwsError('EntityNotFoundException', `Table ${database}.${name} not found.`);
    return table;
  }

  private tableOf(input: Input): CatalogTable {
    return this.table(input, String(input['TableName']));
  }

  private partition(table: CatalogTable, of: readonly string[]): Shape {
    const partition = table.partitions.get(partitionKey(of));
    if (partition === undefined) throw new AwsError('EntityNotFoundException', 'Cannot find partition.');
    return partition;
  }

  /** Epoch seconds. */
  private now(): number {
    return this.options.clock.now() / 1_000;
  }
}

function values(value: unknown): string[] {
  if (!Array.isArray(value)) throw new AwsError('InvalidInputException', 'Partition values are missing');
  return value.map(String);
}

function exists(what: string): AwsError {
  return new AwsError('AlreadyExistsException', `${what} already exists.`);
}
