/**
 * Finds partitions that may fold, freezes them, has them folded and seals them. Any worker may run it, several at once;
 * the lock row keeps it to one, to save work.
 */
import type { GenerationInputs } from '../../../lib/contracts/documents';
import { HOUR_MS, partitionEnd, partitionOf, partitionStart, type Partition } from '../../../lib/contracts/lake-layout';
import { ConsumerMetric } from '../../../lib/contracts/metrics';
import {
  HEAD_BUCKETS,
  HEADS_PK_PREFIX,
  PARTITION_SK,
  partitionHour,
  partitionPk,
  SEGMENT_SK_PREFIX,
  UNFOLDED_INDEX_RANGE,
  type PartitionItem,
} from '../../../lib/contracts/registry';
import type { UseCase } from '../../../use-cases/define-use-case';
import { parseHead, type Head } from '../append/head';
import { parallel } from '../parallel';
import { partitionAt, type SegmentItem, type TailMark } from '../registry-items';
import { ConditionFailedError, type Item, type Key, type Write } from '../stores/registry-store';
import { completeUntil } from './completeness';
import { freeze, isSuperset, ROWS_PER_BUCKET, readInputs, tailLength, tailOf } from './freeze';
import type { LeaderLock } from './leader-lock';
import { answeredGenerations, answeredTails, partitionItems } from './partition-items';
import { mayFold } from './policy';
import { FoldFailedError, type FoldOutcome } from './runner';
import { seal, unmark } from './seal';
import { MAXIMUM_FAILURES, newTask, reportParked, type FoldTaskDependencies, type TaskItem } from './tasks';

export interface FoldCoordinatorDependencies extends FoldTaskDependencies {
  readonly lock: LeaderLock;
  readonly useCases: readonly UseCase[];
  /** In place of every use case's own lateness, milliseconds. */
  readonly lateness?: number;
  /** @default 2,000,000 readings for one fold task */
  readonly rowsPerBucket?: number;
}

/** Partitions folded in one tick: the lock is renewed and the heads are read anew in between. */
const PARTITIONS_PER_TICK = 400;
const PARALLEL_PARTITIONS = 12;
const INDEX_PAGE = 1000;
/** Partition items read in one request, shortly before their segments. */
const PARTITIONS_PER_READ = 25;
/** A partition that failed is not looked at again for this long; a parked one for longer. Milliseconds. */
const RETRY_AFTER_MS = 5_000;
const PARKED_RETRY_AFTER_MS = 60_000;
/** So is one that only another build may fold. */
const REFUSED_RETRY_AFTER_MS = 60_000;

function arrivals(items: readonly { readonly oldestArrival: number; readonly newestArrival: number }[]): {
  oldestArrival: number;
  newestArrival: number;
} {
  return {
    oldestArrival: items.reduce((least, { oldestArrival }) => Math.min(least, oldestArrival), Infinity),
    newestArrival: items.reduce((most, { newestArrival }) => Math.max(most, newestArrival), -Infinity),
  };
}

export class FoldCoordinator {
  /** Partition key → when (monotonic milliseconds) it may be looked at again. */
  private readonly resting = new Map<string, number>();
  /**
   * By partition key, those whose tasks this worker waits for. A seal of a newer generation, sent before the tasks were
   * made, may land after them: then the index names the partition no more, and nobody else would take the tasks away.
   */
  private readonly awaited = new Map<string, Partition>();

  constructor(private readonly dependencies: FoldCoordinatorDependencies) {}

  /** One look at everything. True = there was more than one tick takes, look again at once. */
  async tick(): Promise<boolean> {
    if (!(await this.dependencies.lock.hold())) return false;
    // The heads before the registry: what they promise to be committed must be in what is read next.
    const until = completeUntil(await this.readHeads());
    if (until === -Infinity) return false;
    let more = false;
    for (const useCase of this.dependencies.useCases) {
      const candidates = await this.candidates(useCase, until);
      more ||= candidates.length >= PARTITIONS_PER_TICK;
      const partitions = [...candidates, ...this.alsoAwaited(useCase, candidates)];
      const groups: Partition[][] = [];
      for (let at = 0; at < partitions.length; at += PARTITIONS_PER_READ) {
        groups.push(partitions.slice(at, at + PARTITIONS_PER_READ));
      }
      for (const group of groups) await this.foldGroup(useCase, group, until);
    }
    return more;
  }

  private async readHeads(): Promise<Head[]> {
    const buckets = Array.from({ length: HEAD_BUCKETS }, (_, bucket) => `${HEADS_PK_PREFIX}${bucket}`);
    const items = await Promise.all(buckets.map((pk) => this.dependencies.registry.query(pk)));
    return items.flat().map(parseHead);
  }

  private latenessOf(useCase: UseCase): number {
    return this.dependencies.lateness ?? useCase.partition.latenessMs;
  }

