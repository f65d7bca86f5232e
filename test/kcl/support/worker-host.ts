/** A worker's process in virtual time: it can crash, be paused, and meet faults at every request. */
import type { Clock, Dependencies, DynamoDbApi, KinesisApi, LogFields } from '../../../consumer/kcl/dependencies';
import { noMetrics } from '../../../consumer/kcl/adapters/system';
import { serviceError, type FakeTable } from './fake-dynamodb';
import type { FakeStream } from './fake-stream';
import type { VirtualTime } from './virtual-time';

export interface Faults {
  /** Probability that a request is lost before it takes effect, or its answer after. */
  readonly lost: number;
  readonly throttled: number;
  /** Largest latency of one way, milliseconds. */
  readonly latency: number;
}

export const NO_FAULTS: Faults = { lost: 0, throttled: 0, latency: 2 };

const never = new Promise<never>(() => undefined);

export class WorkerHost {
  faults: Faults = NO_FAULTS;
  readonly logged: { level: string; event: string; fields: LogFields | undefined }[] = [];
  private crashed = false;
  private resumed: Promise<void> = Promise.resolve();
  private uuids = 0;

  constructor(
    readonly name: string,
    private readonly time: VirtualTime,
    private readonly random: () => number,
    private readonly table: FakeTable,
    private readonly stream: FakeStream,
  ) {}

  get isCrashed(): boolean {
    return this.crashed;
  }

  /** kill -9: nothing that waits ever goes on. */
  crash(): void {
    this.crashed = true;
  }

  /** SIGSTOP … SIGCONT: time goes on, the process does not. */
  pause(ms: number): void {
    this.resumed = this.time.sleep(ms);
  }

  get clock(): Clock {
    return {
      now: () => this.time.now(),
      monotonic: () => this.time.monotonic(),
      sleep: async (ms, signal) => {
        await this.time.sleep(ms, signal);
        await this.pass();
      },
      after: (ms, action) => this.time.after(ms, () => void this.pass().then(action)),
    };
  }

  get dependencies(): Dependencies {
    return {
      kinesis: this.kinesis,
      dynamodb: this.dynamodb,
      clock: this.clock,
      random: this.random,
      uuid: () => `${this.name}-${this.uuids++}`,
      log: (level, event, fields) => void this.logged.push({ level, event, fields }),
      metrics: noMetrics,
    };
  }

  private get kinesis(): KinesisApi {
    const { stream } = this;
    return {
      listShards: ({ filter }) => this.request(() => ({ shards: stream.listShards(filter) })),
      getShardIterator: ({ shardId, position }) => this.request(() => stream.getShardIterator(shardId, position)),
      getRecords: ({ shardIterator, limit }) =>
        this.request(
          () => stream.getRecords(shardIterator, Math.min(limit, 25)),
          'ProvisionedThroughputExceededException',
        ),
    };
  }

  private get dynamodb(): DynamoDbApi {
    const { table, name } = this;
    return {
      getItem: ({ TableName, Key }) =>
        this.request(() => {
          const item = table.named(TableName).get(Key);
          return item ? { Item: item } : {};
        }),
      putItem: (input) => this.request(() => table.named(input.TableName).put(input.Item, input, name)),
      updateItem: (input) => this.request(() => ({ Attributes: table.named(input.TableName).update(input, name) })),
      deleteItem: ({ TableName, Key }) => this.request(() => table.named(TableName).delete(Key, name)),
      scan: ({ TableName, ExclusiveStartKey, Segment, TotalSegments }) =>
        this.request(() => table.named(TableName).scan(ExclusiveStartKey, Segment, TotalSegments)),
      query: ({ ExpressionAttributeValues }) =>
        this.request(() => ({ Items: table.query(Object.values(ExpressionAttributeValues ?? {})[0]?.S ?? '') })),
      describeTable: ({ TableName }) => this.request(() => table.named(TableName).description),
    };
  }

  /** A request that was sent takes effect even when its sender is gone by then. */
  private async request<T>(apply: () => T, throttling = 'ProvisionedThroughputExceededException'): Promise<T> {
    const { lost, throttled, latency } = this.faults;
    const fate = this.random();
    await this.pass();
    await this.time.sleep(this.random() * latency);
    if (fate < throttled) throw await this.fail(throttling);
    if (fate < throttled + lost / 2) throw await this.fail('TimeoutError');
    let answer: { value: T } | { error: unknown };
    try {
      answer = { value: apply() };
    } catch (error) {
      answer = { error };
    }
    await this.time.sleep(this.random() * latency);
    if (fate < throttled + lost) throw await this.fail('TimeoutError');
    await this.pass();
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  private async fail(name: string): Promise<Error> {
    await this.pass();
    return serviceError(name);
  }

  private async pass(): Promise<void> {
    if (this.crashed) return never;
    const { resumed } = this;
    await resumed;
    if (this.crashed) return never;
    if (resumed !== this.resumed) await this.pass();
  }
}
