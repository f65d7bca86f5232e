/**
 * One loopback port that speaks for every AWS service: HTTP/1.1 and h2c, routed by the service in the request's
 * credential scope. Pages for people and the ECS task metadata endpoint, which nobody signs, are mounted by path.
 */
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CredentialRegistry } from './credentials';
import { readCredentialScope } from './credentials';
import { formOf, readBody, readInput, readOperation, renderJsonError, renderOutput } from './json-protocol';
import { sniffProtocol } from './protocol-sniffing';
import { RequestLog } from './request-log';
import { AwsError, ResponseDropped, systemClock } from './service';
import type { AwsService, Caller, Clock, HttpRequest, HttpResponse, JsonService } from './service';

/** Called before the service; an error is answered instead, a delay passes first. For tests of failure handling. */
export type FaultHook = (
  service: string,
  operation: string,
  caller: Caller,
) => AwsError | { readonly delayMs: number } | undefined;

/** Answers a path below a mounted prefix; undefined is 404. */
export type Page = (path: string) => Promise<unknown> | unknown;

export interface GatewayOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly credentials: CredentialRegistry;
  readonly log?: RequestLog;
  readonly fault?: FaultHook;
  /** Told of errors that are no AwsError: defects of a service. */
  readonly onDefect?: (message: string) => void;
  readonly clock?: Clock;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** Longer than the SDK's connection reuse, so that the server never closes a connection under a request. */
const KEEP_ALIVE_MS = 75_000;
/** How long `close` lets requests finish that are under way. */
const CLOSE_GRACE_MS = 1_000;

