/** A TCP proxy on the loopback that can be told to treat its connections badly. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { NetworkMode } from './plan';

/** How long bytes wait while the mode is `delay`, milliseconds. */
export const DELAY_MS = 1_500;

/** Calls back once after `ms`. */
export type After = (ms: number, callback: () => void) => void;

export class TcpProxy {
  private mode: NetworkMode | undefined;
  private target: { readonly host: string; readonly port: number } | undefined;
  private readonly pairs = new Set<Pair>();

  private constructor(
    private readonly server: Server,
    private readonly after: After,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async listen(after: After): Promise<TcpProxy> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(server, after);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Where connections go; until it is set they are refused. */
  forwardTo(endpoint: string): void {
    const { hostname, port } = new URL(endpoint);
    this.target = { host: hostname, port: Number(port) };
  }

  /**
   * Undefined = as a wire, but for connections that lost bytes: these stay silent for good, as after a middlebox forgot
   * them. Only the client's own timeout finds out.
   */
  setMode(mode: NetworkMode | undefined): void {
    this.mode = mode;
    for (const pair of this.pairs) pair.setMode(mode);
  }

  async close(): Promise<void> {
    for (const pair of this.pairs) pair.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    if (this.target === undefined || this.mode === 'refuse') {
      client.on('error', () => undefined);
      client.destroy();
      return;
    }
    const pair = new Pair(client, connect(this.target), this.after, () => this.pairs.delete(pair));
    pair.setMode(this.mode);
    this.pairs.add(pair);
  }
}

/** Both ends of one connection. */
class Pair {
  private mode: NetworkMode | undefined;
  private hasLostBytes = false;
  /** Delayed bytes, oldest first. */
  private held: { readonly bytes: Buffer; readonly to: Socket }[] = [];

  constructor(
    private readonly client: Socket,
    private readonly upstream: Socket,
    private readonly after: After,
    private readonly onEnd: () => void,
  ) {
    this.join(client, upstream, 'request');
    this.join(upstream, client, 'answer');
  }

  setMode(mode: NetworkMode | undefined): void {
    if (mode === 'refuse') return this.destroy();
    this.mode = this.hasLostBytes && mode !== 'reset' ? 'blackhole' : mode;
    // Nothing may overtake them.
    if (this.mode !== 'delay') this.release(this.held.length);
  }

  destroy(): void {
    this.client.destroy();
    this.upstream.destroy();
    this.onEnd();
  }

  private join(from: Socket, to: Socket, direction: 'request' | 'answer'): void {
    from.on('data', (bytes) => this.carry(bytes, to, direction));
    // A connection of which bytes vanish does not say either that its other end is gone.
    from.on('close', () => (this.swallows(direction) ? undefined : this.destroy()));
    from.on('error', () => undefined);
  }

  /** Sends the oldest of the delayed bytes on. */
  private release(count: number): void {
    for (const { bytes, to } of this.held.splice(0, count)) if (to.writable) to.write(bytes);
  }

  private swallows(direction: 'request' | 'answer'): boolean {
    return this.mode === 'blackhole' || (this.mode === 'half-open' && direction === 'answer');
  }

  private carry(bytes: Buffer, to: Socket, direction: 'request' | 'answer'): void {
    if (this.swallows(direction)) {
      this.hasLostBytes = true;
    } else if (this.mode === 'reset') {
      // The request may have arrived: then it is its answer that is lost.
      if (direction === 'request') to.write(bytes);
      this.client.resetAndDestroy();
      this.upstream.destroySoon();
      this.onEnd();
    } else if (this.mode === 'delay') {
      this.held.push({ bytes, to });
      const last = this.held.at(-1);
      this.after(DELAY_MS, () => this.release(this.held.indexOf(last!) + 1));
    } else {
      to.write(bytes);
    }
  }
}
