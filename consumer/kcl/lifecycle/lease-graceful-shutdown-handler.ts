/** The old owner's part of a graceful handoff (KCL's LeaseGracefulShutdownHandler): its consumer comes to an end and lets the lease go. */
import type { Clock, Log } from '../dependencies';
import type { HeldLease, LeaseHolder } from '../leases/lease-holder';
import type { ShardConsumer } from './shard-consumer';

export interface LeaseGracefulShutdownOptions {
  readonly holder: LeaseHolder;
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds for the batch under way and `shutdownRequested`. */
  readonly timeout: number;
}

export class LeaseGracefulShutdownHandler {
  /** When each handoff was first seen, by concurrency token. */
  private since = new Map<string, number>();

  constructor(private readonly options: LeaseGracefulShutdownOptions) {}

  /** To be called again and again. A lease without a consumer (its shard is finished, or it has yet to begin) goes at once. */
  handle(held: readonly HeldLease[], consumers: ReadonlyMap<string, ShardConsumer>): void {
    const seen = new Map<string, number>();
    for (const one of held.filter(({ lease }) => this.isLeaving(lease))) {
      const { lease, concurrencyToken } = one;
      const since = this.since.get(concurrencyToken) ?? this.options.clock.monotonic();
      seen.set(concurrencyToken, since);
      const consumer = consumers.get(lease.leaseKey);
      consumer?.shutdown('REQUESTED');
      const overdue = this.options.clock.monotonic() - since > this.options.timeout;
      if (overdue && consumer) {
        this.options.log('warn', 'a processor did not stop in time for a handoff; its lease goes all the same', {
          shardId: lease.leaseKey,
          leaseOwner: lease.leaseOwner,
        });
      }
      if (overdue || !consumer) void this.options.holder.evict(lease.leaseKey, concurrencyToken);
    }
    this.since = seen;
  }

  isLeaving({ checkpointOwner, leaseOwner }: HeldLease['lease']): boolean {
    return checkpointOwner === this.options.workerId && leaseOwner !== this.options.workerId;
  }
}
