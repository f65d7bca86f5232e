/**
 * The leases that this worker holds: renewals, checkpoints and evictions go through here, one at a time per lease, so each
 * knows the counter that the one before it wrote.
 */
import type { Clock, Log, MetricsFactory } from '../dependencies';
import { DependencyError, describeError, isThrottling, ShutdownError, ThrottlingError } from '../common/errors';
import { forEachConcurrent, Mutex } from '../common/timing';
import { actualOwner, isFinished, type Lease } from './lease';
import type { HeldLease, LeaseHolder, LeaseHolderSettings, LeaseTimes } from './lease-holder';
import type { LeaseRefresher, WriteOutcome } from './lease-refresher';
import type { LeaseChange } from './lease-serializer';
import { ThroughputMeter } from './throughput-meter';

export interface LeaseRenewerOptions extends LeaseHolderSettings {
  readonly refresher: LeaseRefresher;
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** Called when a lease is not held any more and this worker did not ask for it. */
  readonly onLost: (leaseKey: string, concurrencyToken: string) => void;
  /** Called with the row when a leader asks for the lease to be handed over. */
  readonly onHandoff: (lease: Lease, concurrencyToken: string) => void;
}

interface Holding {
  lease: Lease;
  readonly token: string;
  readonly acquiredCounter: number;
  readonly times: LeaseTimes;
  readonly throughput: ThroughputMeter;
  readonly mutex: Mutex;
}

/** Attempts of one renewal round and of one checkpoint. */
const RENEW_ATTEMPTS = 3;
const UPDATE_ATTEMPTS = 5;

export class LeaseRenewer implements LeaseHolder {
  private readonly holdings = new Map<string, Holding>();

  private readonly stopped = new AbortController();
  private renewing: Promise<void> = Promise.resolve();

  constructor(private readonly options: LeaseRenewerOptions) {}

  async start(): Promise<void> {
    this.renewing = this.renewLoop();
  }

  async stop(): Promise<void> {
    this.stopped.abort('stopped');
    await this.renewing;
  }

  /** @param token and `times`: given where another thread holds the lease by this one */
  hold(lease: Lease, sentAt: number, token = this.options.uuid(), times?: LeaseTimes): void {
    const before = this.holdings.get(lease.leaseKey);
    this.holdings.set(lease.leaseKey, {
      lease,
      token,
      acquiredCounter: lease.leaseCounter,
      times: times ?? { confirmedAt: sentAt, aliveAt: this.options.clock.monotonic(), bytes: 0 },
      throughput: new ThroughputMeter(this.options.clock.monotonic()),
      mutex: new Mutex(),
    });
    if (before) this.options.onLost(lease.leaseKey, before.token);
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

  stamp(leaseKey: string, token: string, bytes = 0): void {
    const holding = this.find(leaseKey, token);
    if (!holding) return;
    holding.times.aliveAt = this.options.clock.monotonic();
    holding.times.bytes += bytes;
  }

  drop(leaseKey: string, token: string): void {
    if (this.find(leaseKey, token)) this.holdings.delete(leaseKey);
  }

  /** One round of renewals over all held leases. */
  async renewLeases(): Promise<void> {
    const scope = this.options.metrics.scope('RenewAllLeases');
    const started = this.options.clock.monotonic();
    const before = this.holdings.size;
    await forEachConcurrent([...this.holdings.values()], this.options.maxConcurrency, (holding) =>
      holding.mutex.run(() => this.renew(holding)),
    );
    scope.add('CurrentLeases', this.holdings.size, 'Count');
    scope.add('LostLeases', Math.max(0, before - this.holdings.size), 'Count');
    scope.add('Time', this.options.clock.monotonic() - started, 'Milliseconds');
    scope.end();
  }

  /**
   * Without waiting for the next renewal to fail: a counter beyond ours under another owner is final.
   */
  observe(rows: readonly Lease[]): void {
    for (const row of rows) {
      const holding = this.holdings.get(row.leaseKey);
      if (!holding || row.leaseCounter <= holding.lease.leaseCounter) continue;
      if (row.leaseOwner !== this.options.workerId && row.checkpointOwner !== this.options.workerId) {
        this.lose(holding, 'another worker took it', row);
      }
    }
  }

  update(leaseKey: string, token: string, change: LeaseChange): Promise<Lease> {
    const holding = this.find(leaseKey, token);
    if (!holding) return Promise.reject(this.notHeld(leaseKey));
    return holding.mutex.run(async () => {
      let last: unknown;
      for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
        if (!this.isValid(holding)) throw this.notHeld(leaseKey);
        const sentAt = this.options.clock.monotonic();
        try {
          const outcome = await this.options.refresher.updateLease(holding.lease, change);
          if (this.accept(holding, outcome, sentAt)) {
            if (outcome.written) return outcome.lease;
            continue;
          }
          throw this.notHeld(leaseKey);
        } catch (error) {
          if (error instanceof ShutdownError) throw error;
          last = error;
          await this.options.clock.sleep(100 * 2 ** attempt);
        }
      }
      const message = `The checkpoint of lease ${leaseKey} could not be written in ${UPDATE_ATTEMPTS} attempts: ${describeError(last)}`;
      throw isThrottling(last)
        ? new ThrottlingError(message, { cause: last })
        : new DependencyError(message, { cause: last });
    });
  }

