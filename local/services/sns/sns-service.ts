/**
 * Amazon SNS by its query protocol, as far as alarms and alerts need it: what is published is shown, with the
 * subscriptions that it would go to.
 * @see https://docs.aws.amazon.com/sns/latest/api/welcome.html
 */
import { randomUUID } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import type { Caller, HttpRequest, HttpResponse, RestService } from '../../gateway/service';

export interface SnsOptions {
  readonly accountId: string;
  readonly region: string;
  readonly onPublish: (message: PublishedMessage) => void;
}

export interface PublishedMessage {
  readonly topicArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** `protocol endpoint` of each subscription. */
  readonly subscriptions: readonly string[];
}

const NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/';

export class SnsService implements RestService {
  readonly name = 'sns';
  readonly protocol = 'rest';
  private readonly topics = new Map<string, Map<string, string>>();

  constructor(private readonly options: SnsOptions) {}

  async handle(request: HttpRequest, _caller: Caller): Promise<HttpResponse> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body) chunks.push(chunk);
    const parameters = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
    const action = parameters.get('Action') ?? '';
    switch (action) {
      case 'CreateTopic':
        return render(action, { TopicArn: this.createTopic(parameters.get('Name') ?? '') });
      case 'Subscribe':
        return render(action, { SubscriptionArn: this.subscribe(parameters) });
      case 'Publish':
        return render(action, { MessageId: this.publish(parameters) });
      default:
        throw new AwsError('InvalidAction', `SNS ${action} is not served locally`);
    }
  }

  renderError(error: AwsError, requestId: string): HttpResponse {
    return {
      status: error.status,
      headers: { 'content-type': 'text/xml' },
      body:
        `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>${escape(error.code)}</Code>` +
        `<Message>${escape(error.message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
    };
  }

  /** Creates the topic, or finds the one of that name. */
  createTopic(name: string): string {
    if (!/^[A-Za-z0-9_-]{1,256}$/.test(name)) {
      throw new AwsError('InvalidParameter', `Topic name ${name}: 1 to 256 letters, digits, hyphens or underscores`);
    }
    const arn = `arn:aws:sns:${this.options.region}:${this.options.accountId}:${name}`;
    if (!this.topics.has(arn)) this.topics.set(arn, new Map());
    return arn;
  }

  private subscribe(parameters: URLSearchParams): string {
    const { arn, subscriptions } = this.topic(parameters);
    const subscription = `${parameters.get('Protocol') ?? ''} ${parameters.get('Endpoint') ?? ''}`;
    const subscriptionArn = subscriptions.get(subscription) ?? `${arn}:${randomUUID()}`;
    subscriptions.set(subscription, subscriptionArn);
    return subscriptionArn;
  }

  private publish(parameters: URLSearchParams): string {
    const { arn, subscriptions } = this.topic(parameters);
    const message = parameters.get('Message');
    if (message === null || message === '') throw new AwsError('InvalidParameter', 'Invalid parameter: Empty message');
    this.options.onPublish({
      topicArn: arn,
      subject: parameters.get('Subject') ?? undefined,
      message,
      subscriptions: [...subscriptions.keys()],
    });
    return randomUUID();
  }

  private topic(parameters: URLSearchParams): { arn: string; subscriptions: Map<string, string> } {
    const arn = parameters.get('TopicArn') ?? parameters.get('TargetArn') ?? '';
    const subscriptions = this.topics.get(arn);
    if (subscriptions === undefined) throw new AwsError('NotFound', `Topic ${arn} does not exist`, 404);
    return { arn, subscriptions };
  }
}

function render(action: string, result: Readonly<Record<string, string>>): HttpResponse {
  const members = Object.entries(result).map(([name, value]) => `<${name}>${escape(value)}</${name}>`);
  return {
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body:
      `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${members.join('')}</${action}Result>` +
      `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`,
  };
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
