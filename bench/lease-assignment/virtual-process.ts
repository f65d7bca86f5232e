/**
 * Virtual time for very many sleepers, and a worker's process in it. Leaner than the tests' (no faults, times in whole milliseconds), since a
 * minute of a large fleet has hundreds of thousands of requests.
 */
import type { Clock, Dependencies, DynamoDbApi } from '../../consumer/kcl/dependencies';
import { noMetrics } from '../../consumer/kcl/adapters/system';
import type { MeteredTable } from './metered-table';

/** Of a request, there and back. */
const LATENCY_MILLIS = 5;

type Wake = (() => void) | undefined;

export class VirtualClock {
  /** Milliseconds. */
  time = 0;
  /** By the millisecond at which they wake. */
  private readonly sleepers = new Map<number, Wake[]>();

  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      if (!signal) return void this.after(millis, resolve);
      const abort = (): void => {
        cancel();
        resolve();
      };
      signal.addEventListener('abort', abort, { once: true });
      const cancel = this.after(millis, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }

  after(millis: number, action: () => void): () => void {
    const due = this.time + Math.max(1, Math.ceil(millis));
    let list = this.sleepers.get(due);
    if (!list) this.sleepers.set(due, (list = []));
    const at = list.push(action) - 1;
    return () => void (list[at] = undefined);
  }

  async run(millis: number): Promise<void> {
    const end = this.time + millis;
    while (this.time < end) {
      this.time++;
      const due = this.sleepers.get(this.time);
      if (!due) continue;
      this.sleepers.delete(this.time);
      for (const wake of due) wake?.();
      // All that follows from it, before time goes on.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const EPOCH = 1_700_000_000_000;
const never = new Promise<never>(() => undefined);

export class VirtualProcess {
  private killed = false;
  private uuids = 0;

  constructor(
    readonly name: string,
    private readonly time: VirtualClock,
    private readonly random: () => number,
    private readonly table: MeteredTable,
  ) {}

  /** Nothing that waits ever goes on. */
  kill(): void {
    this.killed = true;
  }

  get dependencies(): Omit<Dependencies, 'kinesis'> {
    return {
      dynamodb: this.dynamodb,
      clock: this.clock,
      random: this.random,
      uuid: () => `${this.name}-${this.uuids++}`,
      log: () => undefined,
      metrics: noMetrics,
    };
  }

  private get clock(): Clock {
    return {
      now: () => EPOCH + this.time.time,
      monotonic: () => this.time.time,
      sleep: async (millis, signal) => {
        await this.time.sleep(millis, signal);
        if (this.killed) await never;
      },
      after: (millis, action) => this.time.after(millis, () => void (this.killed || action())),
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
      scan: ({ TableName, ExclusiveStartKey }) => this.request(() => table.named(TableName).scan(ExclusiveStartKey)),
      query: ({ ExpressionAttributeValues }) =>
        this.request(() => ({ Items: table.query(Object.values(ExpressionAttributeValues ?? {})[0]?.S ?? '') })),
      describeTable: ({ TableName }) => this.request(() => table.named(TableName).description),
    };
  }

  /** Takes effect at the end of the latency: what its sender read before may have changed. */
  private async request<T>(apply: () => T): Promise<T> {
    await this.time.sleep(LATENCY_MILLIS);
    if (this.killed) await never;
    return apply();
  }
}
