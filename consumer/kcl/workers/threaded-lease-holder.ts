/** The worker's side of the renewer thread. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock, LeaseHolderContext, LeaseHolderFactory } from '../dependencies';
import { DependencyError, describeError, ShutdownError, ThrottlingError } from '../common/errors';
import type { Lease } from '../leases/lease';
import type { HeldLease, LeaseHolder, LeaseHolderSettings } from '../leases/lease-holder';
import type { LeaseChange } from '../leases/lease-serializer';
import { SharedTimes, type FromThread, type Measured, type ThreadData, type ToThread } from './messages';

interface Holding {
  lease: Lease;
  readonly token: string;
  readonly acquiredCounter: number;
  readonly times: SharedTimes;
}

interface Request {
  readonly resolve: (lease: Lease | undefined) => void;
  readonly reject: (error: Error) => void;
}

function errorNamed(name: string, message: string): Error {
  if (name === 'ShutdownError') return new ShutdownError(message);
  return name === 'ThrottlingError' ? new ThrottlingError(message) : new DependencyError(message);
}

export class ThreadedLeaseHolder implements LeaseHolder {
  private readonly holdings = new Map<string, Holding>();
  private readonly requests = new Map<number, Request>();
  private nextId = 0;
  private stopping = false;
  private thread: Worker;
  private exited: Promise<void> = Promise.resolve();
  private onReady: () => void = () => undefined;
  private readonly ready = new Promise<void>((resolve) => (this.onReady = resolve));

  constructor(
    private readonly file: string,
    private readonly settings: LeaseHolderSettings,
    private readonly context: LeaseHolderContext,
    private readonly clock: Clock,
  ) {
    this.thread = this.spawn();
  }

  /** The thread runs since the holder was made; it takes a second or so to load, in which a lease that is held would not be renewed. */
  start(): Promise<void> {
    return this.ready;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.tell({ type: 'stop' });
    await this.exited;
  }

  hold(lease: Lease, sentAt: number): void {
    const { leaseKey } = lease;
    const before = this.holdings.get(leaseKey);
    const times = new SharedTimes();
    times.confirmedAt = sentAt;
    times.aliveAt = this.clock.monotonic();
    const token = this.context.uuid();
    this.holdings.set(leaseKey, { lease, token, acquiredCounter: lease.leaseCounter, times });
    this.tell({ type: 'hold', leaseKey, token, lease, times: times.buffer });
    if (before) this.context.onLost(leaseKey, before.token);
  }

  held(leaseKey: string): HeldLease | undefined {
    const holding = this.holdings.get(leaseKey);
    if (!holding || this.left(holding) <= 0) return undefined;
    return { lease: holding.lease, concurrencyToken: holding.token, acquiredCounter: holding.acquiredCounter };
  }

  all(): readonly HeldLease[] {
    return [...this.holdings.keys()].flatMap((key) => this.held(key) ?? []);
  }

  remaining(leaseKey: string, token: string): number {
    const holding = this.find(leaseKey, token);
    return holding ? Math.max(0, this.left(holding)) : 0;
  }

  observe(rows: readonly Lease[]): void {
    const { workerId } = this.settings;
    const foreign = rows.filter(
      (row) => this.holdings.has(row.leaseKey) && row.leaseOwner !== workerId && row.checkpointOwner !== workerId,
    );
    if (foreign.length > 0) this.tell({ type: 'observe', rows: foreign });
  }

  async update(leaseKey: string, token: string, change: LeaseChange): Promise<Lease> {
    const holding = this.find(leaseKey, token);
    // The thread may see the lease again before this one's clock does: what ran out here stays out.
    if (!holding || this.left(holding) <= 0) {
      throw new ShutdownError(
        `Worker ${this.settings.workerId} does not hold the lease of shard ${leaseKey} any more.`,
      );
    }
    const lease = await this.ask((id) => ({ type: 'update', id, leaseKey, token, change }));
    if (lease === undefined) throw new DependencyError('The renewer thread gave no row.');
    return (holding.lease = lease);
  }

  async evict(leaseKey: string, token: string): Promise<void> {
    if (!this.find(leaseKey, token)) return;
    this.holdings.delete(leaseKey);
    await this.ask((id) => ({ type: 'evict', id, leaseKey, token })).catch((error: unknown) =>
      this.context.log('warn', 'a lease could not be given up', { shardId: leaseKey, error: describeError(error) }),
    );
  }

  drop(leaseKey: string, token: string): void {
    if (!this.find(leaseKey, token)) return;
    this.holdings.delete(leaseKey);
    this.tell({ type: 'drop', leaseKey, token });
  }

  stamp(leaseKey: string, token: string, bytes = 0): void {
    const holding = this.find(leaseKey, token);
    if (!holding) return;
    holding.times.aliveAt = this.clock.monotonic();
    holding.times.bytes += bytes;
  }

  private spawn(): Worker {
    const thread = new Worker(this.file, {
      workerData: { settings: this.settings } satisfies ThreadData,
      env: process.env,
    });
    thread.on('message', (message: FromThread) => this.hear(message));
    thread.on('error', (error) =>
      this.context.log('error', 'the renewer thread failed', { error: describeError(error) }),
    );
    this.exited = new Promise((resolve) =>
      thread.once('exit', () => {
        this.onExit();
        resolve();
      }),
    );
    return thread;
  }

  /** What it held is lost; a new thread begins with nothing. */
  private onExit(): void {
    for (const request of this.requests.values()) request.reject(new DependencyError('The renewer thread ended.'));
    this.requests.clear();
    if (this.stopping) return;
    const lost = [...this.holdings];
    this.holdings.clear();
    this.thread = this.spawn();
    for (const [leaseKey, { token }] of lost) this.context.onLost(leaseKey, token);
  }

  private hear(message: FromThread): void {
    if (message.type === 'ready') return this.onReady();
    if (message.type === 'log') return this.context.log(message.level, message.event, message.fields);
    if (message.type === 'measured') return this.measure(message);
    if (message.type === 'lost') {
      if (!this.find(message.leaseKey, message.token)) return;
      this.holdings.delete(message.leaseKey);
      return this.context.onLost(message.leaseKey, message.token);
    }
    if (message.type === 'handoff') {
      const holding = this.find(message.leaseKey, message.token);
      if (!holding) return;
      holding.lease = message.lease;
      return this.context.onHandoff();
    }
    const request = this.requests.get(message.id);
    this.requests.delete(message.id);
    if (message.type === 'done') request?.resolve(message.lease);
    else request?.reject(errorNamed(message.name, message.message));
  }

  private measure({ operation, dimensions, values }: Measured): void {
    const scope = this.context.metrics.scope(operation);
    for (const [name, value] of dimensions) scope.dimension(name, value);
    for (const [name, value, unit] of values) scope.add(name, value, unit);
    scope.end();
  }

  private ask(message: (id: number) => ToThread): Promise<Lease | undefined> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.requests.set(id, { resolve, reject });
      this.tell(message(id));
    });
  }

  private tell(message: ToThread): void {
    this.thread.postMessage(message);
  }

  private find(leaseKey: string, token: string): Holding | undefined {
    const holding = this.holdings.get(leaseKey);
    return holding?.token === token ? holding : undefined;
  }

  private left(holding: Holding): number {
    return holding.times.confirmedAt + this.settings.failoverTime - this.clock.monotonic();
  }
}

/**
 * Renewals in a thread, where its bundled file stands beside the running program.
 * @param file the bundle of workers/renewer-thread.ts. Without such a file (the sources run unbundled) the factory gives
 * undefined, and renewals stay in the worker's event loop.
 */
export function renewalsInThread(
  clock: Clock,
  file: string = path.join(__dirname, 'renewer-thread.js'),
): LeaseHolderFactory {
  return (settings, context) =>
    existsSync(file) ? new ThreadedLeaseHolder(file, settings, context, clock) : undefined;
}
