import { AwsError } from '../../gateway/service';
import type { QueueAttributes, RedrivePolicy } from './queue';

const DEFAULTS: QueueAttributes = {
  VisibilityTimeout: 30,
  MessageRetentionPeriod: 345_600,
  DelaySeconds: 0,
  ReceiveMessageWaitTimeSeconds: 0,
  MaximumMessageSize: 1_048_576,
};

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  VisibilityTimeout: [0, 43_200],
  MessageRetentionPeriod: [60, 1_209_600],
  DelaySeconds: [0, 900],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  MaximumMessageSize: [1_024, 1_048_576],
};

/** Encryption and permissions change nothing on one machine. */
const WITHOUT_LOCAL_MEANING = new Set([
  'KmsMasterKeyId',
  'KmsDataKeyReusePeriodSeconds',
  'SqsManagedSseEnabled',
  'Policy',
  'RedriveAllowPolicy',
]);

/**
 * The API's attribute map, all strings, laid over `base`.
 * @throws AwsError `InvalidAttributeName`, `InvalidAttributeValue`
 */
export function parseAttributes(
  given: Readonly<Record<string, string>>,
  base: QueueAttributes = DEFAULTS,
): QueueAttributes {
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(given)) {
    const range = RANGES[name];
    if (range !== undefined) {
      const number = Number(value);
      if (!Number.isInteger(number) || number < range[0] || number > range[1]) {
        throw new AwsError('InvalidAttributeValue', `${name} must be an integer from ${range[0]} to ${range[1]}.`);
      }
      result[name] = number;
    } else if (name === 'RedrivePolicy') {
      result[name] = parseRedrivePolicy(value);
    } else if (!WITHOUT_LOCAL_MEANING.has(name)) {
      throw new AwsError('InvalidAttributeName', `Unknown attribute ${name}; FIFO queues are not served locally.`);
    }
  }
  return result as unknown as QueueAttributes;
}

function parseRedrivePolicy(value: string): RedrivePolicy | undefined {
  if (value === '') return undefined;
  let policy: { deadLetterTargetArn?: unknown; maxReceiveCount?: unknown };
  try {
    policy = JSON.parse(value) as typeof policy;
  } catch {
    throw new AwsError('InvalidAttributeValue', 'RedrivePolicy is not JSON.');
  }
  const maxReceiveCount = Number(policy.maxReceiveCount);
  if (typeof policy.deadLetterTargetArn !== 'string' || !(maxReceiveCount >= 1 && maxReceiveCount <= 1_000)) {
    throw new AwsError(
      'InvalidAttributeValue',
      'RedrivePolicy wants deadLetterTargetArn and maxReceiveCount from 1 to 1000.',
    );
  }
  return { deadLetterTargetArn: policy.deadLetterTargetArn, maxReceiveCount };
}

export function renderAttributes(
  attributes: QueueAttributes,
  counts: { visible: number; inFlight: number; delayed: number },
): Record<string, string> {
  const { RedrivePolicy: redrive, ...numbers } = attributes;
  return {
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])),
    ...(redrive !== undefined && { RedrivePolicy: JSON.stringify(redrive) }),
    ApproximateNumberOfMessages: String(counts.visible),
    ApproximateNumberOfMessagesNotVisible: String(counts.inFlight),
    ApproximateNumberOfMessagesDelayed: String(counts.delayed),
  };
}
