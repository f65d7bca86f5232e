/** What the scenario does with a fleet, whether its workers run this library or are a model of KCL's. */
import type { Meter } from './meter';

export interface FleetSize {
  readonly shards: number;
  /** At the start; the CPU of a worker that reads shards / workers of them is half busy. */
  readonly workers: number;
}

export interface Shares {
  /** Leases in the hands of nobody, or of a worker that is gone. */
  readonly unread: number;
  /** Leases of each worker alive. */
  readonly leases: readonly number[];
}

export interface SimulatedFleet {
  readonly meter: Meter;
  /** Leases that went from one owner to another, so far. */
  readonly moved: number;
  start(count: number): void;
  /** kill -9 of workers that are not the leader. */
  kill(count: number): void;
  /** Lets virtual milliseconds pass. */
  run(millis: number): Promise<void>;
  shares(): Shares;
}

/** Every shard has the same load. */
export const KBPS_PER_SHARD = 100;
/** CPU in percent of a worker that reads as much as each does at the start. Who reads more is busier by as much: none is modelled to saturate. */
export const CPU_AT_START = 50;
export const BATCH_MILLIS = 500;

export const shardIdOf = (index: number): string => `shardId-${String(index).padStart(12, '0')}`;