  /** Partitions that the index says may fold; it may be behind, so each is judged again by consistent reads. */
  private async candidates(useCase: UseCase, until: number): Promise<Partition[]> {
    const lateness = this.latenessOf(useCase);
    const open = partitionHour(partitionOf(useCase.name, Math.max(0, until - lateness)));
    const found: Partition[] = [];
    let after: string | undefined;
    while (found.length < PARTITIONS_PER_TICK) {
      const page = await this.dependencies.registry.unfolded({
        hash: useCase.name,
        before: open,
        limit: INDEX_PAGE,
        ...(after === undefined ? {} : { after }),
      });
      const hours = new Map<string, (SegmentItem | TailMark)[]>();
      for (const item of page) {
        const hour = item[UNFOLDED_INDEX_RANGE] as string;
        hours.set(hour, [...(hours.get(hour) ?? []), item as unknown as SegmentItem]);
      }
      const whole = page.length < INDEX_PAGE;
      for (const [hour, items] of hours) {
        const partition = partitionAt(useCase.name, hour);
        after = hour;
        if (this.isResting(partition)) continue;
        const question = {
          completeUntil: until,
          hourEnd: partitionEnd(partition),
          lateness,
          generation: 1,
          ...arrivals(items),
        };
        const cutOff = !whole && hour === page.at(-1)![UNFOLDED_INDEX_RANGE];
        const holdsSegments = items.some(({ sk }) => sk.startsWith(SEGMENT_SK_PREFIX));
        if (cutOff || !holdsSegments || mayFold(question)) found.push(partition);
      }
      if (whole) break;
    }
    return found.slice(0, PARTITIONS_PER_TICK);
  }

  private alsoAwaited({ name }: UseCase, candidates: readonly Partition[]): Partition[] {
    const named = new Set(candidates.map(partitionPk));
    return [...this.awaited.values()].filter(
      (partition) => partition.useCase === name && !named.has(partitionPk(partition)) && !this.isResting(partition),
    );
  }

  private isResting(partition: Partition): boolean {
    const until = this.resting.get(partitionPk(partition));
    if (until === undefined) return false;
    if (this.dependencies.clock.monotonic() < until) return true;
    this.resting.delete(partitionPk(partition));
    return false;
  }

  private rest(partition: Partition, ms: number): void {
    this.resting.set(partitionPk(partition), this.dependencies.clock.monotonic() + ms);
  }

  private async foldGroup(useCase: UseCase, group: readonly Partition[], until: number): Promise<void> {
    const { registry, log } = this.dependencies;
    // The newest generation is read before the segments: the set frozen as the next one is then never an older one.
    const items = await registry.getMany(group.map((partition) => ({ pk: partitionPk(partition), sk: PARTITION_SK })));
    const sealed = new Map(items.map((item) => [item.pk, (item as unknown as PartitionItem).generation ?? 0]));
    await parallel(group, PARALLEL_PARTITIONS, async (partition) => {
      try {
        await this.foldPartition(useCase, partition, sealed.get(partitionPk(partition)) ?? 0, until);
      } catch (error) {
        this.rest(partition, RETRY_AFTER_MS);
        const { name, message } = error as Error;
        log('warn', 'a partition could not be folded now', {
          partition: partitionPk(partition),
          error: `${name}: ${message}`,
        });
      }
    });
  }

