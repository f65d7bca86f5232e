import { arn, physicalName, uuidOf } from '../names';
import { isTrue, listOf, optionalNumber, optionalObject, optionalText, requireText } from '../provisioner';
import type { Properties, Provisioner } from '../provisioner';
import type { ServiceCalls } from '../service-calls';

/** What CreateEventSourceMapping takes for a queue. */
export interface QueueMappingRequest {
  readonly queueArn: string;
  readonly functionArn: string;
  readonly batchSize: number;
  /** Seconds. */
  readonly batchingWindow: number;
  readonly reportBatchItemFailures: boolean;
  readonly maximumConcurrency: number;
}

export const lambdaFunction: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = optionalText(properties, 'FunctionName') ?? physicalName(stack, logicalId, { maximumLength: 64 });
  const functionArn = functionArnOf(name);
  const variables = optionalObject(optionalObject(properties, 'Environment') ?? {}, 'Variables') ?? {};
  await calls.putFunction({
    name,
    arn: functionArn,
    runtime: optionalText(properties, 'Runtime') ?? 'provided',
    handler: optionalText(properties, 'Handler') ?? '',
    roleArn: requireText(properties, 'Role'),
    directory: codeDirectory(optionalObject(properties, 'Code') ?? {}, calls),
    environment: Object.fromEntries(Object.keys(variables).map((key) => [key, requireText(variables, key)])),
    timeout: optionalNumber(properties, 'Timeout') ?? 3,
    memorySize: optionalNumber(properties, 'MemorySize') ?? 128,
    description: optionalText(properties, 'Description'),
  });
  return { physicalId: name, attributes: { Arn: functionArn } };
};

function codeDirectory(code: Properties, calls: ServiceCalls): string | undefined {
  const key = optionalText(code, 'S3Key');
  if (key === undefined) return undefined;
  const asset = calls.fileAsset(key);
  if (asset === undefined) throw new Error(`Code.S3Key ${key}: the assembly has no such asset`);
  return asset;
}

export const eventSourceMapping: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const queueArn = requireText(properties, 'EventSourceArn');
  if (!queueArn.includes(':sqs:')) throw new Error(`EventSourceArn ${queueArn}: only queues are served locally`);
  if (properties['FilterCriteria'] !== undefined) throw new Error('FilterCriteria is not served locally');
  const id = uuidOf('event-source', stack, logicalId);
  if (properties['Enabled'] === undefined || isTrue(properties['Enabled'])) {
    calls.putQueueMapping({
      queueArn,
      functionArn: functionArnOf(requireText(properties, 'FunctionName')),
      batchSize: optionalNumber(properties, 'BatchSize') ?? 10,
      batchingWindow: optionalNumber(properties, 'MaximumBatchingWindowInSeconds') ?? 0,
      reportBatchItemFailures: listOf(properties, 'FunctionResponseTypes').includes('ReportBatchItemFailures' as never),
      // Lambda starts with five pollers; on one machine two serve as well.
      maximumConcurrency: optionalNumber(optionalObject(properties, 'ScalingConfig') ?? {}, 'MaximumConcurrency') ?? 2,
    });
  }
  return { physicalId: id, attributes: { Id: id, EventSourceMappingArn: arn('lambda', `event-source-mapping:${id}`) } };
};

/** A function by name or by ARN. */
function functionArnOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn : arn('lambda', `function:${nameOrArn}`);
}
