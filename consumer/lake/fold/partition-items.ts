/** What stands under one partition key of the registry, and what of it a generation answers. */
import type { Partition } from '../../../lib/contracts/lake-layout';
import { SEGMENT_SK_PREFIX, TASK_SK_PREFIX } from '../../../lib/contracts/registry';
import {
  GENERATION_SK_PREFIX,
  generationMark,
  REFOLD_SK,
  TAIL_SK_PREFIX,
  type GenerationMark,
  type RefoldRequest,
  type SegmentItem,
  type TailMark,
} from '../registry-items';
import type { Item, Key } from '../stores/registry-store';
import type { Frozen } from './freeze';
import type { TaskItem } from './tasks';

export interface PartitionItems {
  readonly segments: readonly SegmentItem[];
  readonly marks: readonly TailMark[];
  readonly requests: readonly RefoldRequest[];
  readonly opened: readonly GenerationMark[];
  readonly tasks: readonly TaskItem[];
}

/** By kind, of all items under the key. */
export function partitionItems(items: readonly Item[]): PartitionItems {
  const of = <Kind>(prefix: string): Kind[] => items.filter(({ sk }) => sk.startsWith(prefix)) as unknown as Kind[];
  return {
    segments: of(SEGMENT_SK_PREFIX),
    marks: of(TAIL_SK_PREFIX),
    requests: of(REFOLD_SK),
    opened: of(GENERATION_SK_PREFIX),
    tasks: of(TASK_SK_PREFIX),
  };
}

/** Marks that were read before a tail that this worker froze are answered by it; of another's freeze that is not known. */
export function answeredTails(frozen: Frozen, marks: readonly TailMark[]): readonly TailMark[] {
  return frozen.fresh ? marks : [];
}

/** The marks up to the generation that is sealed: those that were read, and what the freeze wrote. */
export function answeredGenerations(
  partition: Partition,
  sealed: number,
  generation: number,
  opened: readonly GenerationMark[],
): Key[] {
  const answered = opened.filter((mark) => mark.generation <= generation);
  for (let between = sealed + 2; between <= generation; between++) {
    if (!opened.some((mark) => mark.generation === between)) answered.push(generationMark(partition, between));
  }
  return answered;
}
