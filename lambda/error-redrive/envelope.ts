import { parseTelemetryTopic, type TelemetryEnvelope } from '../../lib/contracts/topics';

/**
 * What an IoT rule sends to its error action, as far as used here.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/rule-error-handling.html
 */
interface RuleErrorMessage {
  readonly topic: string;
  readonly base64OriginalPayload: string;
}

/** A record for the stream, as the rule itself would have put it. */
export interface RedrivenRecord {
  readonly data: TelemetryEnvelope;
  /** 1–256 characters. */
  readonly partitionKey: string;
}

const BASIC_INGEST_PREFIX = /^\$aws\/rules\/[^/]+\//;
const MAXIMUM_PARTITION_KEY = 256;

/**
 * The envelope of a message whose rule action failed.
 *
 * @param body the error action's message, JSON
 * @param messageId partition key where the topic names no device
 * @param sentAt when the rule gave the message up, epoch milliseconds: the nearest known to when it saw it
 * @throws Error where the body is not such a message
 */
export function redrivenRecord(body: string, messageId: string, sentAt: number): RedrivenRecord {
  const { topic: published, base64OriginalPayload: payload } = parse(body);
  const topic = published.replace(BASIC_INGEST_PREFIX, '');
  // A topic that is none of ours goes on all the same: the consumer quarantines it, with its bytes.
  const device = parseTelemetryTopic(topic)?.device ?? topic.split('/')[2] ?? '';
  return {
    data: { payload, topic, device, received: sentAt },
    partitionKey: (device || messageId).slice(0, MAXIMUM_PARTITION_KEY),
  };
}

function parse(body: string): RuleErrorMessage {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    throw new Error('the message is not JSON: expected what an IoT rule sends to its error action');
  }
  const { topic, base64OriginalPayload } = (message ?? {}) as Partial<Record<keyof RuleErrorMessage, unknown>>;
  if (typeof topic !== 'string') throw new Error(`topic must be a string, got ${typeof topic}`);
  if (typeof base64OriginalPayload !== 'string') {
    throw new Error(`base64OriginalPayload must be a string, got ${typeof base64OriginalPayload}`);
  }
  return { topic, base64OriginalPayload };
}
