/** Where the readings are, stage by stage, read from the registry and SageMaker as an operator's tool would. */
import {
  BatchGetItemCommand,
  QueryCommand,
  ScanCommand,
  type AttributeValue,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  DescribeModelPackageCommand,
  DescribePipelineExecutionCommand,
  ListPipelineExecutionsCommand,
  ListPipelineExecutionStepsCommand,
  type SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { parseHead, type Head } from '../../consumer/lake/append/head';
import { completeUntil } from '../../consumer/lake/fold/completeness';
import { fromAttributes } from '../../consumer/lake/stores/attributes';
import type { Item } from '../../consumer/lake/stores/registry-store';
import type { EvaluationReport } from '../../lib/contracts/documents';
import type { Partition } from '../../lib/contracts/lake-layout';
import {
  HEAD_BUCKETS,
  HEADS_PK_PREFIX,
  ledgerPk,
  PARTITION_SK,
  partitionPk,
  UNFOLDED_INDEX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../../lib/contracts/registry';
import { PipelineStep } from '../../lib/contracts/training';

export interface StatusSources {
  readonly dynamodb: DynamoDBClient;
  readonly s3: S3Client;
  readonly sagemaker: SageMakerClient;
  readonly registryTable: string;
  /** Use case → SageMaker pipeline name. */
  readonly pipelines: Readonly<Record<string, string>>;
}

export interface ExecutionStatus {
  readonly arn: string;
  readonly status: string;
  readonly failureReason?: string;
  /** The step that runs, or the last that ended. */
  readonly step?: string;
  /** True where the quality gate refused the model, which is an answer and no fault. */
  readonly refused: boolean;
}

export interface RegisteredModel {
  readonly packageArn: string;
  readonly metric: string;
  readonly value: number;
  /** `at most 0.9` or `at least 0.7` */
  readonly gate: string;
}

export interface UseCaseStatus {
  readonly name: string;
  /** Readings committed by the consumer: registered in segments. */
  readonly registered: number;
  readonly quarantined: number;
  readonly folded: number;
  readonly duplicates: number;
  readonly sealedPartitions: number;
  /** Segments that no sealed generation contains yet, and their hours (`<dt>T<hour>`). */
  readonly unfoldedSegments: number;
  readonly unfoldedHours: readonly string[];
  readonly execution?: ExecutionStatus;
  readonly model?: RegisteredModel;
}

export interface StatusSnapshot {
  readonly useCases: readonly UseCaseStatus[];
  /** Quarantined records whose topic names no use case. */
  readonly quarantinedUnknown: number;
  /** Shards whose end is not committed yet. */
  readonly openShards: number;
  /** Shards read to their end, after a reshard. */
  readonly finishedShards: number;
  /**
   * Arrival time up to which the whole stream is read and committed, epoch milliseconds; -Infinity while shards are unread.
   */
  readonly committedUntil: number;
}

export interface LedgerCounts {
  registered: number;
  quarantined: number;
}

/** Counts of a partition's newest sealed generation. */
export interface PartitionCounts {
  readonly folded: number;
  readonly duplicates: number;
  readonly contentHash: string;
}

/** BatchGetItem takes at most 100 keys. */
const BATCH_GET_LIMIT = 100;

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

export class PipelineStatus {
  private readonly ledger = new Map<string, LedgerCounts>();
  /** Last ledger row read, by shard: rows are only ever added after it. */
  private readonly ledgerRead = new Map<string, string>();
  private readonly models = new Map<string, RegisteredModel | undefined>();

  constructor(private readonly sources: StatusSources) {}

  async read(): Promise<StatusSnapshot> {
    const heads = await this.readHeads();
    const partitions = await this.readPartitions();
    const useCases: UseCaseStatus[] = [];
    for (const name of Object.keys(this.sources.pipelines)) {
      const { registered, quarantined } = this.counts(name);
      const unfolded = await this.unfoldedHours(name);
      const sealed = partitions.get(name) ?? { folded: 0, duplicates: 0, sealedPartitions: 0 };
      useCases.push({
        name,
        registered,
        quarantined,
        ...sealed,
        unfoldedSegments: sum(unfolded.values()),
        unfoldedHours: [...unfolded.keys()],
        ...(await this.readExecution(name)),
      });
    }
    return { useCases, quarantinedUnknown: this.counts('unknown').quarantined, ...heads };
  }

  private counts(useCase: string): LedgerCounts {
    let counts = this.ledger.get(useCase);
    if (!counts) this.ledger.set(useCase, (counts = { registered: 0, quarantined: 0 }));
    return counts;
  }

  /** Reads the heads, and the ledger rows of their shards that are new since the last call. */
  private async readHeads(): Promise<Pick<StatusSnapshot, 'openShards' | 'finishedShards' | 'committedUntil'>> {
    const heads: Head[] = [];
    for (let bucket = 0; bucket < HEAD_BUCKETS; bucket++) {
      const items = await this.query({ ':pk': { S: `${HEADS_PK_PREFIX}${bucket}` } }, 'pk = :pk');
      heads.push(...items.map((item) => parseHead(fromAttributes(item) as Item)));
    }
    for (const { shardId: shard } of heads) {
      const after = this.ledgerRead.get(shard) ?? ' ';
      const rows = await this.query({ ':pk': { S: ledgerPk(shard) }, ':sk': { S: after } }, 'pk = :pk AND sk > :sk');
      for (const row of rows) {
        for (const [useCase, counts] of Object.entries(row['byUseCase']?.M ?? {})) {
          this.counts(useCase).registered += Number(counts.M?.['readings']?.N ?? 0);
          this.counts(useCase).quarantined += Number(counts.M?.['quarantined']?.N ?? 0);
        }
        if (row['sk']?.S) this.ledgerRead.set(shard, row['sk'].S);
      }
    }
    const openShards = heads.filter((head) => !head.finished).length;
    return { openShards, finishedShards: heads.length - openShards, committedUntil: completeUntil(heads) };
  }

  private async query(
    values: Record<string, AttributeValue>,
    condition: string,
  ): Promise<Record<string, AttributeValue>[]> {
    const items: Record<string, AttributeValue>[] = [];
    let from: Record<string, AttributeValue> | undefined;
    do {
      const page = await this.sources.dynamodb.send(
        new QueryCommand({
          TableName: this.sources.registryTable,
          KeyConditionExpression: condition,
          ExpressionAttributeValues: values,
          ExclusiveStartKey: from,
          ConsistentRead: true,
        }),
      );
      items.push(...(page.Items ?? []));
      from = page.LastEvaluatedKey;
    } while (from);
    return items;
  }

  private async readPartitions(): Promise<
    Map<string, { folded: number; duplicates: number; sealedPartitions: number }>
  > {
    const found = new Map<string, { folded: number; duplicates: number; sealedPartitions: number }>();
    let from: Record<string, AttributeValue> | undefined;
    do {
      const page = await this.sources.dynamodb.send(
        new ScanCommand({
          TableName: this.sources.registryTable,
          FilterExpression: 'sk = :partition AND attribute_exists(generation)',
          ExpressionAttributeValues: { ':partition': { S: PARTITION_SK } },
          ExclusiveStartKey: from,
          ConsistentRead: true,
        }),
      );
      for (const item of page.Items ?? []) {
        const useCase = item['useCase']?.S ?? '';
        const sums = found.get(useCase) ?? { folded: 0, duplicates: 0, sealedPartitions: 0 };
        sums.folded += Number(item['folded']?.N ?? 0);
        sums.duplicates += Number(item['duplicates']?.N ?? 0);
        sums.sealedPartitions += 1;
        found.set(useCase, sums);
      }
      from = page.LastEvaluatedKey;
    } while (from);
    return found;
  }

  /** Partition hours (`<dt>T<hour>`) with segments that no sealed generation contains yet, and how many. */
  async unfoldedHours(useCase: string): Promise<Map<string, number>> {
    const hours = new Map<string, number>();
    let from: Record<string, AttributeValue> | undefined;
    do {
      const page = await this.sources.dynamodb.send(
        new QueryCommand({
          TableName: this.sources.registryTable,
          IndexName: UNFOLDED_INDEX,
          KeyConditionExpression: '#useCase = :useCase',
          ExpressionAttributeNames: { '#useCase': UNFOLDED_INDEX_HASH },
          ExpressionAttributeValues: { ':useCase': { S: useCase } },
          ExclusiveStartKey: from,
        }),
      );
      for (const item of page.Items ?? []) {
        const hour = item[UNFOLDED_INDEX_RANGE]?.S ?? '';
        hours.set(hour, (hours.get(hour) ?? 0) + 1);
      }
      from = page.LastEvaluatedKey;
    } while (from);
    return hours;
  }

  /** The newest sealed counts of the given partition hours; hours without a sealed generation are left out. */
  async readHours(useCase: string, hours: readonly string[]): Promise<Map<string, PartitionCounts>> {
    const found = new Map<string, PartitionCounts>();
    for (let at = 0; at < hours.length; at += BATCH_GET_LIMIT) {
      let keys: Record<string, AttributeValue>[] | undefined = hours.slice(at, at + BATCH_GET_LIMIT).map((text) => {
        const partition: Partition = { useCase, dt: text.slice(0, 10), hour: text.slice(11) };
        return { pk: { S: partitionPk(partition) }, sk: { S: PARTITION_SK } };
      });
      while (keys && keys.length > 0) {
        const { registryTable } = this.sources;
        const page: BatchGetItemCommandOutput = await this.sources.dynamodb.send(
          new BatchGetItemCommand({ RequestItems: { [registryTable]: { Keys: keys, ConsistentRead: true } } }),
        );
        for (const item of page.Responses?.[registryTable] ?? []) {
          if (item['generation'] === undefined) continue;
          found.set(item['hour']?.S ?? '', {
            folded: Number(item['folded']?.N ?? 0),
            duplicates: Number(item['duplicates']?.N ?? 0),
            contentHash: item['contentHash']?.S ?? '',
          });
        }
        keys = page.UnprocessedKeys?.[registryTable]?.Keys;
      }
    }
    return found;
  }

  /** Readings of the use case in all committed ranges. */
  async ledgerCounts(useCase: string): Promise<Readonly<LedgerCounts> & { readonly committedUntil: number }> {
    const { committedUntil } = await this.readHeads();
    return { ...this.counts(useCase), committedUntil };
  }

  /** The newest execution and, where it registered one, its model. */
  private async readExecution(useCase: string): Promise<{ execution?: ExecutionStatus; model?: RegisteredModel }> {
    const { sagemaker } = this.sources;
    const listed = await sagemaker.send(
      new ListPipelineExecutionsCommand({
        PipelineName: this.sources.pipelines[useCase],
        SortBy: 'CreationTime',
        SortOrder: 'Descending',
        MaxResults: 1,
      }),
    );
    const arn = listed.PipelineExecutionSummaries?.[0]?.PipelineExecutionArn;
    if (arn === undefined) return {};
    const described = await sagemaker.send(new DescribePipelineExecutionCommand({ PipelineExecutionArn: arn }));
    const steps =
      (
        await sagemaker.send(
          new ListPipelineExecutionStepsCommand({ PipelineExecutionArn: arn, SortOrder: 'Ascending' }),
        )
      ).PipelineExecutionSteps ?? [];
    const running = steps.find((step) => step.StepStatus === 'Executing') ?? steps.at(-1);
    const execution: ExecutionStatus = {
      arn,
      status: described.PipelineExecutionStatus ?? 'Unknown',
      failureReason: described.FailureReason,
      step: running?.StepName,
      refused: steps.some((step) => step.StepName === PipelineStep.fail),
    };
    const packageArn = steps.find((step) => step.StepName === PipelineStep.register)?.Metadata?.RegisterModel?.Arn;
    return { execution, model: packageArn === undefined ? undefined : await this.readModel(packageArn) };
  }

  private async readModel(packageArn: string): Promise<RegisteredModel | undefined> {
    if (this.models.has(packageArn)) return this.models.get(packageArn);
    const { sagemaker, s3 } = this.sources;
    const described = await sagemaker.send(new DescribeModelPackageCommand({ ModelPackageName: packageArn }));
    const uri = described.ModelMetrics?.ModelQuality?.Statistics?.S3Uri;
    const place = uri === undefined ? null : /^s3:\/\/([^/]+)\/(.+)$/.exec(uri);
    if (!place) return undefined;
    const object = await s3.send(new GetObjectCommand({ Bucket: place[1], Key: place[2] }));
    const report = JSON.parse((await object.Body?.transformToString()) ?? '{}') as EvaluationReport;
    const model = { packageArn, metric: report.gate.metric, value: report.gate.value, gate: report.gate.limit };
    this.models.set(packageArn, model);
    return model;
  }
}
