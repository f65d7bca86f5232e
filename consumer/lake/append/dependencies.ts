/** What an append log works with. */
import type { Clock, Log, Metrics } from '../clock';
import type { MemoryBudget } from '../memory-budget';
import type { ObjectStore } from '../stores/object-store';
import type { RegistryStore } from '../stores/registry-store';

export interface ShardLogDependencies {
  readonly registry: RegistryStore;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly budget: MemoryBudget;
  /** The build, and whatever setting changes what it makes of a record. */
  readonly codeVersion: string;
  /** A batch is cut at this many buffered bytes … */
  readonly flushBytes: number;
  /** … or this long after its first record was read, milliseconds. */
  readonly flushInterval: number;
}
