/** Tables: create, update, delete, describe, list. */
import { AwsError } from '../../gateway/service';
import { invalid } from './attribute-value';
import type { IndexSchema, KeySchema } from './schema';
import { choice, integer, list, structure, tableArn, tableNameOf } from './state';
import type { DynamoDbState, Input, Operation, Operations } from './state';
import { readAttributes, readIndex, readKeySchema, readTags, requireConsistent } from './table-definition';
import type { Table, TableSettings } from './table';

/** Described as they were given; without effect here. */
const DESCRIBED = ['StreamSpecification', 'SSESpecification', 'TableClass', 'OnDemandThroughput'];

function readThroughput(input: Input): TableSettings['throughput'] | undefined {
  if (input['ProvisionedThroughput'] === undefined || input['ProvisionedThroughput'] === null) return undefined;
  const throughput = structure(input['ProvisionedThroughput'], 'ProvisionedThroughput');
  const ReadCapacityUnits = integer(throughput, 'ReadCapacityUnits', 1, Infinity);
  const WriteCapacityUnits = integer(throughput, 'WriteCapacityUnits', 1, Infinity);
  if (ReadCapacityUnits === undefined || WriteCapacityUnits === undefined) {
    throw invalid('ProvisionedThroughput must have ReadCapacityUnits and WriteCapacityUnits');
  }
  return { ReadCapacityUnits, WriteCapacityUnits };
}

function readBilling(input: Input): Pick<TableSettings, 'billingMode' | 'throughput'> | undefined {
  const mode = choice(input, 'BillingMode', ['PAY_PER_REQUEST', 'PROVISIONED'] as const);
  const throughput = readThroughput(input);
  if (mode === 'PAY_PER_REQUEST' && throughput !== undefined) {
    throw invalid(
      'One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST',
    );
  }
  if (mode === 'PAY_PER_REQUEST')
    return { billingMode: mode, throughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 } };
  if (throughput !== undefined) return { billingMode: 'PROVISIONED', throughput };
  if (mode === undefined) return undefined;
  throw invalid(
    'One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED',
  );
}

function pickDescribed(input: Input): Record<string, unknown> {
  return Object.fromEntries(DESCRIBED.flatMap((name) => (input[name] === undefined ? [] : [[name, input[name]]])));
}

const createTable: Operation = (state, input) => {
  const name = tableNameOf(input['TableName']);
  const now = state.clock.now();
  const readyAt = now + state.statusDelayMs;
  const attributes = readAttributes(input);
  const keys = readKeySchema(input['KeySchema'], attributes);
  const indexes = [
    ...list(input['GlobalSecondaryIndexes'], 'GlobalSecondaryIndexes').map((index) =>
      readIndex(index, 'global', attributes, readyAt),
    ),
    ...list(input['LocalSecondaryIndexes'], 'LocalSecondaryIndexes').map((index) =>
      readIndex(index, 'local', attributes, readyAt),
    ),
  ];
  requireConsistent(keys, indexes, attributes);
  const billing = readBilling(input);
  if (billing === undefined)
    throw invalid(
      'One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED',
    );
  if (state.tables.has(name)) throw new AwsError('ResourceInUseException', `Table already exists: ${name}`);
  state.saveTable({
    name,
    id: state.newId(),
    createdAt: now,
    readyAt,
    keys,
    attributes,
    indexes,
    ...billing,
    deletionProtection: input['DeletionProtectionEnabled'] === true,
    tags: readTags(input['Tags']),
    described: pickDescribed(input),
  });
  return { TableDescription: describe(state, state.table(name)) };
};

/** The table, ready to be changed. @throws AwsError ResourceNotFoundException, ResourceInUseException */
function findActive(state: DynamoDbState, input: Input): Table {
  const name = tableNameOf(input['TableName']);
  const table = state.namedTable(name);
  const status = statusOf(state, table);
  if (status !== 'ACTIVE') {
    throw new AwsError(
      'ResourceInUseException',
      `Attempt to change a resource which is still in use: Table is being ${status === 'CREATING' ? 'created' : 'updated'}: ${name}`,
    );
  }
  return table;
}

const updateTable: Operation = (state, input) => {
  const table = findActive(state, input);
  const { settings } = table;
  const attributes =
    input['AttributeDefinitions'] === undefined
      ? settings.attributes
      : merge(settings.attributes, readAttributes(input));
  const readyAt = state.clock.now() + state.statusDelayMs;
  const indexes = changeIndexes(settings.indexes, input, attributes, readyAt);
  const used = attributes.filter(
    ({ AttributeName }) => isKey(settings.keys, AttributeName) || indexes.some((index) => isKey(index, AttributeName)),
  );
  requireConsistent(settings.keys, indexes, used);
  const next: TableSettings = {
    ...settings,
    ...readBilling(input),
    ...(typeof input['DeletionProtectionEnabled'] === 'boolean' && {
      deletionProtection: input['DeletionProtectionEnabled'],
    }),
    attributes: used,
    indexes,
    described: { ...settings.described, ...pickDescribed(input) },
    readyAt,
  };
  state.saveTable(next);
  return { TableDescription: describe(state, table) };
};

function isKey(schema: KeySchema, name: string): boolean {
  return schema.hash.name === name || schema.range?.name === name;
}

function merge(known: TableSettings['attributes'], more: TableSettings['attributes']): TableSettings['attributes'] {
  return [...new Map([...known, ...more].map((definition) => [definition.AttributeName, definition])).values()];
}

