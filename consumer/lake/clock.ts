/** Time for the lake; the consumer's real one and the simulator's virtual one. */
export interface Clock {
  /** Epoch milliseconds. Never decides what is true, only when something is tried. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
  sleep(ms: number): Promise<void>;
}

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', event: string, fields?: object) => void;

/** Adds to a count under a CloudWatch metric name (lib/contracts/metrics). */
export type Metrics = (name: string, value: number) => void;
