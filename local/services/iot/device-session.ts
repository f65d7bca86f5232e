/** What one connection may do: its certificate's policies, with the connection's own policy variables. */
import { arnOf } from './operations/operation';
import { isAllowed, parsePolicy } from './policy';
import type { PolicyContext, PolicyStatement } from './policy';
import type { Registry, Thing } from './registry';

/** AWS IoT Core quotas: UTF-8 bytes of a client id. */
const LONGEST_CLIENT_ID = 128;
/** Decisions kept per connection. */
const MOST_DECISIONS = 1_000;

export function clientIdFault(clientId: string): string | undefined {
  if (clientId === '') return 'the client id is empty; it must be the thing’s name';
  const bytes = Buffer.byteLength(clientId);
  return bytes > LONGEST_CLIENT_ID
    ? `the client id has ${bytes} bytes; at most ${LONGEST_CLIENT_ID} are allowed`
    : undefined;
}

export interface SessionOptions {
  readonly registry: Registry;
  readonly clientId: string;
  readonly certificateId: string;
  readonly sourceIp: string;
}

export class DeviceSession {
  readonly certificateId: string;
  readonly sourceIp: string;
  private revision = -1;
  private statements: readonly PolicyStatement[] = [];
  private context: PolicyContext = {};
  private readonly decisions = new Map<string, boolean>();

  constructor(private readonly options: SessionOptions) {
    this.certificateId = options.certificateId;
    this.sourceIp = options.sourceIp;
  }

  isActive(): boolean {
    return this.options.registry.certificates.get(this.certificateId)?.status === 'ACTIVE';
  }

  mayConnect(): boolean {
    return this.decide('iot:Connect', 'client', this.options.clientId);
  }

  mayPublish(topic: string, retain: boolean): boolean {
    return this.decide('iot:Publish', 'topic', topic) && (!retain || this.decide('iot:RetainPublish', 'topic', topic));
  }

  maySubscribe(filter: string): boolean {
    return this.decide('iot:Subscribe', 'topicfilter', filter);
  }

  mayReceive(topic: string): boolean {
    return this.decide('iot:Receive', 'topic', topic);
  }

  private decide(action: string, kind: string, name: string): boolean {
    if (this.revision !== this.options.registry.revision) this.refresh();
    const question = `${action} ${name}`;
    let answer = this.decisions.get(question);
    if (answer === undefined) {
      answer =
        this.isActive() && isAllowed(this.statements, { action, resource: arnOf(kind, name), context: this.context });
      if (this.decisions.size >= MOST_DECISIONS) this.decisions.clear();
      this.decisions.set(question, answer);
    }
    return answer;
  }

  /** Policies, attachments or the certificate's state may have changed. */
  private refresh(): void {
    const { registry, clientId } = this.options;
    this.revision = registry.revision;
    this.decisions.clear();
    const principal = arnOf('cert', this.certificateId);
    const thing = this.thing(principal);
    const targets = new Set([
      principal,
      ...(thing === undefined ? [] : thing.groups.map((group) => arnOf('thinggroup', group))),
    ]);
    this.statements = registry.policies
      .list()
      .filter((policy) => policy.targets.some((target) => targets.has(target)))
      .flatMap(({ policyDocument }) => parsePolicy(policyDocument));
    this.context = {
      'iot:ClientId': clientId,
      'iot:CertificateId': this.certificateId,
      'aws:SourceIp': this.sourceIp,
      ...(thing !== undefined && thingVariables(thing, principal)),
    };
  }

  /** The thing that the certificate belongs to alone, else the registered thing that the client id names. */
  private thing(principal: string): Thing | undefined {
    const { registry, clientId } = this.options;
    const owner = registry.things
      .list()
      .find(({ principals }) => principals.some((one) => one.principal === principal && one.exclusive));
    return owner ?? registry.things.get(clientId);
  }
}

function thingVariables(thing: Thing, principal: string): PolicyContext {
  return {
    'iot:Connection.Thing.ThingName': thing.thingName,
    'iot:Connection.Thing.ThingTypeName': thing.thingTypeName,
    // Of a thing that is not attached, the key is absent.
    'iot:Connection.Thing.IsAttached': thing.principals.some((one) => one.principal === principal) ? 'true' : undefined,
    ...Object.fromEntries(
      Object.entries(thing.attributes).map(([name, value]) => [`iot:Connection.Thing.Attributes[${name}]`, value]),
    ),
  };
}
