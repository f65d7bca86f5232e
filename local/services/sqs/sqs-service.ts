/**
 * Amazon SQS, standard queues, by the AWS JSON protocol 1.0. Limits and defaults are those of the API reference.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 */
import { randomUUID } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, JsonService } from '../../gateway/service';
import { parseAttributes, renderAttributes } from './attributes';
import { md5, md5OfAttributes } from './message-digest';
import type { MessageAttribute } from './message-digest';
import { readInteger, readReceipt, renderMessage } from './messages';
import type { Message, Queue, QueueChange } from './queue';
import { QueueStore } from './queue-store';

export interface SqsOptions {
  /** Where the queues are kept; absent: in memory. */
  readonly directory?: string;
  readonly clock: Clock;
  /** Start of the queue URLs, such as `http://127.0.0.1:4599`. */
  readonly endpoint: () => string;
  readonly accountId: string;
  readonly region: string;
}

type Input = Record<string, unknown>;

export class SqsService implements JsonService {
  readonly name = 'sqs';
  readonly protocol = 'json-1.0';
  private readonly store: QueueStore;
  private readonly waiting = new Map<string, Set<() => void>>();
  private closed = false;

  constructor(private readonly options: SqsOptions) {
    this.store = new QueueStore(
      options.directory,
      (name) => `arn:aws:sqs:${options.region}:${options.accountId}:${name}`,
    );
  }

  async call(operation: string, input: Input, caller: Caller): Promise<unknown> {
    switch (operation) {
      case 'CreateQueue':
        return this.createQueue(input);
      case 'GetQueueUrl':
        return { QueueUrl: this.url(this.named(String(input['QueueName']))) };
      case 'ListQueues':
        return { QueueUrls: this.list(input).map((queue) => this.url(queue)) };
      case 'GetQueueAttributes':
        return this.getAttributes(input);
      case 'SetQueueAttributes':
        return this.setAttributes(input);
      case 'SendMessage':
        return this.send(this.queue(input), input, caller);
      case 'SendMessageBatch':
        return this.batch(input, (entry) => this.send(this.queue(input), entry, caller));
      case 'ReceiveMessage':
        return this.receive(this.queue(input), input);
      case 'DeleteMessage':
        return this.deleteMessage(this.queue(input), input);
      case 'DeleteMessageBatch':
        return this.batch(input, (entry) => this.deleteMessage(this.queue(input), entry));
      case 'ChangeMessageVisibility':
        return this.changeVisibility(this.queue(input), input);
      case 'ChangeMessageVisibilityBatch':
        return this.batch(input, (entry) => this.changeVisibility(this.queue(input), entry));
      case 'PurgeQueue':
        return this.purge(this.queue(input));
      case 'DeleteQueue':
        return this.store.delete(this.queue(input).name);
      default:
        throw new AwsError('UnknownOperationException', `SQS ${operation} is not served locally`);
    }
  }

  /** Queues with their approximate numbers of messages. */
  summary(): { name: string; visible: number; inFlight: number; delayed: number }[] {
    const now = this.options.clock.now();
    return [...this.store.queues.values()].map((queue) => ({ name: queue.name, ...queue.counts(now) }));
  }

  /** @throws AwsError `QueueDoesNotExist` */
  urlOfArn(arn: string): string {
    return this.url(this.named(arn.slice(arn.lastIndexOf(':') + 1)));
  }

  /** From now on no receive waits for a message: those who poll can stop. */
  endLongPolls(): void {
    this.closed = true;
    for (const waiters of this.waiting.values()) for (const wake of waiters) wake();
  }

  close(): void {
    this.endLongPolls();
    this.store.close();
  }

  private url(queue: Queue): string {
    return `${this.options.endpoint()}/${this.options.accountId}/${queue.name}`;
  }

  private queue(input: Input): Queue {
    const url = input['QueueUrl'];
    if (typeof url !== 'string')
      throw new AwsError('MissingParameter', 'The request must contain the parameter QueueUrl.');
    return this.named(url.slice(url.lastIndexOf('/') + 1));
  }

  private named(name: string): Queue {
    const queue = this.store.queues.get(name);
    if (queue === undefined) throw new AwsError('QueueDoesNotExist', `The specified queue ${name} does not exist.`);
    return queue;
  }

