/**
 * The lake's lock row: which worker looks for partitions to fold. It only saves work: freeze and seal are create-only.
 * As in DynamoDB's lock client, a holder is dead when its counter stood still for the timeout by the observer's clock.
 */
import type { Clock } from '../clock';
import { ConditionFailedError, type RegistryStore } from '../stores/registry-store';

const LOCK_KEY = { pk: 'LOCK', sk: 'fold' } as const;

export class LeaderLock {
  private held: number | undefined;
  private watched: { counter: number; since: number } | undefined;

  constructor(
    private readonly registry: RegistryStore,
    private readonly clock: Clock,
    private readonly owner: string,
    /** Milliseconds without a sign of the holder. */
    private readonly timeout: number,
  ) {}

  /** Takes or renews the lock; true while this worker holds it. Call well within the timeout. */
  async hold(): Promise<boolean> {
    if (this.held !== undefined) {
      if (await this.write(this.held, this.held + 1)) return true;
      this.held = undefined;
    }
    const row = await this.registry.get(LOCK_KEY);
    if (row === undefined) return this.write(undefined, 1);
    const counter = row['counter'] as number;
    if (row['owner'] === this.owner || row['owner'] === undefined) return this.write(counter, counter + 1);
    const now = this.clock.monotonic();
    if (this.watched?.counter !== counter) this.watched = { counter, since: now };
    return now - this.watched.since >= this.timeout ? this.write(counter, counter + 1) : false;
  }

  /** Lets another worker take over at once. */
  async release(): Promise<void> {
    if (this.held === undefined) return;
    const counter = this.held;
    this.held = undefined;
    try {
      await this.registry.write({
        update: LOCK_KEY,
        set: { counter: counter + 1 },
        remove: ['owner'],
        condition: [[{ path: 'counter', equals: counter }]],
      });
    } catch (error) {
      if (!(error instanceof ConditionFailedError)) throw error;
    }
  }

  private async write(seen: number | undefined, counter: number): Promise<boolean> {
    try {
      await this.registry.write({
        update: LOCK_KEY,
        set: { owner: this.owner, counter },
        condition: [[seen === undefined ? { path: 'pk', absent: true } : { path: 'counter', equals: seen }]],
      });
      this.held = counter;
      return true;
    } catch (error) {
      if (!(error instanceof ConditionFailedError)) throw error;
      return false;
    }
  }
}
