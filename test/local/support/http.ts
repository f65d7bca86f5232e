/** Serves one JSON engine over HTTP/1.1 on a free loopback port, so that SDK clients can drive it without the gateway. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AwsError } from '../../../local/gateway/service';
import type { JsonService } from '../../../local/gateway/service';

const CALLER = { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' };

export interface TestServer {
  /** Settings for any SDK client. */
  readonly client: {
    endpoint: string;
    region: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
    maxAttempts: number;
  };
  close(): Promise<void>;
}

export async function serve(engine: JsonService): Promise<TestServer> {
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const target = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      response.setHeader('content-type', `application/x-amz-${engine.protocol}`);
      try {
        const input = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
        response.end(JSON.stringify(await engine.call(target, input, CALLER)));
      } catch (error) {
        if (!(error instanceof AwsError)) return response.destroy();
        response.statusCode = error.status;
        response.end(JSON.stringify({ __type: error.code, message: error.message, ...error.members }));
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    client: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: CALLER.accessKeyId, secretAccessKey: 'any' },
      maxAttempts: 1,
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