function changeIndexes(
  known: readonly IndexSchema[],
  input: Input,
  attributes: TableSettings['attributes'],
  readyAt: number,
): IndexSchema[] {
  let indexes = [...known];
  let structural = 0;
  for (const entry of list(input['GlobalSecondaryIndexUpdates'], 'GlobalSecondaryIndexUpdates')) {
    const update = structure(entry, 'GlobalSecondaryIndexUpdates');
    if (update['Create'] !== undefined) {
      const index = readIndex(update['Create'], 'global', attributes, readyAt);
      if (indexes.some(({ indexName }) => indexName === index.indexName)) {
        throw invalid(`Attempting to create an index which already exists: ${index.indexName}`);
      }
      indexes.push(index);
      structural++;
    } else if (update['Delete'] !== undefined) {
      const name = structure(update['Delete'], 'Delete')['IndexName'];
      if (!indexes.some(({ indexName, kind }) => indexName === name && kind === 'global')) {
        throw new AwsError(
          'ResourceNotFoundException',
          `Requested resource not found: Index: ${String(name)} not found`,
        );
      }
      indexes = indexes.filter(({ indexName }) => indexName !== name);
      structural++;
    }
  }
  if (structural > 1) {
    throw new AwsError(
      'LimitExceededException',
      'Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table',
    );
  }
  return indexes;
}

const deleteTable: Operation = (state, input) => {
  const table = findActive(state, input);
  const { name, deletionProtection } = table.settings;
  if (deletionProtection) {
    throw invalid(
      `Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first: ${name}`,
    );
  }
  const description = { ...describe(state, table), TableStatus: 'DELETING' };
  state.dropTable(name);
  return { TableDescription: description };
};

function statusOf(state: DynamoDbState, { settings }: Table): string {
  if (state.clock.now() >= settings.readyAt) return 'ACTIVE';
  return settings.readyAt === settings.createdAt + state.statusDelayMs ? 'CREATING' : 'UPDATING';
}

function describeKeys({ hash, range }: KeySchema): unknown[] {
  return [
    { AttributeName: hash.name, KeyType: 'HASH' },
    ...(range === undefined ? [] : [{ AttributeName: range.name, KeyType: 'RANGE' }]),
  ];
}

function describeThroughput(settings: TableSettings): unknown {
  return { NumberOfDecreasesToday: 0, ...settings.throughput };
}

function describeIndex(state: DynamoDbState, table: Table, index: IndexSchema): Record<string, unknown> {
  return {
    IndexName: index.indexName,
    KeySchema: describeKeys(index),
    Projection: {
      ProjectionType: index.projection,
      ...(index.nonKeyAttributes.length > 0 && { NonKeyAttributes: index.nonKeyAttributes }),
    },
    IndexArn: `${tableArn(table.settings.name)}/index/${index.indexName}`,
    IndexSizeBytes: 0,
    ItemCount: table.countIn(index),
    ...(index.kind === 'global' && {
      IndexStatus: state.clock.now() < index.readyAt ? 'CREATING' : 'ACTIVE',
      ProvisionedThroughput: describeThroughput(table.settings),
    }),
  };
}

function describe(state: DynamoDbState, table: Table): Record<string, unknown> {
  const { settings } = table;
  const indexes = (kind: IndexSchema['kind']) =>
    settings.indexes.filter((index) => index.kind === kind).map((index) => describeIndex(state, table, index));
  const [globals, locals] = [indexes('global'), indexes('local')];
  const { TableClass, SSESpecification: sse, StreamSpecification, OnDemandThroughput } = settings.described;
  return {
    TableName: settings.name,
    TableArn: tableArn(settings.name),
    TableId: settings.id,
    TableStatus: statusOf(state, table),
    CreationDateTime: settings.createdAt / 1_000,
    AttributeDefinitions: settings.attributes,
    KeySchema: describeKeys(settings.keys),
    ItemCount: table.itemCount,
    TableSizeBytes: table.sizeBytes,
    ProvisionedThroughput: describeThroughput(settings),
    ...(settings.billingMode === 'PAY_PER_REQUEST' && { BillingModeSummary: { BillingMode: settings.billingMode } }),
    DeletionProtectionEnabled: settings.deletionProtection,
    ...(globals.length > 0 && { GlobalSecondaryIndexes: globals }),
    ...(locals.length > 0 && { LocalSecondaryIndexes: locals }),
    ...(TableClass !== undefined && { TableClassSummary: { TableClass } }),
    ...(sse !== undefined &&
      structure(sse, 'SSESpecification')['Enabled'] === true && {
        SSEDescription: { Status: 'ENABLED', SSEType: 'KMS' },
      }),
    ...(StreamSpecification !== undefined && { StreamSpecification }),
    ...(OnDemandThroughput !== undefined && { OnDemandThroughput }),
  };
}

const describeTable: Operation = (state, input) => ({
  Table: describe(state, state.namedTable(tableNameOf(input['TableName']))),
});

const listTables: Operation = (state, input) => {
  const limit = integer(input, 'Limit', 1, 100) ?? 100;
  const after = input['ExclusiveStartTableName'];
  const names = [...state.tables.keys()].sort().filter((name) => typeof after !== 'string' || name > after);
  const page = names.slice(0, limit);
  return { TableNames: page, ...(names.length > limit && { LastEvaluatedTableName: page[page.length - 1] }) };
};

export const tableOperations: Operations = {
  CreateTable: createTable,
  UpdateTable: updateTable,
  DeleteTable: deleteTable,
  DescribeTable: describeTable,
  ListTables: listTables,
};
