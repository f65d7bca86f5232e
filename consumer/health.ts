/**
 * Health without a port or a file: the consumer answers on a Unix socket in Linux' abstract namespace, which `main.js
 * health` (the ECS health check, in the same container) asks. Two tasks on one machine differ by their metadata URI.
 */
import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

export interface Health {
  readonly healthy: boolean;
  /** For people: state and numbers, no data. */
  readonly detail: Readonly<Record<string, unknown>>;
}

const ANSWER_TIMEOUT_MS = 4_000;

/** Of this container; the same for the consumer and for the command run beside it. */
export function healthSocket(metadataUri: string | undefined): string {
  const name = createHash('sha256')
    .update(metadataUri ?? 'local')
    .digest('hex')
    .slice(0, 16);
  return `\0telemetry-consumer-${name}`;
}

/** Answers every connection with one JSON line. Where the platform has no such sockets there is no health check. */
export function serveHealth(path: string, health: () => Health): Server {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${JSON.stringify(health())}\n`);
  });
  server.on('error', () => undefined);
  server.listen(path);
  server.unref();
  return server;
}

/** Asks the running consumer; no answer is unhealthy. */
export function askHealth(path: string): Promise<Health> {
  return new Promise((resolve) => {
    const fail = (reason: string): void => resolve({ healthy: false, detail: { reason } });
    const socket = connect(path);
    let answer = '';
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy();
      fail(`no answer within ${ANSWER_TIMEOUT_MS} ms`);
    });
    socket.on('error', (error) => fail(`the consumer does not answer: ${error.message}`));
    socket.on('data', (chunk) => (answer += chunk.toString('utf8')));
    socket.on('end', () => {
      try {
        resolve(JSON.parse(answer) as Health);
      } catch {
        fail('the answer was cut off');
      }
    });
  });
}
