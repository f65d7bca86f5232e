/** What the worker and its renewer thread say to each other, and the memory they share. */
import type { LogFields, LogLevel, MetricDimension, MetricUnit } from '../dependencies';
import type { Lease } from '../leases/lease';
import type { LeaseHolderSettings, LeaseTimes } from '../leases/lease-holder';
import type { LeaseChange } from '../leases/lease-serializer';

export interface ThreadData {
  readonly settings: LeaseHolderSettings;
}

interface Held {
  readonly leaseKey: string;
  readonly token: string;
}

export type ToThread =
  | (Held & { readonly type: 'hold'; readonly lease: Lease; readonly times: SharedArrayBuffer })
  | (Held & { readonly type: 'update'; readonly id: number; readonly change: LeaseChange })
  | (Held & { readonly type: 'evict'; readonly id: number })
  | (Held & { readonly type: 'drop' })
  | { readonly type: 'observe'; readonly rows: readonly Lease[] }
  | { readonly type: 'stop' };

/** What one scope measured. */
export interface Measured {
  readonly operation: string;
  readonly dimensions: readonly (readonly [MetricDimension, string])[];
  readonly values: readonly (readonly [string, number, MetricUnit])[];
}

export type FromThread =
  | { readonly type: 'ready' }
  | (Held & { readonly type: 'lost' })
  | (Held & { readonly type: 'handoff'; readonly lease: Lease })
  | { readonly type: 'done'; readonly id: number; readonly lease: Lease | undefined }
  | { readonly type: 'failed'; readonly id: number; readonly name: string; readonly message: string }
  | (Measured & { readonly type: 'measured' })
  | { readonly type: 'log'; readonly level: LogLevel; readonly event: string; readonly fields: LogFields | undefined };

/** A lease's times in memory that both threads see, in whole microseconds, and its bytes: 64-bit integers are read and written whole. */
export class SharedTimes implements LeaseTimes {
  private readonly cells: BigInt64Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(24)) {
    this.cells = new BigInt64Array(buffer);
  }

  get confirmedAt(): number {
    return Number(Atomics.load(this.cells, 0)) / 1_000;
  }

  set confirmedAt(millis: number) {
    Atomics.store(this.cells, 0, BigInt(Math.floor(millis * 1_000)));
  }

  get aliveAt(): number {
    return Number(Atomics.load(this.cells, 1)) / 1_000;
  }

  set aliveAt(millis: number) {
    Atomics.store(this.cells, 1, BigInt(Math.floor(millis * 1_000)));
  }

  get bytes(): number {
    return Number(Atomics.load(this.cells, 2));
  }

  set bytes(bytes: number) {
    Atomics.store(this.cells, 2, BigInt(bytes));
  }
}
