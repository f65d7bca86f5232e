/**
 * Fold tasks in the registry: a task is claimed as a lease is, by a counter that another worker watches. The claim only
 * saves work; two workers on one task write the same part.
 */
import type { GenerationInputs } from '../../../lib/contracts/documents';
import {
  PARTITION_SK,
  partitionHour,
  partitionPk,
  TASK_SK_PREFIX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
  type PartitionItem,
} from '../../../lib/contracts/registry';
import { ConsumerMetric } from '../../../lib/contracts/metrics';
import type { Clock, Log, Metrics } from '../clock';
import { partitionAt, TASKS_HASH } from '../registry-items';
import type { ObjectStore } from '../stores/object-store';
import { ConditionFailedError, type Item, type Key, type RegistryStore, type Test } from '../stores/registry-store';
import { readInputs } from './freeze';
import { FoldFailedError, type FoldOutcome, type FoldRunner } from './runner';

export interface TaskItem extends Key {
  readonly useCase: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly generation: number;
  readonly bucket: number;
  readonly state: 'open' | 'done' | 'parked';
  /** Times that a worker began it. */
  readonly attempts: number;
  /** Times that the fold itself failed ({@link FoldFailedError}). */
  readonly failures: number;
  readonly counter: number;
  readonly owner?: string;
  readonly outcome?: FoldOutcome;
}

/** A task that failed this often is set aside with an alarm. */
export const MAXIMUM_FAILURES = 3;
/**
 * One that was begun this often without a word of how it ended may be what kills its workers, and may be innocent:
 * deploys, lost answers and network cuts end attempts too. It is begun ever more rarely, with an alarm each time, so
 * that it neither takes the fleet down nor stays undone once the trouble is over.
 */
const SUSPICIOUS_ATTEMPTS = 10;
/** A claim whose counter stood still for this long is given up for dead, milliseconds. */
const CLAIM_TIMEOUT_MS = 60_000;
const LONGEST_CLAIM_TIMEOUT_MS = 3_600_000;
const HEARTBEAT_MS = 15_000;
const TASKS_PER_LOOK = 100;

/** How long the claim of a task that was begun so often must stand still before it is taken over, milliseconds. */
export function claimTimeout(attempts: number): number {
  const doublings = Math.max(0, attempts - SUSPICIOUS_ATTEMPTS + 1);
  return Math.min(LONGEST_CLAIM_TIMEOUT_MS, CLAIM_TIMEOUT_MS * 2 ** doublings);
}

export function taskKey(inputs: GenerationInputs, bucket: number): Key {
  const pk = partitionPk(partitionAt(inputs.useCase, inputs.hour));
  return { pk, sk: `${TASK_SK_PREFIX}${inputs.generation}#${String(bucket).padStart(5, '0')}` };
}

/** `open` tasks stand in the index; a failed small fold is recorded by a task that does not. */
export function newTask(inputs: GenerationInputs, bucket: number, shared: boolean): Item {
  const hour = partitionHour(partitionAt(inputs.useCase, inputs.hour));
  return {
    ...taskKey(inputs, bucket),
    useCase: inputs.useCase,
    hour,
    generation: inputs.generation,
    bucket,
    state: 'open',
    attempts: 0,
    failures: 0,
    counter: 0,
    ...(shared ? { [UNFOLDED_INDEX_HASH]: TASKS_HASH, [UNFOLDED_INDEX_RANGE]: hour } : {}),
  };
}

export interface FoldTaskDependencies {
  readonly registry: RegistryStore;
  readonly objects: ObjectStore;
  readonly runner: FoldRunner;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly workerId: string;
  readonly codeVersion: string;
}

export class FoldTaskWorker {
  /** Counters of others' claims, and since when (monotonic milliseconds) each is seen unchanged. */
  private readonly watched = new Map<string, { counter: number; since: number }>();

  constructor(private readonly dependencies: FoldTaskDependencies) {}

  /** Claims and runs at most one task. True = there was one, look again at once. */
  async runOne(): Promise<boolean> {
    const { registry } = this.dependencies;
    const open = await registry.unfolded({ hash: TASKS_HASH, limit: TASKS_PER_LOOK });
    for (const item of open) {
      const seen = item as unknown as TaskItem;
      if (seen.state !== 'open' || !this.isClaimable(seen)) continue;
      if (await this.isSealed(seen)) {
        await registry.write({ delete: { pk: seen.pk, sk: seen.sk } });
        continue;
      }
      const inputs = await readInputs(this.dependencies.objects, partitionAt(seen.useCase, seen.hour), seen.generation);
      if (inputs?.codeVersion !== this.dependencies.codeVersion) continue;
      const claimed = await this.claim(seen);
      if (claimed === undefined) continue;
      await this.work(claimed, inputs);
      return true;
    }
    return false;
  }

