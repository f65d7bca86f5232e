/**
 * Enhanced fan-out: subscribes to a shard, again and again, and hands its events over one by one. An event is asked for only
 * when the one before was taken and there is room in the worker's memory budget; the service waits meanwhile.
 */
import type { ChildShard, Clock, IteratorPosition, Log, MetricsFactory } from '../../dependencies';
import { describeError, errorName, InvalidStateError, isThrottling } from '../../common/errors';
import { withTimeout } from '../../common/timing';
import type { StartingPosition } from '../../processor';
import type { ShardDetector } from '../../shards/shard-detector';
import type { MemoryBudget, Reservation } from '../memory-budget';
import { openAt } from '../polling/data-fetcher';
import type { RecordsPublisher, RetrievedBatch } from '../records-publisher';
import type { FanOutApi, FanOutEvent, FanOutSubscription } from './fan-out-api';
import { Handover } from './handover';
import type { SubscriptionPacer } from './subscription-pacer';

export interface FanOutPublisherOptions {
  readonly fanOut: FanOutApi;
  readonly consumerArn: string;
  readonly shardId: string;
  readonly pacer: SubscriptionPacer;
  readonly budget: MemoryBudget;
  readonly shardDetector: Pick<ShardDetector, 'findChildren'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /**
   * Milliseconds to wait for a subscription, and for each of its events: the service sends one every few seconds even when
   * there are no records, so a silent subscription is a broken one.
   */
  readonly inactivityTimeout: number;
  /** Called at every event: a subscription that gives none must not keep the lease. */
  readonly onProgress: () => void;
}

export class FanOutRecordsPublisher implements RecordsPublisher {
  private readonly handover = new Handover<RetrievedBatch>();
  private readonly reservations = new Map<RetrievedBatch, Reservation>();
  private readonly stopping = new AbortController();
  /** After the last event that was accepted: an accepted event is handed over whatever becomes of its subscription. */
  private position: IteratorPosition | undefined;

  constructor(private readonly options: FanOutPublisherOptions) {}

  start(position: StartingPosition): void {
    this.position = openAt(position);
    void this.subscribeAgainAndAgain();
  }

  async next(signal: AbortSignal): Promise<RetrievedBatch | undefined> {
    const either = new AbortController();
    const abort = (): void => either.abort('stopped');
    for (const end of [signal, this.stopping.signal]) {
      if (end.aborted) return undefined;
      end.addEventListener('abort', abort);
    }
    try {
      return await this.handover.take(either.signal);
    } finally {
      for (const end of [signal, this.stopping.signal]) end.removeEventListener('abort', abort);
    }
  }

  release(batch: RetrievedBatch): void {
    this.reservations.get(batch)?.release();
    this.reservations.delete(batch);
  }

  stop(): void {
    this.stopping.abort('stopped');
    for (const reservation of this.reservations.values()) reservation.release();
    this.reservations.clear();
  }

  private async subscribeAgainAndAgain(): Promise<void> {
    const { clock, pacer } = this.options;
    const { signal } = this.stopping;
    for (let ended = false; !ended;) {
      await clock.sleep(pacer.delay(clock.monotonic()), signal);
      if (signal.aborted) return;
      ended = await this.runSubscription();
    }
  }

  /** @returns true at the end of the shard; never rejects */
  private async runSubscription(): Promise<boolean> {
    const { clock, pacer, log, shardId } = this.options;
    const ending = new AbortController();
    const end = (): void => ending.abort('ended');
    this.stopping.signal.addEventListener('abort', end);
    let subscribed = false;
    try {
      const subscription = await this.subscribe(ending.signal);
      subscribed = true;
      return await this.acceptEvents(subscription);
    } catch (error) {
      if (this.stopping.signal.aborted) return false;
      if (errorName(error) === 'ResourceNotFoundException' && (await this.endIfGone())) return true;
      if (subscribed) pacer.subscriptionFailed(clock.monotonic(), error);
      else pacer.callFailed(clock.monotonic(), error);
      const event = subscribed ? 'a subscription to the shard broke off' : 'the shard could not be subscribed to';
      log(isThrottling(error) ? 'debug' : 'warn', event, {
        shardId,
        millis: Math.round(pacer.delay(clock.monotonic())),
        error: describeError(error),
      });
      return false;
    } finally {
      this.stopping.signal.removeEventListener('abort', end);
      end();
    }
  }

