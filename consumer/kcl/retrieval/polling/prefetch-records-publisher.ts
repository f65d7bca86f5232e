/** Polling with read-ahead: a loop fills a queue within the shard's limits and the worker's memory budget. */
import type { Clock, Log, MetricsFactory } from '../../dependencies';
import { describeError, errorName, isThrottling } from '../../common/errors';
import type { StartingPosition } from '../../processor';
import { MAX_RESPONSE_BYTES, type MemoryBudget, type Reservation } from '../memory-budget';
import type { RecordsPublisher, RetrievedBatch } from '../records-publisher';
import type { KinesisDataFetcher } from './data-fetcher';
import type { ReadPacer } from './read-pacer';

export interface PrefetchOptions {
  readonly fetcher: Pick<KinesisDataFetcher, 'initialize' | 'getRecords'>;
  readonly pacer: ReadPacer;
  readonly budget: MemoryBudget;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  readonly shardId: string;
  /** Reading stops while the queue holds this many batches, or this many bytes, or this many records. */
  readonly maxBatches: number;
  readonly maxBytes: number;
  readonly maxRecords: number;
  /** Called at every sign of life of the reader. */
  readonly onProgress: () => void;
}

export class PrefetchRecordsPublisher implements RecordsPublisher {
  private readonly queue: RetrievedBatch[] = [];
  private readonly reservations = new Map<RetrievedBatch, Reservation>();
  private readonly stopping = new AbortController();
  private wakeReader: () => void = () => undefined;
  private wakeConsumer: () => void = () => undefined;

  constructor(private readonly options: PrefetchOptions) {}

  start(position: StartingPosition): void {
    this.options.fetcher.initialize(position);
    void this.readAhead();
  }

  async next(signal: AbortSignal): Promise<RetrievedBatch | undefined> {
    while (!signal.aborted && !this.stopping.signal.aborted) {
      const batch = this.queue.shift();
      if (batch) {
        this.wakeReader();
        return batch;
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.wakeConsumer = wake;
        signal.addEventListener('abort', wake);
      });
    }
    return undefined;
  }

  release(batch: RetrievedBatch): void {
    this.reservations.get(batch)?.release();
    this.reservations.delete(batch);
  }

  stop(): void {
    this.stopping.abort();
    this.queue.length = 0;
    for (const reservation of this.reservations.values()) reservation.release();
    this.reservations.clear();
    this.wakeReader();
    this.wakeConsumer();
  }

  private async readAhead(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      if (this.isFull()) {
        await new Promise<void>((resolve) => (this.wakeReader = resolve));
        continue;
      }
      const reservation = await this.options.budget.reserve(MAX_RESPONSE_BYTES, signal);
      if (!reservation) return;
      const { batch, wait } = await this.read();
      reservation.shrink(batch?.bytes ?? 0);
      if (signal.aborted) return reservation.release();
      if (batch) {
        this.reservations.set(batch, reservation);
        this.queue.push(batch);
        this.wakeConsumer();
        if (batch.childShards) return;
      }
      await this.options.clock.sleep(wait, signal);
    }
  }

  private async read(): Promise<{ readonly batch?: RetrievedBatch; readonly wait: number }> {
    const { fetcher, pacer, log, metrics, shardId, clock } = this.options;
    const scope = metrics.scope('ProcessTask');
    scope.dimension('ShardId', shardId);
    const started = clock.monotonic();
    this.options.onProgress();
    try {
      const batch = await fetcher.getRecords();
      scope.add('KinesisDataFetcher.getRecords.Success', 1, 'Count');
      return { batch, wait: pacer.afterRead(batch.bytes, batch.atTip) };
    } catch (error) {
      scope.add('KinesisDataFetcher.getRecords.Success', 0, 'Count');
      if (errorName(error) === 'ExpiredIteratorException') {
        scope.add('ExpiredIterator', 1, 'Count');
        return { wait: pacer.afterFailure() };
      }
      const throttled = isThrottling(error);
      const event = throttled ? 'reads of the shard are throttled' : 'a read of the shard failed and is tried again';
      log(throttled ? 'debug' : 'warn', event, { shardId, error: describeError(error) });
      return { wait: throttled ? pacer.afterThrottle() : pacer.afterFailure() };
    } finally {
      scope.add('KinesisDataFetcher.getRecords.Time', clock.monotonic() - started, 'Milliseconds');
      scope.end();
    }
  }

  private isFull(): boolean {
    const { maxBatches, maxBytes, maxRecords } = this.options;
    if (this.queue.length >= maxBatches) return true;
    let bytes = 0;
    let records = 0;
    for (const batch of this.queue) {
      bytes += batch.bytes;
      records += batch.records.length;
    }
    return bytes >= maxBytes || records >= maxRecords;
  }
}
