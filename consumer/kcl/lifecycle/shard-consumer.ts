/**
 * One shard's consumer, from the taking of its lease to its end. It runs as one task after another:
 * WAITING_ON_PARENT_SHARDS → INITIALIZING → PROCESSING → SHUTTING_DOWN → SHUTDOWN_COMPLETE.
 */
import type { ChildShard, Clock, Log, MetricsFactory } from '../dependencies';
import { RecordProcessorCheckpointer } from '../checkpoint/record-processor-checkpointer';
import { MAX_HASH_KEY, MIN_HASH_KEY } from '../common/hash-key-range';
import { Sentinel } from '../common/extended-sequence-number';
import { describeError, ShutdownError } from '../common/errors';
import { backoffMillis } from '../common/timing';
import type { InitialPosition } from '../config';
import type { HeldLease, LeaseHolder } from '../leases/lease-holder';
import type { LeaseRefresher } from '../leases/lease-refresher';
import type { FailurePolicy, LeaseFence, ShardRecordProcessor } from '../processor';
import type { ShardHashRange } from '../retrieval/kpl/deaggregate';
import type { RecordsPublisher } from '../retrieval/records-publisher';
import { BatchDelivery } from './batch-delivery';
import { escalate, type ConsumerState, type ShutdownReason } from './consumer-states';
import { asCheckpoint, startingPosition } from './starting-position';
import { parentsAreFinished } from './tasks/block-on-parent-shard-task';
import { createChildLeases } from './tasks/shard-end-task';

export interface ShardConsumerOptions {
  readonly held: HeldLease;
  readonly holder: LeaseHolder;
  readonly refresher: LeaseRefresher;
  readonly processor: ShardRecordProcessor;
  readonly publisher: RecordsPublisher;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  readonly initialPosition: InitialPosition;
  readonly callProcessRecordsEvenForEmptyRecordList: boolean;
  readonly failurePolicy?: FailurePolicy | undefined;
  /** Milliseconds. */
  readonly parentShardPollInterval: number;
  readonly taskBackoff: number;
  /** Called when the row of a merged child's other parent is missing: a shard sync makes it. */
  readonly onMissingParent: () => void;
}

/** The first pause doubles up to this many times itself. */
const MAX_BACKOFF_FACTOR = 30;
/** One in so many tries to make a merged child without its other parent ends in giving the lease up, as in KCL. */
const GIVE_UP_ODDS = 30;

export class ShardConsumer {
  readonly shardId: string;
  readonly concurrencyToken: string;
  /** Resolves when the consumer is through; never rejects. */
  readonly done: Promise<void>;
  private currentState: ConsumerState = 'WAITING_ON_PARENT_SHARDS';
  private reason: ShutdownReason | undefined;
  private children: readonly ChildShard[] = [];
  private readonly checkpointer: RecordProcessorCheckpointer;
  /** Aborts at any shutdown reason, and at the loss of the lease. */
  private readonly stopping = new AbortController();
  private readonly leaseLost = new AbortController();
  private parentsMayBeFinished: () => void = () => undefined;
  private initialized = false;
  private readonly delivery: BatchDelivery;

  constructor(private readonly options: ShardConsumerOptions) {
    const { held, holder } = options;
    this.shardId = held.lease.leaseKey;
    this.concurrencyToken = held.concurrencyToken;
    this.checkpointer = new RecordProcessorCheckpointer({
      shardId: this.shardId,
      checkpoint: held.lease.checkpoint,
      write: (change) => holder.update(this.shardId, this.concurrencyToken, change),
    });
    this.delivery = new BatchDelivery({
      ...options,
      shardId: this.shardId,
      checkpointer: this.checkpointer,
      range: this.hashRange(),
      callForEmptyList: options.callProcessRecordsEvenForEmptyRecordList,
      stops: () => this.stops(),
      stamp: () => this.stamp(),
      pauseAfter: (event, error, attempt) => this.pauseAfter(event, error, attempt),
    });
    this.done = this.run();
  }

