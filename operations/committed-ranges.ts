/**
 * Which objects of the bucket were committed, told from their names and metadata alone. Pure.
 *
 * The objects of one commit say how many they are, so a range whose objects are all there is whole. Intents that were
 * given up leave objects too: whole or not, they begin where a committed range begins. Any chain of whole ranges holds
 * each record once, whichever of two equal claims it takes, so the chain that reaches furthest is taken.
 */
import { comparePositions, parsePosition, type PositionText } from '../consumer/lake/position';

/** Metadata of an object under readings/ or quarantine/, as the append writes it. */
export interface CommittedObject {
  readonly key: string;
  readonly bytes: number;
  readonly contentHash: string;
  /** Readings of a segment, entries of a quarantine object. */
  readonly rows: number;
}

/** Objects of one intent. */
export interface ObjectRange {
  readonly shardId: string;
  /** `<shard>-<start>-<end>-<id>` */
  readonly name: string;
  readonly start: PositionText;
  readonly end: PositionText;
  readonly partial: boolean;
  readonly records: number;
  /** Newest arrival in the range, epoch milliseconds. */
  readonly progress: number;
  /** Objects that the intent had. */
  readonly expected: number;
  readonly objects: readonly CommittedObject[];
}

export interface Chain {
  readonly ranges: readonly ObjectRange[];
  /** Ranges that are not whole, or that another stands for. */
  readonly leftOut: readonly ObjectRange[];
  /** Places where nothing whole follows, though later ranges are there: what expired, or was deleted. */
  readonly holes: readonly { readonly after: PositionText; readonly before: PositionText }[];
}

function compare(a: PositionText, b: PositionText): number {
  const [left, right] = [parsePosition(a), parsePosition(b)];
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined);
  return comparePositions(left, right);
}

/** @param ranges Of one shard. */
export function chainOf(ranges: readonly ObjectRange[]): Chain {
  const whole = ranges.filter(({ objects, expected }) => objects.length === expected);
  const byStart = new Map<PositionText, ObjectRange[]>();
  for (const range of whole) byStart.set(range.start, [...(byStart.get(range.start) ?? []), range]);

  // From the end backwards: the furthest place that each range's followers reach.
  const reach = new Map<ObjectRange, PositionText>();
  const furthest = (candidates: readonly ObjectRange[]): ObjectRange | undefined =>
    [...candidates].sort((a, b) => compare(reach.get(b)!, reach.get(a)!) || (a.name < b.name ? -1 : 1))[0];
  for (const range of [...whole].sort((a, b) => compare(b.end, a.end) || compare(b.start, a.start))) {
    const next = furthest(byStart.get(range.end) ?? []);
    reach.set(range, next === undefined ? range.end : reach.get(next)!);
  }

  const chain: ObjectRange[] = [];
  const holes: { after: PositionText; before: PositionText }[] = [];
  const starts = [...byStart.keys()].sort(compare);
  let at = starts[0];
  while (at !== undefined) {
    const range = furthest(byStart.get(at)!)!;
    chain.push(range);
    if (byStart.has(range.end)) {
      at = range.end;
      continue;
    }
    const later = starts.find((start) => compare(start, range.end) > 0);
    if (later !== undefined) holes.push({ after: range.end, before: later });
    at = later;
  }
  const taken = new Set(chain);
  return { ranges: chain, leftOut: ranges.filter((range) => !taken.has(range)), holes };
}