  private list(input: Input): Queue[] {
    const prefix = String(input['QueueNamePrefix'] ?? '');
    return [...this.store.queues.values()].filter(({ name }) => name.startsWith(prefix));
  }

  private async createQueue(input: Input): Promise<unknown> {
    const name = String(input['QueueName']);
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(name)) {
      throw new AwsError(
        'InvalidParameterValue',
        `QueueName ${name}: 1 to 80 letters, digits, hyphens or underscores; FIFO queues are not served locally`,
      );
    }
    const given = (input['Attributes'] ?? {}) as Record<string, string>;
    const existing = this.store.queues.get(name);
    const attributes = parseAttributes(given, existing?.attributes);
    if (existing !== undefined && JSON.stringify(attributes) !== JSON.stringify(existing.attributes)) {
      throw new AwsError('QueueNameExists', `A queue ${name} exists already with other attributes.`);
    }
    if (existing === undefined) await this.store.save(name, attributes);
    return { QueueUrl: this.url(this.named(name)) };
  }

  private getAttributes(input: Input): unknown {
    const queue = this.queue(input);
    const names = (input['AttributeNames'] ?? []) as string[];
    const all: Record<string, string> = {
      ...renderAttributes(queue.attributes, queue.counts(this.options.clock.now())),
      QueueArn: queue.arn,
    };
    const wanted = Object.entries(all).filter(([name]) => names.includes('All') || names.includes(name));
    return { Attributes: Object.fromEntries(wanted) };
  }

  private async setAttributes(input: Input): Promise<void> {
    const queue = this.queue(input);
    await this.store.save(
      queue.name,
      parseAttributes((input['Attributes'] ?? {}) as Record<string, string>, queue.attributes),
    );
  }

  private async send(queue: Queue, input: Input, caller: Caller): Promise<unknown> {
    const body = input['MessageBody'];
    const attributes = (input['MessageAttributes'] ?? {}) as Record<string, MessageAttribute>;
    if (typeof body !== 'string' || body === '')
      throw new AwsError('MissingParameter', 'The request must contain the parameter MessageBody.');
    const size = Buffer.byteLength(body) + Buffer.byteLength(JSON.stringify(attributes));
    if (size > queue.attributes.MaximumMessageSize) {
      throw new AwsError(
        'InvalidParameterValue',
        `The message is ${size} bytes; ${queue.name} takes at most ${queue.attributes.MaximumMessageSize}.`,
      );
    }
    const delay = readInteger(input, 'DelaySeconds', 0, 900) ?? queue.attributes.DelaySeconds;
    const now = this.options.clock.now();
    const message: Message = {
      id: randomUUID(),
      body,
      attributes,
      senderId: caller.accessKeyId,
      sentAt: now,
      visibleAt: now + delay * 1_000,
      receiveCount: 0,
    };
    await this.change([{ queue, change: { type: 'added', message } }]);
    return {
      MessageId: message.id,
      MD5OfMessageBody: md5(body),
      ...(Object.keys(attributes).length > 0 && { MD5OfMessageAttributes: md5OfAttributes(attributes) }),
    };
  }

  private async receive(queue: Queue, input: Input): Promise<unknown> {
    const maximum = readInteger(input, 'MaxNumberOfMessages', 1, 10) ?? 1;
    const wait = readInteger(input, 'WaitTimeSeconds', 0, 20) ?? queue.attributes.ReceiveMessageWaitTimeSeconds;
    const timeout = readInteger(input, 'VisibilityTimeout', 0, 43_200) ?? queue.attributes.VisibilityTimeout;
    const deadline = this.options.clock.now() + wait * 1_000;
    for (;;) {
      const messages = await this.take(queue, maximum, timeout);
      if (messages.length > 0 || this.closed)
        return { Messages: messages.map((message) => renderMessage(message, input)) };
      const now = this.options.clock.now();
      if (now >= deadline) return {};
      await this.changed(queue, Math.min(deadline, Math.max(queue.nextVisibleAt() ?? deadline, now + 1)) - now);
    }
  }

  private async take(queue: Queue, maximum: number, timeout: number): Promise<Message[]> {
    const now = this.options.clock.now();
    const changes: { queue: Queue; change: QueueChange }[] = queue
      .expired(now)
      .map(({ id }) => ({ queue, change: { type: 'removed', id } }));
    // Expired messages go first, so that none of them is delivered.
    for (const { change } of changes) queue.apply(change);
    const { delivered, exhausted } = queue.visible(now, maximum);
    for (const message of exhausted) changes.push(...this.redrive(queue, message, now));
    for (const { id } of delivered) {
      changes.push({ queue, change: { type: 'received', id, at: now, visibleAt: now + timeout * 1_000 } });
    }
    if (changes.length > 0) await this.change(changes);
    return delivered.map((message) => ({ ...message }));
  }

  private redrive(queue: Queue, message: Message, now: number): { queue: Queue; change: QueueChange }[] {
    const target = this.named(queue.attributes.RedrivePolicy!.deadLetterTargetArn.split(':').at(-1)!);
    const moved = {
      ...message,
      deadLetterSource: queue.arn,
      visibleAt: now,
      receiveCount: 0,
      firstReceivedAt: undefined,
    };
    return [
      { queue: target, change: { type: 'added', message: moved } },
      { queue, change: { type: 'removed', id: message.id } },
    ];
  }

  private async deleteMessage(queue: Queue, input: Input): Promise<unknown> {
    const { id } = readReceipt(input);
    if (queue.find(id) !== undefined) await this.change([{ queue, change: { type: 'removed', id } }]);
    return {};
  }

  private async changeVisibility(queue: Queue, input: Input): Promise<unknown> {
    const { id } = readReceipt(input);
    const timeout = readInteger(input, 'VisibilityTimeout', 0, 43_200);
    if (timeout === undefined)
      throw new AwsError('MissingParameter', 'The request must contain the parameter VisibilityTimeout.');
    const now = this.options.clock.now();
    const message = queue.find(id);
    if (message === undefined || message.visibleAt <= now) {
      throw new AwsError('MessageNotInflight', `The message ${id} is not in flight.`);
    }
    await this.change([{ queue, change: { type: 'visibility', id, visibleAt: now + timeout * 1_000 } }]);
    return {};
  }

  private async purge(queue: Queue): Promise<void> {
    await this.change([...queue.all()].map(({ id }) => ({ queue, change: { type: 'removed', id } })));
  }

  private async batch(input: Input, one: (entry: Input) => Promise<unknown>): Promise<unknown> {
    const entries = (input['Entries'] ?? []) as Input[];
    if (entries.length === 0) throw new AwsError('EmptyBatchRequest', 'The batch request has no entries.');
    if (entries.length > 10)
      throw new AwsError(
        'TooManyEntriesInBatchRequest',
        `A batch holds at most 10 entries, this one ${entries.length}.`,
      );
    if (new Set(entries.map(({ Id }) => Id)).size < entries.length) {
      throw new AwsError('BatchEntryIdsNotDistinct', 'Two entries of the batch have the same Id.');
    }
    const Successful: unknown[] = [];
    const Failed: unknown[] = [];
    for (const entry of entries) {
      try {
        Successful.push({ Id: entry['Id'], ...((await one(entry)) as object) });
      } catch (error) {
        if (!(error instanceof AwsError) || error.code === 'QueueDoesNotExist') throw error;
        Failed.push({ Id: entry['Id'], Code: error.code, Message: error.message, SenderFault: true });
      }
    }
    return { Successful, Failed };
  }

  private async change(changes: readonly { queue: Queue; change: QueueChange }[]): Promise<void> {
    const durable = this.store.change(changes);
    for (const name of new Set(changes.map(({ queue }) => queue.name))) {
      for (const wake of this.waiting.get(name) ?? []) wake();
    }
    await durable;
  }

  /** Until something happens to the queue, at most `ms`. */
  private changed(queue: Queue, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.waiting.get(queue.name) ?? new Set();
      this.waiting.set(queue.name, waiters);
      const wake = () => {
        cancel();
        waiters.delete(wake);
        resolve();
      };
      const cancel = this.options.clock.after(ms, wake);
      waiters.add(wake);
    });
  }
}
