/**
 * AWS Lambda: functions in worker threads, synchronous and asynchronous invocation, by its REST API.
 * @see https://docs.aws.amazon.com/lambda/latest/api/welcome.html
 */
import { randomUUID } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, HttpRequest, HttpResponse, RestService } from '../../gateway/service';
import { ExecutionEnvironment } from './execution-environment';
import type { FunctionResult } from './execution-environment';

export interface FunctionDefinition {
  readonly name: string;
  readonly arn: string;
  readonly runtime: string;
  /** `file.export` */
  readonly handler: string;
  readonly roleArn: string;
  /** Folder of the unpacked code; undefined for inline code, which is not run locally. */
  readonly directory: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeout: number;
  /** MiB. */
  readonly memorySize: number;
  readonly description?: string;
}

export interface LambdaOptions {
  readonly clock: Clock;
  readonly region: string;
  /** Variables beyond the function's own: credentials of its role, the endpoint of the services. */
  readonly environment: (definition: FunctionDefinition) => Readonly<Record<string, string>>;
  readonly onLine: (functionName: string, line: string) => void;
  /** An asynchronous event that failed three times. */
  readonly onDropped: (functionName: string, reason: string) => void;
}

interface Registered {
  readonly definition: FunctionDefinition;
  readonly idle: ExecutionEnvironment[];
  readonly busy: Set<ExecutionEnvironment>;
  readonly counts: { invocations: number; errors: number };
}

/** Waits before the two retries of an asynchronous invocation. */
const RETRY_DELAYS_MS = [60_000, 120_000];
/** Execution environments kept warm per function. */
const MAXIMUM_IDLE = 2;

export class LambdaService implements RestService {
  readonly name = 'lambda';
  readonly protocol = 'rest';
  private readonly functions = new Map<string, Registered>();
  private readonly cancels = new Set<() => void>();
  private closed = false;

  constructor(private readonly options: LambdaOptions) {}

  /** Creates or replaces; a replaced function's warm environments are dropped. */
  async putFunction(definition: FunctionDefinition): Promise<void> {
    const before = this.functions.get(definition.name);
    const counts = before?.counts ?? { invocations: 0, errors: 0 };
    this.functions.set(definition.name, { definition, idle: [], busy: new Set(), counts });
    await Promise.all((before?.idle ?? []).map((environment) => environment.close()));
  }

  /** ARN of the function's execution role. @throws AwsError `ResourceNotFoundException` */
  roleOf(nameOrArn: string): string {
    return this.find(nameOrArn).definition.roleArn;
  }

  summary(): { name: string; invocations: number; errors: number }[] {
    return [...this.functions.values()].map(({ definition, counts }) => ({ name: definition.name, ...counts }));
  }

  /**
   * RequestResponse: the handler's answer, or its failure.
   * @param nameOrArn name, ARN, or ARN with a qualifier
   * @throws AwsError `ResourceNotFoundException`, `InvalidRuntimeException`
   */
  async invoke(nameOrArn: string, payload: string): Promise<FunctionResult> {
    const registered = this.find(nameOrArn);
    const { definition, counts } = registered;
    const directory = definition.directory;
    if (directory === undefined || !definition.runtime.startsWith('nodejs')) {
      throw new AwsError(
        'InvalidRuntimeException',
        `${definition.name}: only Node.js functions from an asset are run locally, this one is ${definition.runtime}`,
        502,
      );
    }
    const environment = registered.idle.pop() ?? this.start(definition, directory);
    registered.busy.add(environment);
    counts.invocations++;
    const result = await environment.invoke(randomUUID(), payload, definition.timeout * 1_000);
    registered.busy.delete(environment);
    if ('failure' in result) {
      counts.errors++;
      this.options.onLine(definition.name, `ERROR ${result.failure.errorType}: ${result.failure.errorMessage}`);
    }
    const current = this.functions.get(definition.name) === registered;
    if (environment.usable && current && !this.closed && registered.idle.length < MAXIMUM_IDLE)
      registered.idle.push(environment);
    else await environment.close();
    return result;
  }

  /** Event: accepted at once, tried up to three times. */
  invokeAsync(nameOrArn: string, payload: string): void {
    this.find(nameOrArn);
    void this.attempt(nameOrArn, payload, 0);
  }

