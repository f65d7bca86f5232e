/** The services that the functions call, in memory, with the rules that matter to them. Commands come from the SDK. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { AlreadyExistsException, EntityNotFoundException } from '@aws-sdk/client-glue';
import { parseManifestKey } from '../../../lib/contracts/lake-layout';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- inputs and outputs of many commands
type Loose = any;

/** A client's `send`, answered by `operations` under the command's name without `Command`. */
export function client(operations: Record<string, (input: Loose) => Loose>): { send: Loose } {
  return {
    send: async (command: { constructor: { name: string }; input: Loose }) => {
      const operation = command.constructor.name.replace(/Command$/, '');
      const answer = operations[operation];
      if (!answer) throw new Error(`unexpected ${operation}`);
      // A turn of the event loop, so that concurrent callers interleave.
      await new Promise((resolve) => setImmediate(resolve));
      return answer(command.input);
    },
  };
}

/** GetItem, BatchGetItem and the three conditional updates of the trigger. */
export class FakeRegistry {
  readonly items = new Map<string, Record<string, Loose>>();
  /** Keys that BatchGetItem leaves unprocessed at its next call. */
  unprocessed = 0;

  readonly client = client({
    GetItem: ({ Key }) => ({ Item: this.items.get(id(Key)) }),
    BatchGetItem: ({ RequestItems }) => {
      const [[table, { Keys, ConsistentRead }]] = Object.entries<Loose>(RequestItems) as [[string, Loose]];
      if (Keys.length > 100) throw new Error('ValidationException: too many keys');
      if (!ConsistentRead) throw new Error('the trigger must read consistently');
      const later = Keys.splice(0, Math.min(this.unprocessed, Keys.length - 1));
      this.unprocessed = 0;
      return {
        Responses: { [table]: Keys.map((key: Loose) => this.items.get(id(key))).filter(Boolean) },
        UnprocessedKeys: later.length > 0 ? { [table]: { Keys: later } } : {},
      };
    },
    UpdateItem: ({ Key, UpdateExpression, ConditionExpression, ExpressionAttributeValues: values }) => {
      const item = this.items.get(id(Key)) ?? { ...Key };
      if (!holds(ConditionExpression, item, values)) {
        throw new ConditionalCheckFailedException({ message: 'no', $metadata: {} });
      }
      const [set, remove] = UpdateExpression.split(' REMOVE ');
      for (const assignment of set.replace('SET ', '').split(', ')) {
        const [name, value] = assignment.split(' = ');
        item[name] = values[value];
      }
      if (remove) delete item[remove];
      this.items.set(id(Key), item);
      return {};
    },
  });

  /** As the consumer registers a sealed generation. */
  seal(useCase: string, hour: string, { generation = 1, content = `content of ${hour}`, rows = 10 } = {}): void {
    const [dt, h] = hour.split('T');
    const pk = `PARTITION#${useCase}#${hour}`;
    const key = `features/${useCase}/dt=${dt}/hour=${h}/gen=${generation}/part-00000.parquet`;
    this.items.set(`${pk}|PARTITION`, {
      pk: { S: pk },
      sk: { S: 'PARTITION' },
      hour: { S: hour },
      generation: { N: String(generation) },
      contentHash: { S: content },
      rows: { N: String(rows) },
      parts: { L: [{ M: { key: { S: key } } }] },
    });
  }
}

function id({ pk, sk }: Loose): string {
  return `${pk.S}|${sk.S}`;
}

function holds(condition: string, item: Loose, values: Loose): boolean {
  return condition.split(' OR ').some((term) => {
    const absent = /^attribute_not_exists\((\w+)\)$/.exec(term);
    if (absent) return item[absent[1]!] === undefined;
    const [, name, operator, value] = /^(\w+) (=|<) (:\w+)$/.exec(term)!;
    const [left, right] = [item[name!]?.S, values[value!].S];
    return left !== undefined && (operator === '=' ? left === right : left < right);
  });
}

/** One table `features_…`; partitions by their values. */
export class FakeGlue {
  readonly partitions = new Map<string, Loose>();
  failing = false;

  readonly client = client({
    GetTable: ({ Name }) => ({ Table: { Name, StorageDescriptor: { Columns: [{ Name: 'device', Type: 'string' }] } } }),
    GetPartition: ({ TableName, PartitionValues }) => {
      if (this.failing) throw new Error('Insufficient Lake Formation permission(s)');
      const Partition = this.partitions.get(`${TableName}/${PartitionValues.join('/')}`);
      if (!Partition) throw new EntityNotFoundException({ message: 'no', $metadata: {} });
      return { Partition };
    },
    CreatePartition: ({ TableName, PartitionInput }) => {
      const key = `${TableName}/${PartitionInput.Values.join('/')}`;
      if (this.partitions.has(key)) throw new AlreadyExistsException({ message: 'yes', $metadata: {} });
      this.partitions.set(key, PartitionInput);
      return {};
    },
    UpdatePartition: ({ TableName, PartitionValueList, PartitionInput }) => {
      this.partitions.set(`${TableName}/${PartitionValueList.join('/')}`, PartitionInput);
      return {};
    },
  });

  location(table: string, dt: string, hour: string): string | undefined {
    return this.partitions.get(`${table}/${dt}/${hour}`)?.StorageDescriptor.Location;
  }
}

/** Pipelines whose executions run until told otherwise; a token is honoured for ever. */
export class FakeSageMaker {
  readonly executions: { arn: string; token: string; status: string; parameters: Record<string, string> }[] = [];
  calls = 0;
  failing = false;

  readonly client = client({
    StartPipelineExecution: ({ PipelineName, ClientRequestToken: token, PipelineParameters }) => {
      this.calls += 1;
      if (this.failing) throw new Error('ThrottlingException');
      const known = this.executions.find((execution) => execution.token === token);
      if (known) return { PipelineExecutionArn: known.arn };
      const arn = `arn:aws:sagemaker:us-east-1:000000000000:pipeline/${PipelineName}/execution/${this.executions.length + 1}`;
      const parameters = Object.fromEntries(PipelineParameters.map(({ Name, Value }: Loose) => [Name, Value]));
      this.executions.push({ arn, token, status: 'Executing', parameters });
      return { PipelineExecutionArn: arn };
    },
    ListPipelineExecutions: () => ({
      PipelineExecutionSummaries: this.executions.map(({ arn, status }) => ({
        PipelineExecutionArn: arn,
        PipelineExecutionStatus: status,
      })),
    }),
  });
}

export class FakeS3 {
  readonly objects = new Map<string, string>();
  readonly client = client({
    PutObject: ({ Bucket, Key, Body }) => {
      this.objects.set(`s3://${Bucket}/${Key}`, String(Body));
      return {};
    },
  });
}

export function sealedEvent(key: string): string {
  if (!parseManifestKey(key)) throw new Error(`${key} is no manifest`);
  return JSON.stringify({ source: 'aws.s3', 'detail-type': 'Object Created', detail: { object: { key } } });
}
