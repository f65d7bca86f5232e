/**
 * Which objects of the bucket were committed, told from their names and metadata alone. Pure.
 *
 * The objects of one commit say how many they are, so a range whose objects are all there is whole. Intents that were
 * given up leave objects too: whole or not, they begin where a committed range begins. What a generation was frozen from
 * was committed, whole or not by now (quarantine and readings expire apart), and the next generation must hold it too; so
 * of two claims to one place the one that leads over more of that is taken. Where that decides nothing, any chain of whole
 * ranges holds each record once, and the one that reaches furthest is taken.
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
  /** Ranges that another stands for, or that are not whole and not known to be committed. */
  readonly leftOut: readonly ObjectRange[];
  /** Places where nothing whole follows, though later ranges are there: what expired, or was deleted. */
  readonly holes: readonly { readonly after: PositionText; readonly before: PositionText }[];
}

function compare(a: PositionText, b: PositionText): number {
  const [left, right] = [parsePosition(a), parsePosition(b)];
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined);
  return comparePositions(left, right);
}

export function isWhole({ objects, expected }: ObjectRange): boolean {
  return objects.length === expected;
}

/**
 * @param ranges Of one shard.
 * @param frozen Keys of segments that generations were made of.
 */
export function chainOf(ranges: readonly ObjectRange[], frozen: ReadonlySet<string>): Chain {
  const isFrozen = ({ objects }: ObjectRange): boolean => objects.some(({ key }) => frozen.has(key));
  const candidates = ranges.filter((range) => isWhole(range) || isFrozen(range));
  const byStart = new Map<PositionText, ObjectRange[]>();
  for (const range of candidates) byStart.set(range.start, [...(byStart.get(range.start) ?? []), range]);

  // From the end backwards: where each range's best followers lead, and over how many that are known to be committed.
  const lead = new Map<ObjectRange, { frozen: number; end: PositionText }>();
  const best = (claims: readonly ObjectRange[]): ObjectRange | undefined =>
    [...claims].sort((a, b) => {
      const [left, right] = [lead.get(a)!, lead.get(b)!];
      return right.frozen - left.frozen || compare(right.end, left.end) || (a.name < b.name ? -1 : 1);
    })[0];
  for (const range of [...candidates].sort((a, b) => compare(b.end, a.end) || compare(b.start, a.start))) {
    const next = best(byStart.get(range.end) ?? []);
    const after = next === undefined ? { frozen: 0, end: range.end } : lead.get(next)!;
    lead.set(range, { ...after, frozen: after.frozen + Number(isFrozen(range)) });
  }

  const chain: ObjectRange[] = [];
  const holes: { after: PositionText; before: PositionText }[] = [];
  const starts = [...byStart.keys()].sort(compare);
  let at = starts[0];
  while (at !== undefined) {
    const range = best(byStart.get(at)!)!;
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
