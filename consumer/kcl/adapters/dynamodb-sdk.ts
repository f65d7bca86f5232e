/** DynamoDbApi over @aws-sdk/client-dynamodb. */
import {
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type AttributeValue as SdkValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { DynamoDbApi, Item, TableDescription } from '../dependencies';

type SdkItem = Record<string, SdkValue>;

/** The shapes are the same; the SDK's type is a union of one-member objects and not readonly. */
const toSdk = <T extends object>(input: T): { [K in keyof T]: T[K] extends Item | undefined ? SdkItem : T[K] } =>
  input as never;
const fromSdk = (item: SdkItem | undefined): { Item?: Item } => (item === undefined ? {} : { Item: item as Item });

export function dynamoFromSdk(client: DynamoDBClient): DynamoDbApi {
  return {
    getItem: async (input, abortSignal) => {
      const output = await client.send(new GetItemCommand(toSdk(input) as never), { abortSignal });
      return fromSdk(output.Item);
    },
    putItem: async (input, abortSignal) => {
      await client.send(new PutItemCommand(toSdk(input) as never), { abortSignal });
    },
    updateItem: async (input, abortSignal) => {
      const output = await client.send(new UpdateItemCommand(toSdk(input) as never), { abortSignal });
      return output.Attributes === undefined ? {} : { Attributes: output.Attributes as Item };
    },
    deleteItem: async (input, abortSignal) => {
      await client.send(new DeleteItemCommand(toSdk(input) as never), { abortSignal });
    },
    scan: async (input, abortSignal) => {
      const output = await client.send(new ScanCommand(toSdk(input) as never), { abortSignal });
      return {
        Items: (output.Items ?? []) as Item[],
        ...(output.LastEvaluatedKey === undefined ? {} : { LastEvaluatedKey: output.LastEvaluatedKey as Item }),
      };
    },
    query: async (input, abortSignal) => {
      const output = await client.send(new QueryCommand(toSdk(input) as never), { abortSignal });
      return {
        Items: (output.Items ?? []) as Item[],
        ...(output.LastEvaluatedKey === undefined ? {} : { LastEvaluatedKey: output.LastEvaluatedKey as Item }),
      };
    },
    describeTable: async ({ TableName }, abortSignal): Promise<TableDescription> => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName }), { abortSignal });
      const types = new Map(Table?.AttributeDefinitions?.map((a) => [a.AttributeName, a.AttributeType]));
      const keys = (schema: readonly { AttributeName?: string | undefined; KeyType?: string | undefined }[] = []) =>
        schema.map((key) => {
          const attributeType = types.get(key.AttributeName);
          return {
            name: key.AttributeName ?? '',
            keyType: key.KeyType ?? '',
            ...(attributeType === undefined ? {} : { attributeType }),
          };
        });
      return {
        status: Table?.TableStatus ?? 'UNKNOWN',
        keySchema: keys(Table?.KeySchema),
        indexes: (Table?.GlobalSecondaryIndexes ?? []).map((index) => ({
          name: index.IndexName ?? '',
          ...(index.IndexStatus === undefined ? {} : { status: index.IndexStatus }),
          keySchema: keys(index.KeySchema),
        })),
      };
    },
  };
}
