/** Virtual time: sleepers wake in order, as fast as the machine can, and a seeded generator for everything random. */
import type { Clock } from '../../../consumer/kcl/dependencies';

/** mulberry32: small, fast, good enough for schedules. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Sleeper {
  readonly due: number;
  readonly order: number;
  wake: () => void;
  cancelled: boolean;
}

const nothing = (): void => undefined;

const before = (a: Sleeper, b: Sleeper): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

export class VirtualTime implements Clock {
  private time = 0;
  private count = 0;
  private readonly heap: Sleeper[] = [];

  constructor(private readonly epoch = 1_700_000_000_000) {}

  now(): number {
    return this.epoch + Math.floor(this.time);
  }

  monotonic(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      if (signal === undefined) return void this.after(ms, resolve);
      const cancel = this.after(ms, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      const abort = (): void => {
        signal.removeEventListener('abort', abort);
        cancel();
        resolve();
      };
      signal.addEventListener('abort', abort);
    });
  }

  after(ms: number, action: () => void): () => void {
    const sleeper: Sleeper = { due: this.time + Math.max(0, ms), order: this.count++, wake: action, cancelled: false };
    this.push(sleeper);
    return () => {
      sleeper.cancelled = true;
      // It stays in the heap until its time; what it was for need not.
      sleeper.wake = nothing;
    };
  }

  /** Runs until `done` says so or `limit` milliseconds passed. @returns whether `done` was reached */
  async runUntil(done: () => boolean, limit: number): Promise<boolean> {
    const end = this.time + limit;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (done()) return true;
      const next = this.pop();
      if (!next || next.due > end) {
        if (next) this.push(next);
        this.time = end;
        return false;
      }
      this.time = Math.max(this.time, next.due);
      next.wake();
    }
  }

  run(ms: number): Promise<boolean> {
    return this.runUntil(() => false, ms);
  }

  /** Runs until the promise settles. */
  async settle<T>(promise: Promise<T>, limit = 3_600_000): Promise<T> {
    let settled = false;
    const mark = (): void => void (settled = true);
    promise.then(mark, mark);
    if (!(await this.runUntil(() => settled, limit))) throw new Error(`not settled within ${limit} virtual ms`);
    return promise;
  }

  private push(sleeper: Sleeper): void {
    const { heap } = this;
    let i = heap.push(sleeper) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  private pop(): Sleeper | undefined {
    const { heap } = this;
    for (;;) {
      const top = heap[0];
      if (!top) return undefined;
      const last = heap.pop()!;
      if (heap.length > 0) {
        heap[0] = last;
        let i = 0;
        for (;;) {
          let least = i;
          for (const child of [2 * i + 1, 2 * i + 2]) {
            if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
          }
          if (least === i) break;
          [heap[i], heap[least]] = [heap[least]!, heap[i]!];
          i = least;
        }
      }
      if (!top.cancelled) return top;
    }
  }
}
