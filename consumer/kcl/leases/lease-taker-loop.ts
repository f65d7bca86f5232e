/** Runs the looks at the lease table. */
import type { Clock, Log } from '../dependencies';
import { describeError } from '../common/errors';
import { Wakeup } from '../common/timing';
import type { LeaseSource } from './lease-source';
import { LeaseTaker, type LeaseTakerOptions } from './lease-taker';

/** Two looks a little apart stay below two seconds. */
const MAX_WANTED_MILLIS = 800;

/** Of one worker, and of all workers together: beyond, the looks come more rarely. */
const ROWS_PER_SECOND = 1_000;
const ROWS_PER_SECOND_OF_FLEET = 100_000;

/**
 * Milliseconds from one look at the table to the next: a tenth of the failover time, or 0.8 s if that is less; at most KCL's own interval. A
 * lease is taken within a failover time and two of these after its owner's death, and large tables are not read over and over.
 */
export function lookInterval(input: {
  readonly rows: number;
  readonly workers: number;
  readonly failoverTime: number;
  readonly epsilon: number;
}): number {
  const { rows, workers, failoverTime, epsilon } = input;
  const wanted = Math.min(failoverTime / 10, MAX_WANTED_MILLIS);
  const allowed = 1_000 * Math.max(rows / ROWS_PER_SECOND, (rows * workers) / ROWS_PER_SECOND_OF_FLEET);
  return Math.min(Math.max(wanted, allowed), 2 * (failoverTime + epsilon));
}

export interface LeaseTakerLoopOptions {
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

export class LeaseTakerLoop implements LeaseSource {
  private readonly takerWakeup: Wakeup;
  private readonly stopped = new AbortController();
  private taking: Promise<void> = Promise.resolve();

  constructor(private readonly options: LeaseTakerLoopOptions) {
    this.takerWakeup = new Wakeup(options.clock);
  }

  start(): void {
    this.taking = this.takeLoop();
  }

  /** Looks at the table now. */
  lookNow(): void {
    this.takerWakeup.wake();
  }

  /** Resolves when no take is under way any more. */
  async stop(): Promise<void> {
    this.stopped.abort('stopped');
    this.takerWakeup.wake();
    await this.taking;
  }

  private takerInterval(): number {
    const { failoverTime, epsilon, takerInterval, taker } = this.options;
    if (takerInterval !== undefined) return takerInterval;
    const workers = new Set(taker.lastSeen.map((lease) => lease.leaseOwner)).size;
    return lookInterval({ rows: taker.lastSeen.length, workers, failoverTime, epsilon });
  }

  private async takeLoop(): Promise<void> {
    const { signal } = this.stopped;
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

/** A taker and the loop that runs it. */
export function takerLoop(options: LeaseTakerOptions & Omit<LeaseTakerLoopOptions, 'taker'>): LeaseTakerLoop {
  return new LeaseTakerLoop({ ...options, taker: new LeaseTaker(options) });
}
