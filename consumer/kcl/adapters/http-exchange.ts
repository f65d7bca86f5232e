/**
 * One signed request over HTTP/1.1 and the whole response, in memory that is used again. A response of GetRecords has up to
 * 10 MB: over HTTP/2 it comes in hundreds of frames, and fresh memory for each response costs as much as reading it.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** As the SDK's client has it after signing. */
export interface SignedRequest {
  readonly method: string;
  /** With the colon. */
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface ReceivedResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the receiver until {@link HttpExchange.giveBack}. */
  readonly body: Buffer;
}

const SMALLEST_BUFFER_BYTES = 1 << 20;
/** Responses are larger than that only with records of up to 10 MB. */
const LARGEST_KEPT_BUFFER_BYTES = 16 << 20;
const KEPT_BUFFERS = 2;

export class HttpExchange {
  // Idle sockets of an agent do not keep the process alive.
  private readonly http = new HttpAgent({ keepAlive: true });
  private readonly https = new HttpsAgent({ keepAlive: true });
  private readonly buffers: ArrayBufferLike[] = [];

  /** @throws the socket's error (`code` as Node has it), or the signal's reason */
  async send(request: SignedRequest, signal?: AbortSignal): Promise<ReceivedResponse> {
    const secure = request.protocol === 'https:';
    const options: RequestOptions = {
      method: request.method,
      host: request.hostname,
      path: request.path,
      headers: request.headers,
      ...(request.port === undefined ? {} : { port: request.port }),
      ...(signal ? { signal } : {}),
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = secure
        ? httpsRequest({ ...options, agent: this.https }, resolve)
        : httpRequest({ ...options, agent: this.http }, resolve);
      sent.on('error', reject);
      sent.end(request.body);
    });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value);
    return { statusCode: response.statusCode ?? 0, headers, body: await this.receive(response) };
  }

  /** The response's body will not be looked at any more. */
  giveBack({ body }: ReceivedResponse): void {
    const { buffer } = body;
    if (this.buffers.length < KEPT_BUFFERS && buffer.byteLength <= LARGEST_KEPT_BUFFER_BYTES) this.buffers.push(buffer);
  }

  private async receive(response: IncomingMessage): Promise<Buffer> {
    let buffer = this.take(Number(response.headers['content-length'] ?? 0));
    let length = 0;
    await new Promise<void>((resolve, reject) => {
      response.on('data', (chunk: Buffer) => {
        if (length + chunk.length > buffer.length) {
          const larger = this.take(2 * (length + chunk.length));
          buffer.copy(larger, 0, 0, length);
          buffer = larger;
        }
        length += chunk.copy(buffer, length);
      });
      response.on('end', resolve);
      response.on('error', reject);
      // Without an end before it: the response was cut.
      response.on('close', () => reject(new Error('The connection was closed before the response was complete.')));
    });
    return buffer.subarray(0, length);
  }

  private take(bytes: number): Buffer {
    const index = this.buffers.findIndex((buffer) => buffer.byteLength >= bytes);
    const [kept] = index < 0 ? [] : this.buffers.splice(index, 1);
    return kept ? Buffer.from(kept) : Buffer.allocUnsafeSlow(Math.max(bytes, SMALLEST_BUFFER_BYTES));
  }
}
