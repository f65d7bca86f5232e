import { arn, physicalName } from '../names';
import { listOf, optionalText, pick, requireText } from '../provisioner';
import type { Provisioner } from '../provisioner';
import type { ServiceCalls } from '../service-calls';

const QUEUE_ATTRIBUTES = [
  'VisibilityTimeout',
  'MessageRetentionPeriod',
  'DelaySeconds',
  'ReceiveMessageWaitTimeSeconds',
  'MaximumMessageSize',
];

export const queue: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  if (properties['FifoQueue'] !== undefined) throw new Error('FIFO queues are not served locally');
  const QueueName = optionalText(properties, 'QueueName') ?? physicalName(stack, logicalId, { maximumLength: 80 });
  const redrive = properties['RedrivePolicy'];
  const Attributes = {
    ...Object.fromEntries(
      Object.entries(pick(properties, ...QUEUE_ATTRIBUTES)).map(([name, value]) => [name, String(value)]),
    ),
    RedrivePolicy: redrive === undefined ? '' : typeof redrive === 'string' ? redrive : JSON.stringify(redrive),
  };
  const { QueueUrls } = await calls.json('sqs', 'ListQueues', { QueueNamePrefix: QueueName });
  const existing = (QueueUrls as string[]).find((url) => url.endsWith(`/${QueueName}`));
  if (existing !== undefined) await calls.json('sqs', 'SetQueueAttributes', { QueueUrl: existing, Attributes });
  const QueueUrl = existing ?? String((await calls.json('sqs', 'CreateQueue', { QueueName, Attributes }))['QueueUrl']);
  return { physicalId: QueueUrl, attributes: { Arn: arn('sqs', QueueName), QueueName, QueueUrl } };
};

export const topic: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const TopicName = optionalText(properties, 'TopicName') ?? physicalName(stack, logicalId, { maximumLength: 256 });
  await query(calls, { Action: 'CreateTopic', Name: TopicName });
  const TopicArn = arn('sns', TopicName);
  for (const subscribed of listOf(properties, 'Subscription')) {
    await query(calls, {
      Action: 'Subscribe',
      TopicArn,
      Protocol: requireText(subscribed, 'Protocol'),
      Endpoint: requireText(subscribed, 'Endpoint'),
    });
  }
  return { physicalId: TopicArn, attributes: { TopicArn, TopicName } };
};

export const subscription: Provisioner = async ({ properties }, calls) => {
  const answer = await query(calls, {
    Action: 'Subscribe',
    TopicArn: requireText(properties, 'TopicArn'),
    Protocol: requireText(properties, 'Protocol'),
    Endpoint: optionalText(properties, 'Endpoint') ?? '',
  });
  const subscriptionArn = /<SubscriptionArn>([^<]*)</.exec(answer)?.[1] ?? '';
  return { physicalId: subscriptionArn, attributes: { Arn: subscriptionArn } };
};

/** SNS speaks the query protocol. */
function query(calls: ServiceCalls, parameters: Record<string, string>): Promise<string> {
  return calls.rest('sns', {
    method: 'POST',
    path: '/',
    body: new URLSearchParams(parameters).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
}
