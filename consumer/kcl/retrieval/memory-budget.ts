/** Bytes of record data that the worker may hold at once, over all shards. First come, first served. */

/** Most that one GetRecords response can hold. */
export const MAX_RESPONSE_BYTES = 10 * 1024 * 1024;

export interface Reservation {
  /** Gives back all but `bytes`. */
  shrink(bytes: number): void;
  /** Gives back the rest; more than once is harmless. */
  release(): void;
}

export class MemoryBudget {
  private used = 0;
  private readonly waiting: { readonly bytes: number; grant: (reservation: Reservation) => void }[] = [];

  /** @param limit at least {@link MAX_RESPONSE_BYTES}, or a reservation of that size would wait for ever */
  constructor(private readonly limit: number) {}

  get bytesInUse(): number {
    return this.used;
  }

  /** @returns undefined when the signal aborted before there was room */
  reserve(bytes: number, signal: AbortSignal): Promise<Reservation | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const entry = {
        bytes,
        grant: (reservation: Reservation) => {
          signal.removeEventListener('abort', abandon);
          resolve(reservation);
        },
      };
      const abandon = (): void => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        resolve(undefined);
        this.admit();
      };
      signal.addEventListener('abort', abandon, { once: true });
      this.waiting.push(entry);
      this.admit();
    });
  }

  private admit(): void {
    for (let first = this.waiting[0]; first && this.used + first.bytes <= this.limit; first = this.waiting[0]) {
      this.waiting.shift();
      first.grant(this.reservation(first.bytes));
    }
  }

  private reservation(bytes: number): Reservation {
    let held = bytes;
    this.used += bytes;
    const reduceTo = (rest: number): void => {
      if (rest >= held) return;
      this.used -= held - rest;
      held = rest;
      this.admit();
    };
    return { shrink: reduceTo, release: () => reduceTo(0) };
  }
}
