import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GlueClient } from '@aws-sdk/client-glue';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { PartitionTriggerEnv } from '../../lib/contracts/environment';
import { requiredVariable } from '../sqs';
import { FeatureCatalog } from './catalog';
import { TrainingExecutions } from './executions';
import { createHandler } from './handler';
import { TrainingRegistry } from './registry';

const lakeBucket = requiredVariable(PartitionTriggerEnv.lakeBucket);
const registry = new TrainingRegistry(new DynamoDBClient({}), requiredVariable(PartitionTriggerEnv.registryTable));

export const handler = createHandler({
  registry,
  catalog: new FeatureCatalog({
    glue: new GlueClient({}),
    database: requiredVariable(PartitionTriggerEnv.glueDatabase),
    lakeBucket,
    newestGeneration: (partition) => registry.sealedPartition(partition),
  }),
  executions: new TrainingExecutions({
    s3: new S3Client({}),
    sageMaker: new SageMakerClient({}),
    lakeBucket,
    artifactBucket: requiredVariable(PartitionTriggerEnv.artifactBucket),
  }),
  targets: JSON.parse(requiredVariable(PartitionTriggerEnv.targets)),
  now: Date.now,
  sleep: (milliseconds) => sleep(milliseconds),
});