  async handle(request: HttpRequest, _caller: Caller): Promise<HttpResponse> {
    const [, , functions, encodedName, action] = request.path.split('/');
    if (functions !== 'functions') throw this.unknown(request);
    if (encodedName === undefined || encodedName === '') {
      if (request.method !== 'GET') throw this.unknown(request);
      return json(200, {
        Functions: [...this.functions.values()].map(({ definition }) => this.configuration(definition)),
      });
    }
    const name = decodeURIComponent(encodedName);
    if (request.method === 'GET' && (action === undefined || action === 'configuration')) {
      const configuration = this.configuration(this.find(name).definition);
      return json(200, action === undefined ? { Configuration: configuration, Code: {} } : configuration);
    }
    if (request.method === 'POST' && action === 'invocations') return this.handleInvoke(name, request);
    throw this.unknown(request);
  }

  renderError(error: AwsError, requestId: string): HttpResponse {
    return {
      status: error.status,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.code, 'x-amzn-requestid': requestId },
      body: JSON.stringify({ Type: 'User', Message: error.message, message: error.message }),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const cancel of this.cancels) cancel();
    const environments = [...this.functions.values()].flatMap(({ idle, busy }) => [...idle, ...busy]);
    await Promise.all(environments.map((environment) => environment.close()));
  }

  private start(definition: FunctionDefinition, directory: string): ExecutionEnvironment {
    const { name, arn, handler, memorySize } = definition;
    const environment = {
      ...definition.environment,
      ...this.options.environment(definition),
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memorySize),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: 'local',
      _HANDLER: handler,
      LAMBDA_TASK_ROOT: directory,
    };
    return new ExecutionEnvironment({ directory, handler, functionArn: arn, environment, memorySize }, (line) =>
      this.options.onLine(name, line),
    );
  }

  private async attempt(name: string, payload: string, attempt: number): Promise<void> {
    let reason: string;
    try {
      const result = await this.invoke(name, payload);
      if (!('failure' in result)) return;
      reason = `${result.failure.errorType}: ${result.failure.errorMessage}`;
    } catch (error) {
      reason = (error as Error).message;
    }
    if (this.closed) return;
    const delay = RETRY_DELAYS_MS[attempt];
    if (delay === undefined) return this.options.onDropped(name, reason);
    const cancel = this.options.clock.after(delay, () => {
      this.cancels.delete(cancel);
      void this.attempt(name, payload, attempt + 1);
    });
    this.cancels.add(cancel);
  }

  private async handleInvoke(name: string, request: HttpRequest): Promise<HttpResponse> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body) chunks.push(chunk);
    const payload = Buffer.concat(chunks).toString('utf8') || '{}';
    try {
      JSON.parse(payload);
    } catch {
      throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json');
    }
    switch (request.headers['x-amz-invocation-type'] ?? 'RequestResponse') {
      case 'DryRun':
        this.find(name);
        return { status: 204, headers: {} };
      case 'Event':
        this.invokeAsync(name, payload);
        return { status: 202, headers: {} };
      default: {
        const result = await this.invoke(name, payload);
        const headers = { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' };
        if ('payload' in result) return { status: 200, headers, body: result.payload };
        return {
          status: 200,
          headers: { ...headers, 'x-amz-function-error': 'Unhandled' },
          body: JSON.stringify(result.failure),
        };
      }
    }
  }

  private find(nameOrArn: string): Registered {
    const name = /:function:([^:]+)/.exec(nameOrArn)?.[1] ?? nameOrArn.split(':')[0]!;
    const registered = this.functions.get(name);
    if (registered === undefined)
      throw new AwsError('ResourceNotFoundException', `Function not found: ${nameOrArn}`, 404);
    return registered;
  }

  private configuration(definition: FunctionDefinition): unknown {
    return {
      FunctionName: definition.name,
      FunctionArn: definition.arn,
      Runtime: definition.runtime,
      Handler: definition.handler,
      Role: definition.roleArn,
      Description: definition.description ?? '',
      Timeout: definition.timeout,
      MemorySize: definition.memorySize,
      Environment: { Variables: definition.environment },
      PackageType: 'Zip',
      State: 'Active',
      LastUpdateStatus: 'Successful',
      Version: '$LATEST',
    };
  }

  private unknown(request: HttpRequest): AwsError {
    return new AwsError(
      'UnknownOperationException',
      `Lambda ${request.method} ${request.path} is not served locally`,
      404,
    );
  }
}

function json(status: number, body: unknown): HttpResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
