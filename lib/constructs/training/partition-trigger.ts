import { Duration, Stack } from 'aws-cdk-lib';
import { type Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Match, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Construct } from 'constructs';
import type { UseCase } from '../../../use-cases/define-use-case';
import { PartitionTriggerEnv } from '../../contracts/environment';
import { MANIFEST_KEY_WILDCARD } from '../../contracts/lake-layout';
import type { TrainingTarget, TriggerPolicy } from '../../contracts/training';
import { nodeFunction } from '../compute/node-function';
import type { LakeCatalog } from '../lake/lake-catalog';
import type { PartitionLake } from '../lake/partition-lake';
import type { PartitionRegistry } from '../lake/partition-registry';
import { BufferQueue } from '../operations/buffer-queue';
import type { TrainingPipeline } from './training-pipeline';

export interface PartitionTriggerProps {
  readonly lake: PartitionLake;
  readonly catalog: LakeCatalog;
  readonly registry: PartitionRegistry;
  readonly pipelines: readonly TrainingPipeline[];
  /**
   * Replaces members of every use case's trigger policy.
   * @default - each use case's own
   */
  readonly policy?: Partial<TriggerPolicy>;
  readonly logRetention: Duration;
}

const TIMEOUT = Duration.seconds(60);

/**
 * A sealed partition's manifest, or the end of a pipeline execution, wakes the function that points the Glue partition at
 * the newest generation and decides whether a training execution starts.
 */
export class PartitionTrigger extends Construct {
  readonly function: IFunction;
  private readonly buffer: BufferQueue;

  constructor(scope: Construct, id: string, props: PartitionTriggerProps) {
    super(scope, id);
    const { lake, catalog, registry, pipelines } = props;
    const trainingTargets = targets(props);
    requireRoom(trainingTargets);
    this.function = nodeFunction(this, 'Function', {
      description: 'Follows sealed partitions: Glue partition, dataset, training execution',
      folder: 'partition-trigger',
      environment: {
        [PartitionTriggerEnv.registryTable]: registry.table.tableName,
        [PartitionTriggerEnv.lakeBucket]: lake.lakeBucket.bucketName,
        [PartitionTriggerEnv.artifactBucket]: lake.artifactBucket.bucketName,
        [PartitionTriggerEnv.glueDatabase]: catalog.database.databaseName,
        [PartitionTriggerEnv.targets]: Stack.of(this).toJsonString(trainingTargets),
      },
      timeout: TIMEOUT,
      logRetention: props.logRetention,
    });
    registry.grantTrigger(this.function);
    lake.grantPutArtifacts(this.function, 'datasets/');
    catalog.grantRegisterPartitions(this.function);
    for (const pipeline of pipelines) pipeline.grantStart(this.function);

    this.buffer = new BufferQueue(this, 'Queue', { consumerTimeout: TIMEOUT, maxReceiveCount: 20 });
    // Two at a time, by the event source: reserved concurrency fails in accounts with the smallest quota.
    this.function.addEventSource(
      new SqsEventSource(this.buffer.queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: 2 }),
    );

    new Rule(this, 'PartitionSealed', {
      description: 'A manifest was written: a generation of a partition is sealed',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [lake.lakeBucket.bucketName] },
          // One wildcard: a prefix and a suffix in one array would match either.
          object: { key: Match.wildcard(MANIFEST_KEY_WILDCARD) },
        },
      },
      targets: [new SqsQueue(this.buffer.queue)],
    });
    new Rule(this, 'ExecutionEnded', {
      description: 'A training execution ended: partitions sealed meanwhile may start the next',
      eventPattern: {
        source: ['aws.sagemaker'],
        detailType: ['SageMaker Model Building Pipeline Execution Status Change'],
        detail: {
          pipelineArn: pipelines.map((pipeline) => pipeline.pipelineArn),
          currentPipelineExecutionStatus: ['Succeeded', 'Failed', 'Stopped'],
        },
      },
      targets: [new SqsQueue(this.buffer.queue)],
    });
  }

  /** Events given up: a partition that is not queryable yet, or a training that did not start. */
  metricDeadLetters(): Metric {
    return this.buffer.metricDeadLetters();
  }

  metricErrors(): Metric {
    return this.function.metricErrors({ statistic: Stats.SUM, period: Duration.minutes(5) });
  }
}

function targets({ pipelines, catalog, policy }: PartitionTriggerProps): Record<string, TrainingTarget> {
  return Object.fromEntries(
    pipelines.map((pipeline) => [
      pipeline.useCase.name,
      {
        pipelineName: pipeline.pipelineName,
        glueTable: catalog.featureTable(pipeline.useCase).tableName,
        policy: mergedPolicy(pipeline.useCase, policy),
        definitionHash: pipeline.definitionHash,
      },
    ]),
  );
}

/** Lambda's limit for all variables of a function together, less what the others may take: two buckets, a table, a database. */
const TARGETS_MAX_BYTES = 4096 - 512;
/** Of a Glue table, whose name is not known at synthesis. */
const TABLE_NAME_MAX_BYTES = 64;

/** @throws Error where the variable cannot hold that many use cases; a deployment would fail with less to go by. */
function requireRoom(all: Record<string, TrainingTarget>): void {
  const measured = Object.entries(all).map(([name, target]) => [
    name,
    { ...target, glueTable: 'x'.repeat(TABLE_NAME_MAX_BYTES) },
  ]);
  const bytes = Buffer.byteLength(JSON.stringify(Object.fromEntries(measured)));
  if (bytes <= TARGETS_MAX_BYTES) return;
  throw new Error(
    `${PartitionTriggerEnv.targets} of ${measured.length} use cases takes ${bytes} bytes, and a function's environment has ` +
      `${TARGETS_MAX_BYTES} left for it: deploy some of the use cases as a second app, under an environment of another name.`,
  );
}

/** @throws Error where the replaced members leave a policy under which no execution would ever start. */
function mergedPolicy(useCase: UseCase, replacement: Partial<TriggerPolicy> = {}): TriggerPolicy {
  const policy = { ...useCase.training.trigger, ...replacement };
  if (policy.newPartitions > policy.datasetHours) {
    throw new Error(
      `training.trigger of ${useCase.name}: newPartitions ${policy.newPartitions} is more than a dataset of datasetHours ${policy.datasetHours} can hold`,
    );
  }
  return policy;
}