export class Gateway {
  readonly log: RequestLog;
  /** Replaceable while running. */
  fault: FaultHook | undefined;
  private readonly services = new Map<string, AwsService>();
  private readonly pages: { prefix: string; page: Page }[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly sessions = new Set<ServerHttp2Session>();
  private readonly clock: Clock;
  private inFlight = 0;
  private readonly server: Server;

  private constructor(private readonly options: GatewayOptions) {
    this.log = options.log ?? new RequestLog();
    this.fault = options.fault;
    this.clock = options.clock ?? systemClock;
    const handle = (request: Request, response: Response) => void this.handle(request, response);
    const http = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handle);
    const http2 = createHttp2Server({ settings: { maxConcurrentStreams: 1_000 } }, handle);
    http2.on('session', (session) => {
      this.sessions.add(session);
      session.on('close', () => this.sessions.delete(session));
      session.on('error', () => session.destroy());
    });
    const sniff = sniffProtocol(http, http2);
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      sniff(socket);
    });
  }

  /** @throws Error with code EADDRINUSE where the port is taken. */
  static async listen(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options);
    await new Promise<void>((resolve, reject) => {
      gateway.server.once('error', reject);
      gateway.server.listen(options.port, '127.0.0.1', () => {
        gateway.server.off('error', reject);
        resolve();
      });
    });
    return gateway;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  add(service: AwsService): void {
    this.services.set(service.name, service);
  }

  /** Serves GET requests below `prefix` (such as `/_local/`) as JSON, unsigned. */
  mount(prefix: string, page: Page): void {
    this.pages.push({ prefix, page });
  }

  /**
   * A call from inside the process, such as an IoT rule's action: logged and faulted like a request, without HTTP.
   * @throws AwsError of the service or of the fault hook.
   */
  async invoke(
    serviceName: string,
    operation: string,
    input: Record<string, unknown>,
    caller: Caller,
  ): Promise<unknown> {
    const service = this.services.get(serviceName);
    if (service === undefined || service.protocol === 'rest')
      throw new Error(`${serviceName} is no service of the JSON protocols`);
    const started = this.clock.now();
    let failure: AwsError | undefined;
    try {
      await this.injectFault(serviceName, operation, caller);
      return await service.call(operation, input, caller);
    } catch (error) {
      if (error instanceof ResponseDropped) throw error;
      failure = this.asAwsError(error, serviceName, operation);
      throw failure;
    } finally {
      this.record(started, serviceName, operation, caller, failure?.status ?? 200, failure?.code);
    }
  }

  /**
   * A request from inside the process to a REST service; the answer's body as text.
   * @throws AwsError of the service or of the fault hook
   */
  async invokeRest(serviceName: string, request: HttpRequest, caller: Caller): Promise<string> {
    const service = this.services.get(serviceName);
    if (service?.protocol !== 'rest') throw new Error(`${serviceName} is no REST service`);
    const started = this.clock.now();
    const operation = service.operationOf?.(request) ?? `${request.method} ${request.path}`;
    let failure: AwsError | undefined;
    try {
      await this.injectFault(serviceName, operation, caller);
      const { body = '' } = await service.handle(request, caller);
      if (typeof body === 'string') return body;
      return (body instanceof Uint8Array ? Buffer.from(body) : await readBody(body)).toString('utf8');
    } catch (error) {
      failure = this.asAwsError(error, serviceName, operation);
      throw failure;
    } finally {
      this.record(started, serviceName, operation, caller, failure?.status ?? 200, failure?.code);
    }
  }

  /** Stops listening, lets requests under way finish for a second, then closes every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const deadline = Date.now() + CLOSE_GRACE_MS;
    while (this.inFlight > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const session of this.sessions) session.destroy();
    for (const socket of this.sockets) socket.destroy();
    await closed;
    this.log.close();
  }

  private async handle(request: Request, response: Response): Promise<void> {
    this.inFlight++;
    // A client that went away is no fault of the service; without a listener it would end the process.
    response.on('error', () => undefined);
    const requestId = randomUUID();
    try {
      await send(response, request.method ?? 'GET', await this.answer(readRequest(request), requestId), requestId);
    } catch {
      // The answer broke off, or is to be lost: the client must not take it for complete.
      if ('stream' in response) response.stream.destroy();
      else response.destroy();
    } finally {
      this.inFlight--;
    }
  }

  private async answer(request: HttpRequest, requestId: string): Promise<HttpResponse> {
    const mounted = this.pages.find(({ prefix }) => request.path.startsWith(prefix));
    if (mounted !== undefined) return this.answerPage(request, mounted.prefix, mounted.page);

    const started = this.clock.now();
    const scope = readCredentialScope(request.headers['authorization'], request.query);
    if (scope === undefined) {
      return renderJsonError(
        new AwsError(
          'MissingAuthenticationTokenException',
          'The request has no SigV4 credential scope: sign it, with any secret',
          403,
        ),
        formOf(request),
      );
    }
    const service = this.services.get(scope.service);
    if (service === undefined) {
      const known = [...this.services.keys()].sort().join(', ');
      return renderJsonError(
        new AwsError('UnknownService', `No service signs as "${scope.service}" here; the local run has ${known}`, 404),
        formOf(request),
      );
    }

    let operation = `${request.method} ${request.path}`;
    const caller = this.options.credentials.resolve(scope.accessKeyId);
    let failure: AwsError | undefined;
    let result: HttpResponse;
    try {
      operation = service.protocol === 'rest' ? (service.operationOf?.(request) ?? operation) : readOperation(request);
      if (caller === undefined) {
        throw new AwsError(
          'UnrecognizedClientException',
          `The access key ${scope.accessKeyId} was not issued by this local run`,
          403,
        );
      }
      await this.injectFault(service.name, operation, caller);
      result =
        service.protocol === 'rest'
          ? await service.handle(request, caller)
          : await this.answerJson(service, operation, request, caller);
    } catch (error) {
      if (error instanceof ResponseDropped) throw error;
      failure = this.asAwsError(error, service.name, operation);
      result =
        service.protocol === 'rest'
          ? service.renderError(failure, requestId)
          : renderJsonError(failure, formOf(request, service));
    }
    this.record(started, service.name, operation, caller, result.status, failure?.code);
    return result;
  }

  private async answerJson(
    service: JsonService,
    operation: string,
    request: HttpRequest,
    caller: Caller,
  ): Promise<HttpResponse> {
    const form = formOf(request, service);
    return renderOutput(form, await service.call(operation, await readInput(request, form), caller));
  }

  private async answerPage(request: HttpRequest, prefix: string, page: Page): Promise<HttpResponse> {
    const found = request.method === 'GET' ? await page(request.path.slice(prefix.length)) : undefined;
    return {
      status: found === undefined ? 404 : 200,
      headers: { 'content-type': 'application/json' },
      body: `${JSON.stringify(found ?? { message: `nothing at ${request.path}` }, undefined, 2)}\n`,
    };
  }

  private async injectFault(service: string, operation: string, caller: Caller): Promise<void> {
    const fault = this.fault?.(service, operation, caller);
    if (fault instanceof AwsError) throw fault;
    if (fault !== undefined) await new Promise<void>((resolve) => this.clock.after(fault.delayMs, resolve));
  }

  private asAwsError(error: unknown, service: string, operation: string): AwsError {
    if (error instanceof AwsError) return error;
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.onDefect?.(`${service} ${operation}: ${detail}`);
    return new AwsError(
      'InternalFailure',
      `The local ${service} failed: ${error instanceof Error ? error.message : detail}`,
      500,
    );
  }

  private record(
    started: number,
    service: string,
    operation: string,
    caller: Caller | undefined,
    status: number,
    error: string | undefined,
  ): void {
    this.log.add({
      time: new Date(started).toISOString(),
      service,
      operation,
      caller: caller?.principalArn ?? 'unknown',
      status,
      ms: this.clock.now() - started,
      ...(error !== undefined && { error }),
    });
  }
}

function readRequest(request: Request): HttpRequest {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  // HTTP/2 has :authority where HTTP/1.1 has Host.
  headers['host'] ??= (request.headers[':authority'] as string | undefined) ?? '';
  return {
    method: request.method ?? 'GET',
    path: mark === -1 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)),
    headers,
    body: request,
  };
}

async function send(response: Response, method: string, answer: HttpResponse, requestId: string): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (!response.hasHeader('x-amzn-requestid')) response.setHeader('x-amzn-requestid', requestId);
  const body = answer.body;
  if (body === undefined || method === 'HEAD') {
    response.end();
  } else if (typeof body === 'string' || body instanceof Uint8Array) {
    if (!response.hasHeader('content-length')) response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  } else {
    await pipeline(Readable.from(body), response);
  }
}