  private async subscribe(signal: AbortSignal): Promise<FanOutSubscription> {
    const { fanOut, consumerArn, shardId, clock, pacer, metrics, inactivityTimeout } = this.options;
    const position = this.position as IteratorPosition;
    const scope = metrics.scope('FanOutRecordsPublisher');
    scope.dimension('ShardId', shardId);
    const started = clock.monotonic();
    let succeeded = 0;
    try {
      const subscription = await withTimeout(clock, inactivityTimeout, 'Kinesis SubscribeToShard', () =>
        fanOut.subscribeToShard({ consumerArn, shardId, position }, signal),
      );
      pacer.subscribed(clock.monotonic());
      succeeded = 1;
      return subscription;
    } finally {
      scope.add('subscribeToShard.Success', succeeded, 'Count');
      scope.add('subscribeToShard.Time', clock.monotonic() - started, 'Milliseconds');
      scope.end();
    }
  }

  /** @returns true at the end of the shard, false at the end of the subscription */
  private async acceptEvents({ events, date }: FanOutSubscription): Promise<boolean> {
    const { clock, pacer, inactivityTimeout, onProgress } = this.options;
    const { signal } = this.stopping;
    for (;;) {
      await this.handover.empty(signal);
      if (signal.aborted) return false;
      const result = await withTimeout(clock, inactivityTimeout, 'A subscription', () => events.next());
      if (result.done === true || signal.aborted) return false;
      pacer.received();
      onProgress();
      const event = result.value;
      const childShards = event.continuationSequenceNumber === undefined ? await this.childrenOf(event) : undefined;
      const accepted = await this.accept({
        records: event.records,
        bytes: event.records.reduce((sum, record) => sum + record.data.byteLength, 0),
        millisBehindLatest: event.millisBehindLatest,
        // Events have no time of their own, and may have waited on their way: what is certain is that the service made
        // them after the subscription.
        serviceTime: date,
        atTip: event.millisBehindLatest === 0,
        ...(childShards ? { childShards } : {}),
      });
      if (!accepted) return false;
      if (event.continuationSequenceNumber === undefined) return true;
      this.position = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: event.continuationSequenceNumber };
    }
  }

  /** Waits for room. @returns false when the publisher was stopped first */
  private async accept(batch: RetrievedBatch): Promise<boolean> {
    const { signal } = this.stopping;
    const reservation = await this.options.budget.reserve(batch.bytes, signal);
    if (!reservation) return false;
    if (signal.aborted) {
      reservation.release();
      return false;
    }
    this.reservations.set(batch, reservation);
    this.handover.give(batch);
    return true;
  }

  /** A shard that ends has children; an event without them is not believed before the listing shows them. */
  private async childrenOf(event: FanOutEvent): Promise<readonly ChildShard[]> {
    if (event.childShards.length > 0) return event.childShards;
    const { shardId, shardDetector } = this.options;
    const { children } = await shardDetector.findChildren(shardId);
    if (children.length > 0) return children;
    throw new InvalidStateError(
      `Kinesis says that shard ${shardId} ended, but neither the event nor ListShards names a child.`,
    );
  }

  /** The stream is there but the shard is not: its records have all expired. A missing consumer or stream is an error. */
  private async endIfGone(): Promise<boolean> {
    const { shardId, shardDetector, log } = this.options;
    try {
      const { listed, children } = await shardDetector.findChildren(shardId);
      if (listed) return false;
      const nothing = { records: [], bytes: 0, millisBehindLatest: 0, serviceTime: undefined, atTip: false };
      await this.handover.empty(this.stopping.signal);
      return await this.accept({ ...nothing, childShards: children });
    } catch (error) {
      log('warn', 'a shard that is not found could not be looked up', { shardId, error: describeError(error) });
      return false;
    }
  }
}
