/** What the failover benchmark and its workers tell each other. */
import type { SchedulerConfigInput } from '../../consumer/kcl';

/** Given to a worker as its only argument, in JSON. */
export type WorkerConfig = SchedulerConfigInput & {
  /** As of an application that writes a file now and then. */
  readonly checkpointIntervalMillis: number;
};

/** Over the worker's IPC channel. Times are epoch milliseconds; all processes are on one machine. */
export type FromWorker =
  | { readonly type: 'status'; readonly heldLeases: number; readonly isLeader: boolean }
  /** A batch was processed. */
  | {
      readonly type: 'batch';
      readonly shardId: string;
      readonly at: number;
      readonly sequenceNumbers: readonly string[];
    };