  async evict(leaseKey: string, token: string): Promise<void> {
    const holding = this.find(leaseKey, token);
    if (!holding) return;
    await holding.mutex.run(async () => {
      // Forgotten first: whatever becomes of the write, this worker does not use the lease again.
      this.drop(leaseKey, token);
      for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
        try {
          const { written, ...refused } = await this.options.refresher.evictLease(holding.lease);
          const current = written ? undefined : (refused as { current?: Lease }).current;
          // A handoff that began, ended, or was turned to another worker meanwhile: what it is now is let go.
          if (current === undefined || actualOwner(current) !== this.options.workerId) return;
          const { leaseOwner, checkpointOwner } = holding.lease;
          if (current.leaseOwner === leaseOwner && current.checkpointOwner === checkpointOwner) return;
          holding.lease = current;
        } catch (error) {
          this.options.log('warn', 'a lease could not be given up; if no attempt succeeds it expires', {
            shardId: leaseKey,
            attempt,
            error: describeError(error),
          });
          await this.options.clock.sleep(100 * 2 ** attempt);
        }
      }
    });
  }

  /** At a fixed rate of three in a failover time, less epsilon. */
  private async renewLoop(): Promise<void> {
    const { clock, failoverTime, epsilon, log } = this.options;
    const { signal } = this.stopped;
    const interval = failoverTime / 3 - epsilon;
    let due = clock.monotonic() + interval;
    for (;;) {
      await clock.sleep(Math.max(0, due - clock.monotonic()), signal);
      if (signal.aborted) return;
      due = Math.max(due + interval, clock.monotonic());
      await this.renewLeases().catch((error: unknown) => {
        log('error', 'a round of renewals failed', { error: describeError(error) });
      });
    }
  }

  private async renew(holding: Holding): Promise<void> {
    const shardId = holding.lease.leaseKey;
    const throughputKBps = holding.throughput.measure(holding.times.bytes, this.options.clock.monotonic());
    for (let attempt = 0; attempt < RENEW_ATTEMPTS; attempt++) {
      if (this.holdings.get(shardId) !== holding) return;
      const sentAt = this.options.clock.monotonic();
      // Past its time another worker may act on it already; it has to be taken anew, under a new token.
      if (this.left(holding) <= 0) return this.lose(holding, 'not renewed in time');
      if (!isFinished(holding.lease) && sentAt - holding.times.aliveAt > this.options.livenessTimeout) {
        this.options.log('error', 'a lease is not renewed: its consumer gives no sign of life', {
          shardId,
          millis: sentAt - holding.times.aliveAt,
        });
        return;
      }
      try {
        const outcome = await this.options.refresher.renewLease({ ...holding.lease, throughputKBps });
        if (!this.accept(holding, outcome, sentAt)) return;
        if (outcome.written) return;
      } catch (error) {
        this.options.log('warn', 'a renewal failed', { shardId, attempt, error: describeError(error) });
        if (!isThrottling(error)) return;
      }
    }
  }

  /**
   * Takes over what a write says about the row. A refused one whose row is ours, one ahead, is a write of ours whose answer
   * was lost; a row that names us as checkpointOwner is a handoff in progress. Both can be tried again.
   * @returns false when the lease is lost
   */
  private accept(holding: Holding, outcome: WriteOutcome, sentAt: number): boolean {
    if (outcome.written) {
      holding.lease = outcome.lease;
      holding.times.confirmedAt = sentAt;
      return true;
    }
    const { current } = outcome;
    const me = this.options.workerId;
    const next = holding.lease.leaseCounter + 1;
    const lostAnswer = current?.leaseOwner === holding.lease.leaseOwner && current?.leaseCounter === next;
    const handoff = current?.checkpointOwner === me && current.leaseCounter <= next;
    if (current && actualOwner(current) === me && (lostAnswer || handoff)) {
      const begins = handoff && holding.lease.checkpointOwner === undefined;
      holding.lease = current;
      if (begins) this.options.onHandoff(current, holding.token);
      return true;
    }
    this.lose(holding, current === undefined ? 'its row is gone' : 'another worker took it', current);
    return false;
  }

  private lose(holding: Holding, reason: string, current?: Lease): void {
    const shardId = holding.lease.leaseKey;
    if (this.holdings.get(shardId) !== holding) return;
    this.holdings.delete(shardId);
    this.options.log('info', 'lost a lease', { shardId, reason, leaseOwner: current?.leaseOwner });
    this.options.onLost(shardId, holding.token);
  }

  private find(leaseKey: string, token: string): Holding | undefined {
    const holding = this.holdings.get(leaseKey);
    return holding?.token === token ? holding : undefined;
  }

  private isValid(holding: Holding): boolean {
    return this.holdings.get(holding.lease.leaseKey) === holding && this.left(holding) > 0;
  }

  private left(holding: Holding): number {
    return holding.times.confirmedAt + this.options.failoverTime - this.options.clock.monotonic();
  }

  private notHeld(leaseKey: string): ShutdownError {
    return new ShutdownError(
      `Worker ${this.options.workerId} does not hold the lease of shard ${leaseKey} any more; another worker continues after the last checkpoint.`,
    );
  }
}