  get state(): ConsumerState {
    return this.currentState;
  }

  get shutdownReason(): ShutdownReason | undefined {
    return this.reason;
  }

  get parentShardIds(): readonly string[] {
    return this.options.held.lease.parentShardIds;
  }

  /** Asks the consumer to stop; it goes on with what a weaker reason had begun. */
  shutdown(reason: ShutdownReason): void {
    this.reason = escalate(this.reason, reason);
    this.stopping.abort();
    if (this.reason === 'LEASE_LOST') {
      this.leaseLost.abort();
      // Not only after the batch under way: a subscription that went on would be taken away from the new owner again.
      this.options.publisher.stop();
    }
    this.parentsMayBeFinished();
  }

  /** Ends the wait for the next look at the parents. */
  checkParents(): void {
    this.parentsMayBeFinished();
  }

  private async run(): Promise<void> {
    try {
      await this.waitForParents();
      if (!this.reason) await this.initialize();
      if (!this.reason) await this.process();
      this.currentState = 'SHUTTING_DOWN';
      await this.finish();
    } catch (error) {
      // Nothing above throws by design. The lease is left to expire rather than kept by a consumer that is no more.
      this.options.log('error', 'a consumer ended by an error; its lease is given up', {
        shardId: this.shardId,
        error: describeError(error),
      });
      this.options.holder.drop(this.shardId, this.concurrencyToken);
    } finally {
      this.options.publisher.stop();
      this.currentState = 'SHUTDOWN_COMPLETE';
    }
  }

  private async waitForParents(): Promise<void> {
    for (let attempt = 0; !this.stops();) {
      this.stamp();
      try {
        if (await parentsAreFinished(this.options.refresher, this.options.held.lease)) return;
        const early = new AbortController();
        this.parentsMayBeFinished = () => early.abort();
        await this.options.clock.sleep(this.options.parentShardPollInterval, early.signal);
        attempt = 0;
      } catch (error) {
        await this.pauseAfter('the parents of a shard could not be looked up', error, attempt++);
      }
    }
  }

  private async initialize(): Promise<void> {
    this.currentState = 'INITIALIZING';
    const { held, processor, initialPosition, clock } = this.options;
    const { lease } = held;
    for (let attempt = 0; !this.stops(); attempt++) {
      this.stamp();
      try {
        const chosen = await processor.initialize({
          shard: {
            shardId: this.shardId,
            parentShardIds: lease.parentShardIds,
            startingHashKey: lease.hashKeyRange?.startingHashKey ?? String(MIN_HASH_KEY),
            endingHashKey: lease.hashKeyRange?.endingHashKey ?? String(MAX_HASH_KEY),
          },
          checkpoint: lease.checkpoint,
          ...(lease.pendingCheckpoint ? { pendingCheckpoint: lease.pendingCheckpoint } : {}),
          ...(lease.pendingCheckpointState ? { pendingCheckpointState: lease.pendingCheckpointState } : {}),
          fence: this.fence(),
        });
        const start = chosen ?? startingPosition(lease.checkpoint, initialPosition, clock.now());
        if (chosen) this.checkpointer.startAt(asCheckpoint(chosen));
        this.initialized = true;
        this.currentState = 'PROCESSING';
        if (!this.stops()) this.options.publisher.start(start);
        this.delivery.startAfter(start.type === 'AFTER' ? start.position : undefined);
        return;
      } catch (error) {
        await this.pauseAfter('initialize threw and is tried again', error, attempt);
      }
    }
  }

  private async process(): Promise<void> {
    const { publisher } = this.options;
    while (!this.stops()) {
      this.stamp();
      const batch = await publisher.next(this.stopping.signal);
      if (!batch) continue;
      const delivered = await this.delivery.deliver(batch);
      publisher.release(batch);
      this.stamp(delivered ? batch.bytes : 0);
      if (delivered && batch.childShards) {
        this.children = batch.childShards;
        this.shutdown('SHARD_END');
      }
    }
    publisher.stop();
  }

