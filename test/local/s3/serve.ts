/** Serves one REST service over HTTP/1.1 on loopback, without signatures: for tests that speak through the real SDK. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AwsError } from '../../../local/gateway/service';
import type { HttpRequest, RestService } from '../../../local/gateway/service';

export interface TestServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

export async function serve(service: RestService): Promise<TestServer> {
  const server = createServer((request, response) => void answer(service, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(service: RestService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://127.0.0.1');
  const raw: HttpRequest = {
    method: request.method!,
    path: request.url!.split('?', 1)[0]!,
    query: url.searchParams,
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
    body: request,
  };
  const result = await service
    .handle(raw, { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' })
    .catch((error: unknown) =>
      service.renderError(
        error instanceof AwsError ? error : new AwsError('InternalError', String((error as Error).stack), 500),
        'test',
      ),
    );
  response.writeHead(result.status, result.headers);
  const { body } = result;
  if (body === undefined || request.method === 'HEAD') response.end();
  else if (typeof body === 'string' || body instanceof Uint8Array) response.end(body);
  else await pipeline(Readable.from(body), response).catch(() => undefined);
}
