/** The consumers of a worker, one for each lease that it holds and has to read. */
import type { Clock, Log } from '../dependencies';
import { describeError } from '../common/errors';
import { isFinished, type Lease } from '../leases/lease';
import type { HeldLease, LeaseHolder } from '../leases/lease-holder';
import type { LeaseGracefulShutdownHandler } from './lease-graceful-shutdown-handler';
import type { ShardConsumer } from './shard-consumer';

export interface ShardConsumersOptions {
  readonly holder: LeaseHolder;
  readonly handoffs: LeaseGracefulShutdownHandler;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a consumer, which begins at once. What it throws is logged, and it is called again at the next reconciliation. */
  readonly make: (held: HeldLease) => ShardConsumer;
  /** A consumer has come to its end. */
  readonly onDone: () => void;
}

export class ShardConsumers {
  private readonly consumers = new Map<string, ShardConsumer>();

  constructor(private readonly options: ShardConsumersOptions) {}

  all(): ShardConsumer[] {
    return [...this.consumers.values()];
  }

  /** Makes consumers and held leases agree. */
  reconcile(): void {
    const { holder, handoffs } = this.options;
    for (const consumer of this.consumers.values()) {
      if (holder.held(consumer.shardId)?.concurrencyToken !== consumer.concurrencyToken)
        consumer.shutdown('LEASE_LOST');
    }
    const all = holder.all();
    handoffs.handle(all, this.consumers);
    for (const held of all) {
      if (isFinished(held.lease) || handoffs.isLeaving(held.lease)) continue;
      if (!this.consumers.has(held.lease.leaseKey)) this.start(held);
    }
  }

  /** A consumer that lost its lease but still runs keeps the worker from taking the same shard again. */
  isBlocked(leaseKey: string): boolean {
    const consumer = this.consumers.get(leaseKey);
    return consumer !== undefined && this.options.holder.held(leaseKey)?.concurrencyToken !== consumer.concurrencyToken;
  }

  /** Wakes the children whose parents a look at the table showed as finished. */
  checkParents(rows: readonly Lease[]): void {
    const unfinished = new Set(rows.filter((lease) => !isFinished(lease)).map((lease) => lease.leaseKey));
    for (const consumer of this.consumers.values()) {
      if (consumer.state !== 'WAITING_ON_PARENT_SHARDS') continue;
      if (!consumer.parentShardIds.some((parent) => unfinished.has(parent))) consumer.checkParents();
    }
  }

  /**
   * Brings all to their end, each with its batch done and its lease given up; then gives up the other leases that are held. Resolves
   * after `timeout` milliseconds at most; what does not stop by then keeps its lease, which expires.
   */
  async shutdown(timeout: number): Promise<void> {
    const { clock, holder, log } = this.options;
    for (const consumer of this.consumers.values()) consumer.shutdown('REQUESTED');
    const settled = new AbortController();
    const allDone = Promise.all(this.all().map((consumer) => consumer.done));
    await Promise.race([allDone, clock.sleep(timeout, settled.signal)]);
    settled.abort();
    for (const { shardId } of this.consumers.values()) {
      log('error', 'a processor did not stop in time; its lease is left to expire', { shardId });
    }
    const idle = holder.all().filter((held) => !this.consumers.has(held.lease.leaseKey));
    await Promise.all(idle.map((held) => holder.evict(held.lease.leaseKey, held.concurrencyToken)));
  }

  private start(held: HeldLease): void {
    const shardId = held.lease.leaseKey;
    try {
      const consumer = this.options.make(held);
      this.consumers.set(shardId, consumer);
      void consumer.done.then(() => {
        this.consumers.delete(shardId);
        this.options.onDone();
      });
    } catch (error) {
      this.options.log('error', 'the processor of a shard could not be made and is tried again', {
        shardId,
        error: describeError(error),
      });
    }
  }
}
