/** SubscribeToShard over a stream in memory, in virtual time, with the service's rules for subscribing again. */
import type { IteratorPosition } from '../../../../consumer/kcl/dependencies';
import type { FanOutApi, FanOutEvent, FanOutSubscription } from '../../../../consumer/kcl/retrieval/fanout/fan-out-api';
import { serviceError } from '../../support/fake-dynamodb';
import type { FakeStream } from '../../support/fake-stream';
import type { VirtualTime } from '../../support/virtual-time';

const LIFE = 300_000;
const IDLE_EVENT = 5_000;
const RECORDS_PER_EVENT = 3;

interface Call {
  readonly at: number;
  readonly position: IteratorPosition;
  /** Name of the error it got, if any. */
  readonly error?: string;
}

export class FakeFanOut implements FanOutApi {
  readonly calls: Call[] = [];
  status = 'ACTIVE';
  /** How many events were asked for. */
  pulls = 0;
  /** Called before a subscription, and before each event; may throw or wait. */
  onCall: () => Promise<void> = async () => undefined;
  onEvent: (event: FanOutEvent) => Promise<FanOutEvent> = async (event) => event;
  private readonly calledAt = new Map<string, number>();
  private readonly current = new Map<string, { readonly since: number; takenOver: boolean }>();

  constructor(
    private readonly time: VirtualTime,
    private readonly stream: FakeStream,
  ) {}

  async describeStreamConsumer(): Promise<{ status: string }> {
    return { status: this.status };
  }

  async subscribeToShard(
    { shardId, position }: { shardId: string; position: IteratorPosition },
    signal: AbortSignal,
  ): Promise<FanOutSubscription> {
    const at = this.time.monotonic();
    try {
      await this.onCall();
      const sinceCall = at - (this.calledAt.get(shardId) ?? -Infinity);
      this.calledAt.set(shardId, at);
      if (sinceCall < 1_000) throw serviceError('LimitExceededException');
      const iterator = this.stream.getShardIterator(shardId, position);
      const before = this.current.get(shardId);
      if (before && at - before.since < 5_000) throw serviceError('ResourceInUseException');
      if (before) before.takenOver = true;
      const seat = { since: at, takenOver: false };
      this.current.set(shardId, seat);
      this.calls.push({ at, position });
      const date = Math.floor(this.time.now() / 1_000) * 1_000;
      return { date, events: this.events(iterator, seat, signal) };
    } catch (error) {
      this.calls.push({ at, position, error: (error as Error).name });
      throw error;
    }
  }

  private async *events(
    iterator: string,
    seat: { readonly since: number; readonly takenOver: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<FanOutEvent, void, undefined> {
    let from = iterator;
    for (;;) {
      this.pulls++;
      const asked = this.time.monotonic();
      let read = this.stream.getRecords(from, RECORDS_PER_EVENT);
      const isDue = () => read.records.length > 0 || read.nextShardIterator === undefined;
      while (!isDue() && this.time.monotonic() - asked < IDLE_EVENT) {
        await this.time.sleep(100, signal);
        if (signal.aborted) throw serviceError('AbortError');
        if (seat.takenOver) throw serviceError('ResourceInUseException');
        if (this.time.monotonic() - seat.since >= LIFE) return;
        read = this.stream.getRecords(from, RECORDS_PER_EVENT);
      }
      if (this.time.monotonic() - seat.since >= LIFE) return;
      const { nextShardIterator } = read;
      yield await this.onEvent({
        records: read.records,
        millisBehindLatest: read.millisBehindLatest,
        childShards: read.childShards,
        ...(nextShardIterator === undefined
          ? {}
          : { continuationSequenceNumber: (JSON.parse(nextShardIterator) as { after: string }).after }),
      });
      if (nextShardIterator === undefined) return;
      from = nextShardIterator;
    }
  }
}
