/** A standard queue: what is in it and who sees it when. No clock and no I/O: time comes with each call. */
import type { MessageAttribute } from './message-digest';

export interface QueueAttributes {
  /** Seconds that a received message stays invisible. */
  readonly VisibilityTimeout: number;
  /** Seconds after which a message is dropped. */
  readonly MessageRetentionPeriod: number;
  /** Seconds before a sent message can be received. */
  readonly DelaySeconds: number;
  /** Seconds that a receive waits for a message unless it says otherwise. */
  readonly ReceiveMessageWaitTimeSeconds: number;
  /** Bytes of body and attributes. */
  readonly MaximumMessageSize: number;
  readonly RedrivePolicy?: RedrivePolicy;
}

export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

export interface Message {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttribute>>;
  readonly senderId: string;
  /** Epoch milliseconds; kept when the message moves to a dead-letter queue, as its retention is. */
  readonly sentAt: number;
  /** The queue that it was moved from. */
  readonly deadLetterSource?: string;
  visibleAt: number;
  receiveCount: number;
  firstReceivedAt?: number;
}

export interface Received {
  readonly delivered: Message[];
  /** Received as often as the redrive policy allows: they belong in the dead-letter queue now. */
  readonly exhausted: Message[];
}

/** One step of a queue's history, enough to rebuild it. */
export type QueueChange =
  | { readonly type: 'added'; readonly message: Message }
  | { readonly type: 'received'; readonly id: string; readonly at: number; readonly visibleAt: number }
  | { readonly type: 'visibility'; readonly id: string; readonly visibleAt: number }
  | { readonly type: 'removed'; readonly id: string };

export class Queue {
  private readonly messages = new Map<string, Message>();

  constructor(
    readonly name: string,
    readonly arn: string,
    public attributes: QueueAttributes,
  ) {}

  /** Applies a change that was decided now or read from the journal. */
  apply(change: QueueChange): void {
    if (change.type === 'added') {
      this.messages.set(change.message.id, { ...change.message });
      return;
    }
    const message = this.messages.get(change.id);
    if (message === undefined) return;
    if (change.type === 'removed') {
      this.messages.delete(change.id);
    } else {
      message.visibleAt = change.visibleAt;
      if (change.type === 'received') {
        message.receiveCount++;
        message.firstReceivedAt ??= change.at;
      }
    }
  }

  find(id: string): Message | undefined {
    return this.messages.get(id);
  }

  all(): Iterable<Message> {
    return this.messages.values();
  }

  /** Messages that a receive at `now` gets, oldest first, and those that it finds exhausted; changes nothing. */
  visible(now: number, maximum: number): Received {
    const limit = this.attributes.RedrivePolicy?.maxReceiveCount ?? Infinity;
    const received: Received = { delivered: [], exhausted: [] };
    for (const message of this.messages.values()) {
      if (received.delivered.length >= maximum) break;
      if (message.visibleAt > now) continue;
      if (message.receiveCount >= limit) received.exhausted.push(message);
      else received.delivered.push(message);
    }
    return received;
  }

  expired(now: number): Message[] {
    const oldest = now - this.attributes.MessageRetentionPeriod * 1_000;
    return [...this.messages.values()].filter(({ sentAt }) => sentAt < oldest);
  }

  /** When the next message becomes visible; undefined where none will by itself. */
  nextVisibleAt(): number | undefined {
    let next: number | undefined;
    for (const { visibleAt } of this.messages.values()) next = Math.min(next ?? Infinity, visibleAt);
    return next;
  }

  counts(now: number): { visible: number; inFlight: number; delayed: number } {
    const counts = { visible: 0, inFlight: 0, delayed: 0 };
    for (const { visibleAt, receiveCount } of this.messages.values()) {
      counts[visibleAt <= now ? 'visible' : receiveCount > 0 ? 'inFlight' : 'delayed']++;
    }
    return counts;
  }
}
