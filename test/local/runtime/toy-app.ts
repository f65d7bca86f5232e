/** A small app whose resources are wired by the templates alone: a task writes an object, its event reaches a function by a queue. */
import { App, CfnOutput, Fn, Stack, Stage } from 'aws-cdk-lib';
import { CfnCluster, CfnService, CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { CfnStream } from 'aws-cdk-lib/aws-kinesis';
import { CfnEventSourceMapping, CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const SDK = path.join(__dirname, '../../../node_modules/@aws-sdk');

/** Writes one object named after its task, then waits for SIGTERM. */
const CONSUMER = `
const { S3Client, PutObjectCommand } = require(${JSON.stringify(path.join(SDK, 'client-s3'))});
const id = process.env.ECS_CONTAINER_METADATA_URI_V4.split('/').pop();
process.on('SIGTERM', () => { console.log('draining'); process.exit(0); });
setInterval(() => {}, 1e6);
new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: 'out/' + id + '.txt', Body: process.argv[2] }))
  .then(() => console.log('written', id), (error) => { console.error(error); process.exit(1); });
`;

/** Puts what it was told on the stream. */
const FUNCTION = `
const { KinesisClient, PutRecordCommand } = require(${JSON.stringify(path.join(SDK, 'client-kinesis'))});
const kinesis = new KinesisClient({});
exports.handler = async ({ Records }) => {
  for (const { body } of Records) {
    const { detail } = JSON.parse(body);
    await kinesis.send(new PutRecordCommand({ StreamName: process.env.STREAM, PartitionKey: 'p', Data: Buffer.from(detail.object.key) }));
  }
  return { batchItemFailures: [] };
};
`;

export interface ToyAppOptions {
  readonly directory: string;
  readonly desiredCount?: number;
  readonly shards?: number;
  /** Changes the stage before it is synthesized. */
  readonly change?: (stack: Stack) => void;
}

/** @returns the assembly's directory */
export function synthesizeToyApp({ directory, desiredCount = 2, shards = 1, change }: ToyAppOptions): string {
  const image = path.join(directory, 'image');
  const code = path.join(directory, 'code');
  for (const folder of [image, code]) mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(image, 'Dockerfile'),
    'FROM node:24-slim\nWORKDIR /app\nCOPY . /app/\nENTRYPOINT ["node", "/app/main.js"]\n',
  );
  writeFileSync(path.join(image, 'main.js'), CONSUMER);
  writeFileSync(path.join(code, 'index.js'), FUNCTION);

  const outdir = path.join(directory, 'cdk.out');
  const app = new App({ outdir, analyticsReporting: false, builtinCloudFormationValidation: false });
  const stage = new Stage(app, 'Toy');
  const lake = new Stack(stage, 'Lake');
  const bucket = new CfnBucket(lake, 'Bucket', {
    notificationConfiguration: { eventBridgeConfiguration: { eventBridgeEnabled: true } },
  });
  const stream = new CfnStream(lake, 'Stream', { shardCount: shards });
  new CfnOutput(lake, 'BucketName', { value: bucket.ref });
  new CfnOutput(lake, 'StreamName', { value: stream.ref });

  const work = new Stack(stage, 'Work');
  const role = (id: string, service: string) =>
    new CfnRole(work, id, {
      assumeRolePolicyDocument: {
        Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
      },
    });
  const dead = new CfnQueue(work, 'Dead');
  const queue = new CfnQueue(work, 'Queue', {
    redrivePolicy: { deadLetterTargetArn: dead.attrArn, maxReceiveCount: 3 },
  });
  new CfnRule(work, 'Written', {
    eventPattern: {
      source: ['aws.s3'],
      'detail-type': ['Object Created'],
      detail: { bucket: { name: [bucket.ref] }, object: { key: [{ wildcard: 'out/*.txt' }] } },
    },
    targets: [{ id: '1', arn: queue.attrArn }],
  });
  const asset = new Asset(work, 'Code', { path: code });
  const handler = new CfnFunction(work, 'Function', {
    code: { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey },
    handler: 'index.handler',
    runtime: 'nodejs24.x',
    role: role('FunctionRole', 'lambda.amazonaws.com').attrArn,
    environment: { variables: { STREAM: stream.ref } },
    timeout: 20,
  });
  new CfnEventSourceMapping(work, 'Mapping', {
    eventSourceArn: queue.attrArn,
    functionName: handler.ref,
    functionResponseTypes: ['ReportBatchItemFailures'],
    scalingConfig: { maximumConcurrency: 2 },
  });
  new CfnTopicRule(work, 'Rule', {
    topicRulePayload: {
      sql: "SELECT encode(*, 'base64') AS payload FROM 'dt/+'",
      awsIotSqlVersion: '2016-03-23',
      actions: [
        {
          kinesis: {
            streamName: stream.ref,
            partitionKey: '${topic(2)}',
            roleArn: role('RuleRole', 'iot.amazonaws.com').attrArn,
          },
        },
      ],
    },
  });
  const cluster = new CfnCluster(work, 'Cluster');
  const taskDefinition = new CfnTaskDefinition(work, 'Task', {
    taskRoleArn: role('TaskRole', 'ecs-tasks.amazonaws.com').attrArn,
    containerDefinitions: [
      {
        name: 'app',
        image: new DockerImageAsset(work, 'Image', { directory: image }).imageUri,
        command: [Fn.join('-', ['hello', bucket.ref])],
        environment: [{ name: 'BUCKET', value: bucket.ref }],
        stopTimeout: 5,
      },
    ],
  });
  new CfnService(work, 'Service', { cluster: cluster.ref, taskDefinition: taskDefinition.ref, desiredCount });
  change?.(work);
  app.synth();
  return outdir;
}
