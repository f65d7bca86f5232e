/** The lease table is made by infrastructure; a worker only looks whether it is the right one. */
import type { SchedulerConfig } from '../../config';
import type { DynamoDbApi, TableDescription } from '../../dependencies';
import { errorName, InvalidStateError } from '../../common/errors';
import { KEY_ATTRIBUTE, OWNER_ATTRIBUTE, OWNER_INDEX } from '../lease-serializer';

const hasKey = (schema: readonly { name: string; keyType: string }[], keyType: string, name: string): boolean =>
  schema.some((key) => key.keyType === keyType && key.name === name);

function missing(table: TableDescription, needsIndex: boolean): string[] {
  const problems: string[] = [];
  if (table.status !== 'ACTIVE' && table.status !== 'UPDATING') problems.push(`it is ${table.status}, not ACTIVE`);
  const key = table.keySchema.find((part) => part.keyType === 'HASH');
  if (key?.name !== KEY_ATTRIBUTE || table.keySchema.length !== 1 || (key.attributeType ?? 'S') !== 'S') {
    problems.push(`its key must be ${KEY_ATTRIBUTE} (S, HASH) alone`);
  }
  if (!needsIndex) return problems;
  const index = table.indexes.find((candidate) => candidate.name === OWNER_INDEX);
  if (!index) {
    problems.push(`it has no index ${OWNER_INDEX}`);
  } else if (!hasKey(index.keySchema, 'HASH', OWNER_ATTRIBUTE) || !hasKey(index.keySchema, 'RANGE', KEY_ATTRIBUTE)) {
    problems.push(`the keys of index ${OWNER_INDEX} must be ${OWNER_ATTRIBUTE} (HASH) and ${KEY_ATTRIBUTE} (RANGE)`);
  } else if ((index.status ?? 'ACTIVE') !== 'ACTIVE') {
    problems.push(`index ${OWNER_INDEX} is ${index.status}, not ACTIVE`);
  }
  return problems;
}

/**
 * Where workers take leases by count the index is not needed: a table of KCL 2 has none.
 * @throws InvalidStateError naming the table and all that is missing
 * @throws the service's error when the table could not be described
 */
export async function verifyLeaseTable(
  dynamodb: DynamoDbApi,
  { leaseTableName: tableName, clientVersionConfig }: Pick<SchedulerConfig, 'leaseTableName' | 'clientVersionConfig'>,
): Promise<void> {
  let table: TableDescription;
  try {
    table = await dynamodb.describeTable({ TableName: tableName });
  } catch (error) {
    if (errorName(error) !== 'ResourceNotFoundException') throw error;
    throw new InvalidStateError(
      `The lease table ${tableName} does not exist. Deploy it first: key ${KEY_ATTRIBUTE} (S), index ${OWNER_INDEX} on ${OWNER_ATTRIBUTE} and ${KEY_ATTRIBUTE}; a worker creates none.`,
    );
  }
  const problems = missing(table, clientVersionConfig === 'CLIENT_VERSION_CONFIG_3X');
  if (problems.length > 0) {
    throw new InvalidStateError(`The lease table ${tableName} cannot be used: ${problems.join('; ')}.`);
  }
}
