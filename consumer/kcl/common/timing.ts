/** Waiting, by the injected clock only. */
import type { Clock } from '../dependencies';
import { RequestTimeoutError } from './errors';

/**
 * Runs a request with a time limit. The request is told by its signal; its late outcome is ignored.
 * @throws RequestTimeoutError when `millis` passed first
 */
export function withTimeout<T>(
  clock: Clock,
  millis: number,
  what: string,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abandon = new AbortController();
    const answered = request(abandon.signal);
    const cancel = clock.after(millis, () => {
      abandon.abort();
      reject(new RequestTimeoutError(`${what} gave no answer within ${millis} ms`));
    });
    answered.then(
      (answer) => {
        cancel();
        resolve(answer);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** Exponential backoff with full jitter on the upper half: attempt 0 waits base/2…base. */
export function backoffMillis(attempt: number, baseMillis: number, maxMillis: number, random: () => number): number {
  const ceiling = Math.min(maxMillis, baseMillis * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random();
}

/** A sleep that another part of the program can end early; a wake before the sleep is not lost. */
export class Wakeup {
  private controller = new AbortController();

  constructor(private readonly clock: Clock) {}

  wake(): void {
    this.controller.abort('woken');
  }

  async sleep(millis: number): Promise<void> {
    await this.clock.sleep(millis, this.controller.signal);
    if (this.controller.signal.aborted) this.controller = new AbortController();
  }
}

/** Runs one task at a time, in the order of the calls. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task);
    this.tail = result.catch(() => undefined);
    return result;
  }
}

/** Calls `task` for every item, at most `limit` at a time. The first error is thrown after all have settled. */
export async function forEachConcurrent<T>(
  items: readonly T[],
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: Math.min(limit, items.length) }, async () => {
    while (next < items.length) await task(items[next++] as T);
  });
  for (const lane of await Promise.allSettled(lanes)) if (lane.status === 'rejected') throw lane.reason;
}
