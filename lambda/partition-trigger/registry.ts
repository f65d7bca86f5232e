import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Partition } from '../../lib/contracts/lake-layout';
import { PARTITION_SK, type PartitionItem, partitionPk, trainingStateKey } from '../../lib/contracts/registry';
import type { Dataset, SealedPartition, TrainingState } from './decide';

/** BatchGetItem takes 100 keys a call, and answers at most 16 MB. */
const BATCH = 100;

type Item = Record<string, AttributeValue>;

/** What the trigger reads and writes in the partition registry. Every read is consistent: a later event may not come. */
export class TrainingRegistry {
  constructor(
    private readonly dynamoDb: Pick<DynamoDBClient, 'send'>,
    private readonly tableName: string,
  ) {}

  /** The newest sealed generation, or undefined before the first seal. */
  async sealedPartition(partition: Partition): Promise<SealedPartition | undefined> {
    const { Item } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.tableName, Key: partitionKey(partition), ConsistentRead: true }),
    );
    return Item && toSealedPartition(Item);
  }

  /** Those of the use case's hours (`<dt>T<hour>`) that are sealed. */
  async sealedPartitions(useCase: string, hours: readonly string[]): Promise<SealedPartition[]> {
    const sealed: SealedPartition[] = [];
    for (let start = 0; start < hours.length; start += BATCH) {
      let Keys: Item[] = hours.slice(start, start + BATCH).map((hour) => {
        const [dt, h] = hour.split('T') as [string, string];
        return partitionKey({ useCase, dt, hour: h });
      });
      while (Keys.length > 0) {
        const { Responses, UnprocessedKeys } = await this.dynamoDb.send(
          new BatchGetItemCommand({ RequestItems: { [this.tableName]: { Keys, ConsistentRead: true } } }),
        );
        for (const item of Responses?.[this.tableName] ?? []) {
          const partition = toSealedPartition(item);
          if (partition) sealed.push(partition);
        }
        Keys = UnprocessedKeys?.[this.tableName]?.Keys ?? [];
      }
    }
    return sealed;
  }

  async trainingState(useCase: string): Promise<TrainingState> {
    const { Item = {} } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.tableName, Key: stateKey(useCase), ConsistentRead: true }),
    );
    return {
      newestHour: Item.newestHour?.S,
      datasetHash: Item.datasetHash?.S,
      datasetHours: Item.datasetHours?.L?.map(({ S }) => S ?? ''),
      executionArn: Item.executionArn?.S,
      startedAt: Item.startedAt?.N === undefined ? undefined : Number(Item.startedAt.N),
    };
  }

  /** Remembers the newest hour that was ever sealed; an older one changes nothing. */
  async noteSealedHour(useCase: string, hour: string): Promise<void> {
    await this.update(useCase, {
      UpdateExpression: 'SET newestHour = :hour',
      ConditionExpression: 'attribute_not_exists(newestHour) OR newestHour < :hour',
      ExpressionAttributeValues: { ':hour': { S: hour } },
    });
  }

  /** Claims the start of a dataset. False where the state is no longer the one decided on: another start came first. */
  claimStart(useCase: string, dataset: Dataset, decidedOn: TrainingState, now: number): Promise<boolean> {
    const { datasetHash } = decidedOn;
    return this.update(useCase, {
      UpdateExpression: 'SET datasetHash = :hash, datasetHours = :hours, startedAt = :now REMOVE executionArn',
      ConditionExpression: datasetHash === undefined ? 'attribute_not_exists(datasetHash)' : 'datasetHash = :decidedOn',
      ExpressionAttributeValues: {
        ':hash': { S: dataset.hash },
        ':hours': { L: dataset.hours.map((S) => ({ S })) },
        ':now': { N: String(now) },
        ...(datasetHash === undefined ? {} : { ':decidedOn': { S: datasetHash } }),
      },
    });
  }

  /** Confirms a claimed start, unless a later one was claimed meanwhile. */
  async confirmStart(useCase: string, datasetHash: string, executionArn: string): Promise<void> {
    await this.update(useCase, {
      UpdateExpression: 'SET executionArn = :arn',
      ConditionExpression: 'datasetHash = :hash',
      ExpressionAttributeValues: { ':arn': { S: executionArn }, ':hash': { S: datasetHash } },
    });
  }

  /** False where the condition does not hold. */
  private async update(
    useCase: string,
    input: { UpdateExpression: string; ConditionExpression: string; ExpressionAttributeValues: Item },
  ): Promise<boolean> {
    try {
      await this.dynamoDb.send(new UpdateItemCommand({ TableName: this.tableName, Key: stateKey(useCase), ...input }));
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }
}

function partitionKey(partition: Partition): Item {
  return { pk: { S: partitionPk(partition) }, sk: { S: PARTITION_SK } };
}

function stateKey(useCase: string): Item {
  const { pk, sk } = trainingStateKey(useCase);
  return { pk: { S: pk }, sk: { S: sk } };
}

function toSealedPartition(item: Partial<Record<keyof PartitionItem, AttributeValue>>): SealedPartition | undefined {
  if (item.generation?.N === undefined) return undefined;
  return {
    hour: item.hour?.S ?? '',
    generation: Number(item.generation.N),
    contentHash: item.contentHash?.S ?? '',
    rows: Number(item.rows?.N ?? 0),
    files: (item.parts?.L ?? []).map(({ M }) => M?.key?.S ?? ''),
  };
}
