/** SQS's wire shapes of messages and their receipts. */
import { AwsError } from '../../gateway/service';
import { md5, md5OfAttributes } from './message-digest';
import type { Message } from './queue';

type Input = Record<string, unknown>;

/** @throws AwsError `InvalidParameterValue` for anything but an integer of the range */
export function readInteger(input: Input, name: string, minimum: number, maximum: number): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value) || (value as number) < minimum || (value as number) > maximum) {
    throw new AwsError('InvalidParameterValue', `${name} must be an integer from ${minimum} to ${maximum}.`);
  }
  return value as number;
}

/** Receipt handle: base64 of `<message id> <receive count>`, opaque to clients. */
function receiptOf(message: Message): string {
  return Buffer.from(`${message.id} ${message.receiveCount}`).toString('base64');
}

/** @throws AwsError `ReceiptHandleIsInvalid` */
export function readReceipt(input: Input): { id: string } {
  const [id, count] = Buffer.from(String(input['ReceiptHandle'] ?? ''), 'base64')
    .toString('utf8')
    .split(' ');
  if (id === undefined || count === undefined || !/^\d+$/.test(count)) {
    throw new AwsError('ReceiptHandleIsInvalid', 'The receipt handle is not one that ReceiveMessage gave.', 404);
  }
  return { id };
}

/** A message as ReceiveMessage gives it, with the attributes that the request names. */
export function renderMessage(message: Message, input: Input): unknown {
  const names = [
    ...((input['AttributeNames'] ?? []) as string[]),
    ...((input['MessageSystemAttributeNames'] ?? []) as string[]),
  ];
  const system: Record<string, string | undefined> = {
    SenderId: message.senderId,
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
    DeadLetterQueueSourceArn: message.deadLetterSource,
  };
  const wanted = Object.entries(system).filter(
    ([name, value]) => value !== undefined && (names.includes('All') || names.includes(name)),
  );
  const filters = (input['MessageAttributeNames'] ?? []) as string[];
  const attributes = Object.fromEntries(
    Object.entries(message.attributes).filter(([name]) =>
      filters.some(
        (filter) =>
          filter === 'All' ||
          filter === '.*' ||
          filter === name ||
          (filter.endsWith('.*') && name.startsWith(filter.slice(0, -2))),
      ),
    ),
  );
  return {
    MessageId: message.id,
    ReceiptHandle: receiptOf(message),
    MD5OfBody: md5(message.body),
    Body: message.body,
    ...(wanted.length > 0 && { Attributes: Object.fromEntries(wanted) }),
    ...(Object.keys(attributes).length > 0 && {
      MessageAttributes: attributes,
      MD5OfMessageAttributes: md5OfAttributes(attributes),
    }),
  };
}
