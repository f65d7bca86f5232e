/** AWS IoT: the control plane (REST-JSON over a durable registry) and, once it listens, the message broker. */
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, HttpRequest, HttpResponse, RestService } from '../../gateway/service';
import { CertificateAuthority } from './authority';
import { MqttBroker } from './mqtt-broker';
import type { RefusalLogEntry } from './mqtt-broker';
import { certificateOperations } from './operations/certificates';
import type { ControlPlane, Input, Operation } from './operations/operation';
import { policyOperations } from './operations/policies';
import { ruleOperations, templateOperations } from './operations/rules';
import { thingGroupOperations } from './operations/thing-groups';
import { thingOperations } from './operations/things';
import { Registry } from './registry';
import { findRoute } from './routes';
import type { RuleActions } from './rules/rule';
import { RulesEngine } from './rules/rules-engine';
import type { RuleLogEntry } from './rules/rules-engine';

export interface IotServiceOptions {
  /** Holds `registry.jsonl`, `ca.pem` and `ca-key.pem`. */
  readonly directory: string;
  readonly clock: Clock;
  readonly actions: RuleActions;
  /** Rules that fault or fail, and what the broker refused; no payloads. */
  readonly onLog?: (entry: RuleLogEntry | RefusalLogEntry) => void;
}

const describeEndpoint: Operation = async (input, { dataEndpoint }) => {
  const type = input['endpointType'] ?? 'iot:Data';
  if (type !== 'iot:Data-ATS' && type !== 'iot:Data') {
    throw new AwsError(
      'InvalidRequestException',
      `The local run has no endpoint of type ${JSON.stringify(type)}; it has iot:Data-ATS`,
      400,
    );
  }
  return { endpointAddress: dataEndpoint() };
};

const operations: Readonly<Record<string, Operation>> = {
  DescribeEndpoint: describeEndpoint,
  ...thingOperations,
  ...thingGroupOperations,
  ...certificateOperations,
  ...policyOperations,
  ...ruleOperations,
  ...templateOperations,
};

export class IotService implements RestService {
  readonly name = 'iot';
  readonly protocol = 'rest';
  readonly rules: RulesEngine;
  readonly registry: Registry;
  readonly authority: CertificateAuthority;
  private readonly plane: ControlPlane;
  readonly broker: MqttBroker;
  private endpoint: string | undefined;

  /** Opens what stands in the directory. @throws AwsError where a stored rule does not compile any more */
  constructor(options: IotServiceOptions) {
    const { clock, actions, onLog } = options;
    this.registry = new Registry(options.directory);
    this.authority = CertificateAuthority.open(options.directory, clock.now());
    this.rules = new RulesEngine({ actions, clock, ...(onLog && { onLog }) });
    for (const { ruleName, topicRulePayload } of this.registry.rules.list()) this.rules.set(ruleName, topicRulePayload);
    this.broker = new MqttBroker({
      registry: this.registry,
      rules: this.rules,
      authority: this.authority,
      clock,
      ...(onLog && { onRefused: onLog }),
    });
    this.plane = {
      registry: this.registry,
      rules: this.rules,
      authority: this.authority,
      clock,
      dataEndpoint: () => this.dataEndpoint(),
    };
  }

  /**
   * Starts the broker on 127.0.0.1; 0 takes any free port. DescribeEndpoint then answers `127.0.0.1:<port>`: AWS answers a
   * host alone, whose port is 8883, so a client splits at the colon and takes 8883 where there is none.
   *
   * @returns the port
   * @throws Error with code EADDRINUSE where the port is taken
   */
  async listen(port: number): Promise<number> {
    const taken = await this.broker.listen(port);
    this.endpoint = `127.0.0.1:${taken}`;
    return taken;
  }

  async stopListening(): Promise<void> {
    this.endpoint = undefined;
    await this.broker.close();
  }

  /** The API operation that a request asks for. @throws AwsError NotFoundException */
  operationOf(request: HttpRequest): string {
    return this.route(request).operation;
  }

  /** Members as the SDK names them; timestamps in results are epoch seconds. @throws AwsError */
  async call(operation: string, input: Input): Promise<Record<string, unknown>> {
    const implementation = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (implementation === undefined)
      throw new AwsError('UnknownOperationException', `The local IoT service has no ${operation}`, 404);
    return implementation(input, this.plane);
  }

  async handle(request: HttpRequest, _caller: Caller): Promise<HttpResponse> {
    const { operation, members } = this.route(request);
    const body = await readBody(request);
    // The rule's payload is the whole body (Smithy's httpPayload), not a member of it.
    const isPayload = operation === 'CreateTopicRule' || operation === 'ReplaceTopicRule';
    const input: Record<string, unknown> = { ...(isPayload ? { topicRulePayload: body } : body), ...members };
    for (const [name, value] of request.query) input[name] = value;
    const principal = request.headers['x-amzn-principal'];
    if (principal !== undefined) input['principal'] = principal;
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(await this.call(operation, input)),
    };
  }

  renderError(error: AwsError, requestId: string): HttpResponse {
    return {
      status: error.status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.code, 'x-amzn-requestid': requestId },
      body: JSON.stringify({ message: error.message, ...error.members }),
    };
  }

  close(): void {
    this.registry.close();
  }

  private dataEndpoint(): string {
    if (this.endpoint === undefined)
      throw new AwsError('ServiceUnavailableException', 'The local MQTT broker is not listening yet', 503);
    return this.endpoint;
  }

  private route(request: HttpRequest): NonNullable<ReturnType<typeof findRoute>> {
    const route = findRoute(request.method, request.path);
    if (route === undefined)
      throw new AwsError(
        'UnknownOperationException',
        `The local IoT service has no ${request.method} ${request.path}`,
        404,
      );
    return route;
  }
}

async function readBody(request: HttpRequest): Promise<Record<string, unknown>> {
  const parts: Uint8Array[] = [];
  for await (const part of request.body) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  if (text === '') return {};
  try {
    const body = JSON.parse(text) as unknown;
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Falls through: no JSON.
  }
  throw new AwsError('InvalidRequestException', 'The request body is no JSON object', 400);
}
