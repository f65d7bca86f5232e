/** The services of a local run, and the wires between them that AWS has inside. */
import path from 'node:path';
import type { Assembly } from '../assembly/assembly';
import { ACCOUNT_ID, REGION } from '../assembly/names';
import type { Gateway } from '../gateway/gateway';
import type { CredentialRegistry } from '../gateway/credentials';
import type { AwsService, Caller, Clock } from '../gateway/service';
import { DynamoDbEngine } from '../services/dynamodb/engine';
import { launchContainer } from '../services/ecs/container-process';
import { readImage } from '../services/ecs/dockerfile';
import { EcsService } from '../services/ecs/ecs-service';
import { metadataUri } from '../services/ecs/task-metadata';
import { EventBridgeService } from '../services/events/event-bridge-service';
import { GlueService } from '../services/glue/glue-service';
import { IotService } from '../services/iot/iot-service';
import { KinesisEngine } from '../services/kinesis/engine';
import { LambdaService } from '../services/lambda/lambda-service';
import { S3Service } from '../services/s3';
import { SageMakerService } from '../services/sagemaker';
import { SnsService } from '../services/sns/sns-service';
import { SqsService } from '../services/sqs/sqs-service';
import type { Logs } from './logs';
import type { StateDirectory } from './state-directory';

export interface Services {
  readonly dynamodb: DynamoDbEngine;
  readonly ecs: EcsService;
  readonly events: EventBridgeService;
  readonly glue: GlueService;
  readonly iot: IotService;
  readonly kinesis: KinesisEngine;
  readonly lambda: LambdaService;
  readonly s3: S3Service;
  readonly sagemaker: SageMakerService;
  readonly sns: SnsService;
  readonly sqs: SqsService;
}

export interface Surroundings {
  readonly state: StateDirectory;
  readonly clock: Clock;
  readonly gateway: Gateway;
  readonly credentials: CredentialRegistry;
  readonly assembly: Assembly;
  readonly logs: Logs;
  /** Variables of every ECS task beside those of its definition. */
  readonly taskEnvironment: Readonly<Record<string, string>>;
}

/** Source of the run's own log lines. */
export const RUN = 'local';

/** Lambda's runtime has the AWS SDK on its module path; here it is the project's own. */
const MODULE_PATH = path.join(__dirname, '..', '..', 'node_modules');

export function createServices(around: Surroundings): Services {
  const { state, clock, gateway, logs } = around;
  const account = { accountId: ACCOUNT_ID, region: REGION };
  const kinesis = new KinesisEngine({ clock, journalPath: state.path('kinesis'), limits: 'reads-only' });
  const dynamodb = new DynamoDbEngine({ clock, directory: state.path('dynamodb') });
  const sqs = new SqsService({ clock, directory: state.path('sqs'), endpoint: () => gateway.endpoint, ...account });
  const glue = new GlueService({ clock, directory: state.path('glue'), ...account });
  const sns = new SnsService({
    ...account,
    onPublish: ({ topicArn, subject, message, subscriptions }) => {
      const to = subscriptions.length === 0 ? '' : ` (to ${subscriptions.join(', ')})`;
      logs.write('sns', `${topicArn.split(':').at(-1)}${to}: ${subject === undefined ? '' : `${subject}: `}${message}`);
    },
  });
  const lambda = new LambdaService({
    clock,
    region: REGION,
    environment: ({ roleArn }) => ({ ...roleEnvironment(around, roleArn), NODE_PATH: MODULE_PATH, TZ: 'UTC' }),
    onLine: (name, line) => logs.write(name, line),
    onDropped: (name, reason) =>
      logs.write(RUN, `function ${name}: an event was dropped after three attempts: ${reason}`),
  });
  const events = createEvents(around, lambda);
  const s3 = new S3Service({ clock, directory: state.path('s3'), emit: (event) => events.publish(event) });
  const sagemaker = new SageMakerService({
    clock,
    directory: state.path('sagemaker'),
    s3: {
      get: (bucket, key) => s3.objects.get(bucket, key),
      put: async (bucket, key, body) => void (await s3.objects.put(bucket, key, body)),
      list: async (bucket, prefix) => (await s3.objects.list(bucket, prefix)).map(({ key }) => key),
    },
    resolveImage: (imageUri) => resolveImage(around, imageUri),
    containerEnvironment: (roleArn) => roleEnvironment(around, roleArn),
    emit: (event) => void events.publish(event),
    onLog: (job, line) => logs.write(job, line),
    ...account,
  });
  const iot = new IotService({
    clock,
    directory: state.path('iot'),
    actions: ruleActions(around, s3, lambda),
    onLog: (entry) => logs.write('iot', JSON.stringify(entry)),
  });
  const ecs = createEcs(around);
  const services: Services = { dynamodb, ecs, events, glue, iot, kinesis, lambda, s3, sagemaker, sns, sqs };
  for (const service of Object.values(services) as AwsService[]) gateway.add(service);
  return services;
}