  private async finish(): Promise<void> {
    const { processor, holder } = this.options;
    if (this.reason === 'SHARD_END' && (await this.endShard())) return;
    if (this.reason === 'REQUESTED' && this.holdsLease()) {
      if (this.initialized) {
        await this.guard('shutdownRequested', () => processor.shutdownRequested({ checkpointer: this.checkpointer }));
      }
      // In the table at once, so that a peer need not wait for the lease to expire.
      await holder.evict(this.shardId, this.concurrencyToken);
      return;
    }
    if (this.initialized) await this.guard('leaseLost', () => processor.leaseLost());
    await holder.evict(this.shardId, this.concurrencyToken);
  }

  /** @returns false when the lease was lost or given up on the way */
  private async endShard(): Promise<boolean> {
    for (let attempt = 0; this.holdsLease(); attempt++) {
      this.stamp();
      try {
        if (!(await createChildLeases(this.options.refresher, this.shardId, this.children, () => this.checkHeld()))) {
          this.options.onMissingParent();
          if (this.options.random() * GIVE_UP_ODDS < 1) break;
          throw new Error('the row of the other parent of a merged shard is missing');
        }
        this.checkpointer.armShardEnd();
        await this.options.processor.shardEnded({ checkpointer: this.checkpointer });
        if (this.checkpointer.lastCheckpoint.sequenceNumber === Sentinel.SHARD_END) return true;
        throw new Error('shardEnded returned without a checkpoint: call checkpointer.checkpoint() in it');
      } catch (error) {
        await this.pauseAfter('the end of a shard could not be recorded and is tried again', error, attempt);
      }
    }
    this.shutdown('LEASE_LOST');
    return false;
  }

  /** True when the consumer must go on to its shutdown. Notices a lease that ran out. */
  private stops(): boolean {
    if (!this.reason && !this.holdsLease()) this.shutdown('LEASE_LOST');
    return this.reason !== undefined;
  }

  private holdsLease(): boolean {
    return this.options.holder.remaining(this.shardId, this.concurrencyToken) > 0;
  }

  private checkHeld(): void {
    if (!this.holdsLease()) throw new ShutdownError(`The lease of shard ${this.shardId} is not held any more.`);
  }

  private fence(): LeaseFence {
    return {
      leaseCounter: this.options.held.acquiredCounter,
      remaining: () => this.options.holder.remaining(this.shardId, this.concurrencyToken),
    };
  }

  private hashRange(): ShardHashRange {
    const range = this.options.held.lease.hashKeyRange;
    return range
      ? { from: BigInt(range.startingHashKey), to: BigInt(range.endingHashKey) }
      : { from: MIN_HASH_KEY, to: MAX_HASH_KEY };
  }

  private stamp(bytes = 0): void {
    this.options.holder.stamp(this.shardId, this.concurrencyToken, bytes);
  }

  private async guard(callback: string, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.options.log('error', `${callback} threw`, { shardId: this.shardId, error: describeError(error) });
    }
  }

  /** A lost lease needs no pause and no line in the log. */
  private async pauseAfter(event: string, error: unknown, attempt: number): Promise<void> {
    if (error instanceof ShutdownError && !this.holdsLease()) return;
    const { taskBackoff, random, clock, log } = this.options;
    const millis = backoffMillis(attempt, taskBackoff, taskBackoff * MAX_BACKOFF_FACTOR, random);
    log('warn', event, { shardId: this.shardId, attempt, millis: Math.round(millis), error: describeError(error) });
    const signal = this.reason === 'SHARD_END' ? this.leaseLost.signal : this.stopping.signal;
    await clock.sleep(millis, signal);
  }
}