  private async foldPartition(useCase: UseCase, partition: Partition, sealed: number, until: number): Promise<void> {
    const { registry, objects, codeVersion, clock } = this.dependencies;
    const { segments, marks, requests, opened, tasks } = partitionItems(await registry.query(partitionPk(partition)));
    const overtaken = tasks.filter(({ generation }) => generation <= sealed);
    const waiting = segments.filter(({ unfolded }) => unfolded !== undefined);
    // Asked of any build but the one that made what is to be replaced: this one may be what a deploy takes away.
    const refolds = requests.filter(({ replaces }) => replaces !== codeVersion);
    const unsealed = opened.filter(({ generation }) => generation > sealed);
    if (waiting.length + marks.length + refolds.length + opened.length === 0) {
      if (requests.length > 0) this.rest(partition, REFUSED_RETRY_AFTER_MS);
      return this.settle(partition, overtaken);
    }
    if (segments.length === 0) return this.remove([...marks, ...refolds, ...opened]);
    const previous = sealed === 0 ? undefined : await readInputs(objects, partition, sealed);
    if (previous !== undefined && isSuperset(previous.segments, waiting)) {
      // Sealed, but its worker died before the marks were gone; or only the hour before has changed.
      if (waiting.length > 0) await this.inTransactions(unmark(previous));
      const tail = await this.tailSegments(useCase, partition);
      if (isSuperset(previous.tailSegments, tail) && refolds.length + unsealed.length === 0)
        return this.settle(partition, [...marks, ...opened, ...overtaken]);
    }
    const question = { completeUntil: until, hourEnd: partitionEnd(partition), lateness: this.latenessOf(useCase) };
    const since = arrivals(waiting.length > 0 ? waiting : marks);
    if (!mayFold({ ...question, generation: sealed + 1, ...since })) return;
    const tailSegments = await this.tailSegments(useCase, partition);
    const frozen = await freeze(objects, registry, {
      partition,
      sealed,
      previous,
      codeVersion,
      rowsPerBucket: this.dependencies.rowsPerBucket ?? ROWS_PER_BUCKET,
      segments,
      tailSegments,
    });
    if (frozen === undefined) return;
    const outcomes = await this.foldBuckets(frozen.inputs, tasks, partition);
    if (outcomes === undefined) {
      this.awaited.set(partitionPk(partition), partition);
      return;
    }
    const known = new Set(previous?.segments.map(({ key }) => key));
    const inputKeys = new Set(frozen.inputs.segments.map(({ key }) => key));
    const brought = segments.filter(({ key }) => inputKeys.has(key) && !known.has(key));
    const registered = await seal(objects, registry, {
      inputs: frozen.inputs,
      outcomes,
      answered: [
        ...answeredTails(frozen, marks),
        ...answeredGenerations(partition, sealed, frozen.inputs.generation, opened),
        ...refolds,
        ...tasks,
      ],
      marksNextHour: tailOf(partition, brought, tailLength(useCase.windows)).length > 0,
      completeUntil: until,
      now: clock.now(),
    });
    this.awaited.delete(partitionPk(partition));
    if (!registered) return;
    this.dependencies.metrics(ConsumerMetric.partitionsSealed, 1);
    this.dependencies.log('info', 'partition sealed', {
      useCase: useCase.name,
      hour: partitionHour(partition),
      generation: frozen.inputs.generation,
    });
  }

  private async tailSegments(useCase: UseCase, partition: Partition): Promise<SegmentItem[]> {
    const tail = tailLength(useCase.windows);
    if (tail === 0) return [];
    const before = partitionOf(partition.useCase, partitionStart(partition) - HOUR_MS);
    const items = await this.dependencies.registry.query(partitionPk(before), SEGMENT_SK_PREFIX);
    return tailOf(before, items as unknown as SegmentItem[], tail);
  }

  /** One bucket is folded here and now; several become tasks that any worker claims. Undefined = not all are done. */
  private async foldBuckets(
    inputs: GenerationInputs,
    tasks: readonly TaskItem[],
    partition: Partition,
  ): Promise<FoldOutcome[] | undefined> {
    const mine = tasks.filter(({ generation }) => generation === inputs.generation);
    if (mine.some(({ state }) => state === 'parked')) {
      this.rest(partition, PARKED_RETRY_AFTER_MS);
      return undefined;
    }
    if (inputs.buckets === 1) return [await this.foldHere(inputs, mine[0])];
    const byBucket = new Map(mine.map((task) => [task.bucket, task]));
    for (let bucket = 0; bucket < inputs.buckets; bucket++) {
      if (!byBucket.has(bucket)) await this.createTask(newTask(inputs, bucket, true));
    }
    const outcomes = mine.filter(({ state }) => state === 'done').sort((a, b) => a.bucket - b.bucket);
    return outcomes.length === inputs.buckets ? outcomes.map(({ outcome }) => outcome!) : undefined;
  }

  private async createTask(task: Item): Promise<void> {
    try {
      await this.dependencies.registry.write({ put: task, condition: [[{ path: 'pk', absent: true }]] });
    } catch (error) {
      if (!(error instanceof ConditionFailedError)) throw error;
    }
  }

  /** A task item is written only when the fold failed, so that failures are counted across workers. */
  private async foldHere(inputs: GenerationInputs, failed: TaskItem | undefined): Promise<FoldOutcome> {
    try {
      return await this.dependencies.runner.run({ inputs, bucket: 0 });
    } catch (error) {
      if (!(error instanceof FoldFailedError)) throw error;
      const failures = (failed?.failures ?? 0) + 1;
      const parked = failures >= MAXIMUM_FAILURES;
      const task = { ...newTask(inputs, 0, false), failures, state: parked ? 'parked' : 'open' };
      await this.dependencies.registry.write({ put: task });
      if (parked) reportParked(this.dependencies, task as unknown as TaskItem, error.message);
      throw error;
    }
  }

  /** Nothing of the partition is left to be done. */
  private async settle(partition: Partition, items: readonly Key[]): Promise<void> {
    await this.remove(items);
    this.awaited.delete(partitionPk(partition));
  }

  private async remove(items: readonly Key[]): Promise<void> {
    await this.inTransactions(items.map(({ pk, sk }): Write => ({ delete: { pk, sk } })));
  }

  private async inTransactions(writes: readonly Write[]): Promise<void> {
    for (let at = 0; at < writes.length; at += 100)
      await this.dependencies.registry.transact(writes.slice(at, at + 100));
  }
}
