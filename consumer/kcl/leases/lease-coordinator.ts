/** Runs the worker's two lease loops: renewals at a fixed rate, and looks at the table. */
import type { Clock, Log } from '../dependencies';
import { describeError } from '../common/errors';
import { Wakeup } from '../common/timing';
import type { LeaseRenewer } from './lease-renewer';
import type { LeaseTaker } from './lease-taker';

export interface LeaseCoordinatorOptions {
  readonly renewer: LeaseRenewer;
  readonly taker: LeaseTaker;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Milliseconds. */
  readonly failoverTime: number;
  readonly epsilon: number;
  /** Undefined: derived from failover time and number of rows. */
  readonly takerInterval: number | undefined;
}

export class LeaseCoordinator {
  private readonly takerWakeup: Wakeup;
  private readonly stoppedTaking = new AbortController();
  private readonly stopped = new AbortController();
  private taking: Promise<void> = Promise.resolve();
  private renewing: Promise<void> = Promise.resolve();

  constructor(private readonly options: LeaseCoordinatorOptions) {
    this.takerWakeup = new Wakeup(options.clock);
  }

  start(): void {
    this.renewing = this.renewLoop();
    this.taking = this.takeLoop();
  }

  /** Looks at the table now. */
  lookNow(): void {
    this.takerWakeup.wake();
  }

  /** Resolves when no take is under way any more. */
  async stopTaking(): Promise<void> {
    this.stoppedTaking.abort();
    this.takerWakeup.wake();
    await this.taking;
  }

  async stop(): Promise<void> {
    await this.stopTaking();
    this.stopped.abort();
    await this.renewing;
  }

  /**
   * A tenth of the failover time, at least a millisecond for each row, at most KCL's own interval: so a lease is taken within
   * about 1.2 failover times of its owner's death, and large tables are not read over and over.
   */
  private takerInterval(): number {
    const { failoverTime, epsilon, takerInterval, taker } = this.options;
    if (takerInterval !== undefined) return takerInterval;
    return Math.min(Math.max(failoverTime / 10, taker.lastSeen.length), 2 * (failoverTime + epsilon));
  }

  private async renewLoop(): Promise<void> {
    const { clock, renewer, failoverTime, epsilon } = this.options;
    const { signal } = this.stopped;
    const interval = failoverTime / 3 - epsilon;
    let due = clock.monotonic() + interval;
    while (!signal.aborted) {
      await clock.sleep(Math.max(0, due - clock.monotonic()), signal);
      if (signal.aborted) return;
      due = Math.max(due + interval, clock.monotonic());
      await this.guard('a round of renewals failed', () => renewer.renewLeases());
    }
  }

  private async takeLoop(): Promise<void> {
    const { signal } = this.stoppedTaking;
    while (!signal.aborted) {
      await this.guard('the lease table could not be read', () => this.options.taker.takeLeases());
      if (signal.aborted) return;
      // Spread, so that workers do not look in step.
      await this.takerWakeup.sleep(this.takerInterval() * (0.9 + 0.2 * this.options.random()));
    }
  }

  private async guard(event: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.options.log('error', event, { error: describeError(error) });
    }
  }
}
