import { arn, physicalName, uuidOf } from '../names';
import { isTrue, listOf, optionalObject, optionalText, pick } from '../provisioner';
import type { Properties, Provisioner } from '../provisioner';
import { unless } from '../service-calls';

/** Encryption, backups and deletion protection have no local meaning. */
export const table: Provisioner = async ({ stack, logicalId, properties, previous }, calls) => {
  const TableName = optionalText(properties, 'TableName') ?? physicalName(stack, logicalId, { maximumLength: 255 });
  const indexes = listOf(properties, 'GlobalSecondaryIndexes').map((index) =>
    pick(index, 'IndexName', 'KeySchema', 'Projection', 'ProvisionedThroughput'),
  );
  const created = await unless(
    ['ResourceInUseException'],
    calls.json('dynamodb', 'CreateTable', {
      TableName,
      ...pick(properties, 'KeySchema', 'AttributeDefinitions', 'LocalSecondaryIndexes', 'ProvisionedThroughput'),
      BillingMode:
        optionalText(properties, 'BillingMode') ??
        (properties['ProvisionedThroughput'] === undefined ? 'PAY_PER_REQUEST' : 'PROVISIONED'),
      ...(indexes.length > 0 && { GlobalSecondaryIndexes: indexes }),
    }),
  );
  if (created === undefined) {
    if (previous !== undefined && keys(previous) !== keys(properties)) {
      throw new Error('its key schema changed, which would replace the table: start anew with --fresh');
    }
    await addMissingIndexes(TableName, properties, indexes, calls);
  }
  const ttl = optionalObject(properties, 'TimeToLiveSpecification');
  if (ttl !== undefined && isTrue(ttl['Enabled'])) {
    // A table that has it already answers with a ValidationException.
    await unless(
      ['ValidationException'],
      calls.json('dynamodb', 'UpdateTimeToLive', { TableName, TimeToLiveSpecification: { ...ttl, Enabled: true } }),
    );
  }
  return {
    physicalId: TableName,
    attributes: { Arn: arn('dynamodb', `table/${TableName}`), TableId: uuidOf('table', TableName) },
  };
};

function keys(properties: Properties): string {
  return JSON.stringify(properties['KeySchema']);
}

async function addMissingIndexes(
  TableName: string,
  properties: Properties,
  indexes: readonly Record<string, unknown>[],
  calls: Parameters<Provisioner>[1],
): Promise<void> {
  const { Table } = await calls.json('dynamodb', 'DescribeTable', { TableName });
  const existing = listOf(Table as Properties, 'GlobalSecondaryIndexes').map(({ IndexName }) => IndexName);
  for (const index of indexes.filter(({ IndexName }) => !existing.includes(IndexName))) {
    await calls.json('dynamodb', 'UpdateTable', {
      TableName,
      ...pick(properties, 'AttributeDefinitions'),
      GlobalSecondaryIndexUpdates: [{ Create: index }],
    });
  }
}