function createEcs(around: Surroundings): EcsService {
  const { clock, gateway, logs } = around;
  return new EcsService({
    clock,
    launch: launchContainer,
    imageDirectory: (imageUri) => {
      const directory = imageDirectory(around, imageUri);
      if (directory === undefined) throw new Error(`image ${imageUri} is no asset of the assembly`);
      return directory;
    },
    environment: ({ id, definition }, container) => ({
      ...(definition.taskRoleArn !== undefined && roleEnvironment(around, definition.taskRoleArn)),
      AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
      ECS_CONTAINER_METADATA_URI_V4: metadataUri(gateway.endpoint, id, container),
      ...around.taskEnvironment,
    }),
    onLine: ({ service, id }, _container, line) => logs.write(`${service}/${id}`, line),
    onLog: (message) => logs.write(RUN, message),
    accountId: ACCOUNT_ID,
    region: REGION,
  });
}

function createEvents(around: Surroundings, lambda: LambdaService): EventBridgeService {
  const { clock, gateway, logs } = around;
  const caller: Caller = { accessKeyId: '', principalArn: 'events.amazonaws.com' };
  const send = async (
    queueArn: string,
    body: string,
    attributes: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
    );
    await gateway.invoke(
      'sqs',
      'SendMessage',
      { QueueUrl: queueUrlOf(queueArn, gateway), MessageBody: body, MessageAttributes },
      caller,
    );
  };
  return new EventBridgeService({
    clock,
    accountId: ACCOUNT_ID,
    region: REGION,
    supports: (arn) => /^arn:[^:]+:(sqs|lambda):/.test(arn),
    deliver: async ({ Arn }, payload) => {
      if (Arn.includes(':sqs:')) await send(Arn, payload);
      else lambda.invokeAsync(Arn, payload);
    },
    deadLetter: send,
    onLog: (message) => logs.write(RUN, message),
  });
}

function ruleActions({ gateway, credentials }: Surroundings, s3: S3Service, lambda: LambdaService) {
  return {
    kinesis: async (StreamName: string, PartitionKey: string, data: Buffer, roleArn: string): Promise<void> => {
      const input = { StreamName, PartitionKey, Data: data.toString('base64') };
      await gateway.invoke('kinesis', 'PutRecord', input, credentials.callerOf(roleArn));
    },
    sqs: async (QueueUrl: string, MessageBody: string, roleArn: string): Promise<void> => {
      await gateway.invoke('sqs', 'SendMessage', { QueueUrl, MessageBody }, credentials.callerOf(roleArn));
    },
    s3: async (bucket: string, key: string, body: Buffer): Promise<void> =>
      void (await s3.objects.put(bucket, key, body)),
    lambda: async (functionArn: string, payload: Buffer): Promise<void> =>
      lambda.invokeAsync(functionArn, payload.toString('utf8')),
  };
}

/** What a task, function or job of the role finds the services with. */
function roleEnvironment({ gateway, credentials }: Surroundings, roleArn: string): Record<string, string> {
  const { accessKeyId, secretAccessKey } = credentials.issue(roleArn);
  return {
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ENDPOINT_URL: gateway.endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    // About the Node of this machine; on AWS the images and runtimes bring a newer one.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

/** Images of the assembly are told by their tag, which is the hash of their build context. */
function imageDirectory({ assembly }: Surroundings, imageUri: string): string | undefined {
  return assembly.imageAsset(imageUri.slice(imageUri.lastIndexOf(':') + 1));
}

function resolveImage(
  around: Surroundings,
  imageUri: string,
): ReturnType<ConstructorParameters<typeof SageMakerService>[0]['resolveImage']> {
  const directory = imageDirectory(around, imageUri);
  if (directory === undefined) return undefined;
  const { workingDirectory, entryPoint, command, environment } = readImage(directory);
  return { directory, workingDirectory, entrypoint: entryPoint, command, environment };
}

export function queueUrlOf(queueArn: string, gateway: Gateway): string {
  return `${gateway.endpoint}/${queueArn.split(':').slice(-2).join('/')}`;
}