  /** A coordinator that was slow may make tasks of a generation after its seal, which nobody would ask for. */
  private async isSealed({ pk, generation }: TaskItem): Promise<boolean> {
    const partition = (await this.dependencies.registry.get({ pk, sk: PARTITION_SK })) as PartitionItem | undefined;
    return (partition?.generation ?? 0) >= generation;
  }

  private isClaimable(task: TaskItem): boolean {
    if (task.owner === undefined) return true;
    const name = `${task.pk}/${task.sk}`;
    const now = this.dependencies.clock.monotonic();
    const watch = this.watched.get(name);
    if (watch === undefined || watch.counter !== task.counter) {
      this.watched.set(name, { counter: task.counter, since: now });
      return false;
    }
    return now - watch.since >= claimTimeout(task.attempts);
  }

  private async claim(task: TaskItem): Promise<TaskItem | undefined> {
    this.watched.delete(`${task.pk}/${task.sk}`);
    const claimed = {
      ...task,
      owner: this.dependencies.workerId,
      counter: task.counter + 1,
      attempts: task.attempts + 1,
    };
    const { owner, counter, attempts } = claimed;
    if (!(await this.update(task, { owner, counter, attempts }, []))) return undefined;
    if (task.attempts >= SUSPICIOUS_ATTEMPTS) {
      const { log, metrics } = this.dependencies;
      metrics(ConsumerMetric.foldTasksParked, 1);
      log('error', 'a fold task may be what ends its workers: they began it and gave no answer', {
        ...labels(task),
        attempts: task.attempts,
        nextAfter: claimTimeout(attempts),
      });
    }
    return claimed;
  }

  private async work(task: TaskItem, inputs: GenerationInputs): Promise<void> {
    let counter = task.counter;
    let running = true;
    const beat = async (): Promise<void> => {
      while (running) {
        await this.dependencies.clock.sleep(HEARTBEAT_MS);
        if (running && (await this.update({ ...task, counter }, { counter: counter + 1 }, []))) counter++;
      }
    };
    void beat().catch(() => undefined);
    let failure: Error | undefined;
    let outcome: FoldOutcome | undefined;
    try {
      outcome = await this.dependencies.runner.run({ inputs, bucket: task.bucket });
    } catch (error) {
      failure = error as Error;
    }
    running = false;
    const current = { ...task, counter };
    if (outcome !== undefined) {
      // Whoever holds the claim by now comes to the same outcome.
      const anyCounter = { ...current, counter: undefined };
      await this.update(anyCounter, { state: 'done', outcome }, ['owner', UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE]);
      return;
    }
    const failures = task.failures + (failure instanceof FoldFailedError ? 1 : 0);
    if (failures >= MAXIMUM_FAILURES) return this.park({ ...current, failures }, failure!.message);
    this.dependencies.log('warn', 'a fold task failed and will be tried again', {
      ...labels(task),
      error: failure!.message,
    });
    await this.update(current, { counter: counter + 1, attempts: task.attempts - 1, failures }, ['owner']);
  }

  private async park(task: TaskItem, reason: string): Promise<void> {
    const parked = await this.update(task, { state: 'parked' }, ['owner', UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE]);
    if (parked) reportParked(this.dependencies, task, reason);
  }

  /** False where somebody else moved the task. Without a counter, whoever holds the claim. */
  private async update(
    { pk, sk, counter }: Key & { readonly counter: number | undefined },
    set: Record<string, unknown>,
    remove: string[],
  ): Promise<boolean> {
    const tests: Test[] = [{ path: 'state', equals: 'open' }];
    if (counter !== undefined) tests.push({ path: 'counter', equals: counter });
    try {
      await this.dependencies.registry.write({ update: { pk, sk }, set, remove, condition: [tests] });
      return true;
    } catch (error) {
      if (error instanceof ConditionFailedError) return false;
      throw error;
    }
  }
}

function labels(task: TaskItem): Record<string, unknown> {
  return { useCase: task.useCase, hour: task.hour, generation: task.generation, bucket: task.bucket };
}

export function reportParked({ log, metrics }: { log: Log; metrics: Metrics }, task: TaskItem, reason: string): void {
  metrics(ConsumerMetric.foldTasksParked, 1);
  log('error', 'a fold task failed again and again and is parked; a new build folds the partition anew', {
    ...labels(task),
    error: reason,
  });
}
