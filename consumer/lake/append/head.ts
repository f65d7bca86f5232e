/**
 * The head item of a shard: the one place that says how far the shard's log is committed. Leases only decide who
 * works; every append is conditional on this item alone (docs/architecture.md, "Append").
 */
import { headKey } from '../../../lib/contracts/registry';
import type { RowGroupRange } from '../../../lib/contracts/documents';
import type { PositionText } from '../position';
import type { Condition, Item, RegistryStore, Write } from '../stores/registry-store';

/** A segment as the intent fixes it. */
export interface PendingSegment {
  readonly useCase: string;
  /** `<dt>T<hour>` of the event times. */
  readonly hour: string;
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly contentHash: string;
  readonly rowGroups: readonly RowGroupRange[];
  readonly oldestArrival: number;
  readonly newestArrival: number;
  readonly newestEvent: number;
}

export interface PendingQuarantine {
  readonly key: string;
  readonly entries: number;
  readonly contentHash: string;
}

export type CountsByUseCase = Readonly<Record<string, { readonly readings: number; readonly quarantined: number }>>;

/** An intent: what one commit will hold, decided before any object is written. */
export interface Pending {
  readonly id: string;
  readonly start: PositionText;
  readonly end: PositionText;
  /** The record of `end` has further elements after it. */
  readonly partial: boolean;
  /** Sequence number of the range's first record: if the stream begins later now, the range cannot be read again. */
  readonly first: string;
  readonly codeVersion: string;
  /** Arrival time up to which the shard is committed once this is, epoch milliseconds. */
  readonly progress: number;
  readonly records: number;
  readonly byUseCase: CountsByUseCase;
  readonly segments: readonly PendingSegment[];
  readonly quarantine: readonly PendingQuarantine[];
  /** Records before `first` may have been trimmed unread. */
  readonly gap: boolean;
}

export interface Head {
  readonly shardId: string;
  readonly end: PositionText;
  readonly partial: boolean;
  /** Everything that arrived before this is committed, epoch milliseconds; 0 = nothing is known. */
  readonly progress: number;
  /**
   * Arrival time, epoch milliseconds, from which on the shard was to be read when its head was made: see
   * {@link import('./stream-gap').firstArrival}. Absent where that is not known.
   */
  readonly since?: number;
  /** Inclusive, decimal. */
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  /** Shard end is committed. */
  readonly finished: boolean;
  readonly pending?: Pending;
}

export function headItem(head: Head): Item {
  return { ...headKey(head.shardId), ...head };
}

export function parseHead(item: Item): Head {
  const { shardId, end, partial, progress, since, startingHashKey, endingHashKey, finished, pending } =
    item as unknown as Head;
  return { shardId, end, partial, progress, since, startingHashKey, endingHashKey, finished, pending };
}

/** The shard's head; created where there is none. Two workers that create it see one result. */
export async function openHead(registry: RegistryStore, shardId: string, create: () => Promise<Head>): Promise<Head> {
  const key = headKey(shardId);
  const existing = await registry.get(key);
  if (existing !== undefined) return parseHead(existing);
  const created = await create();
  try {
    await registry.write({ put: headItem(created), condition: [[{ path: 'pk', absent: true }]] });
  } catch (error) {
    const winner = await registry.get(key);
    if (winner === undefined) throw error;
    return parseHead(winner);
  }
  return created;
}

/** `end = start AND (no pending OR pending is mine)`; or, to take the place of a stale intent, `pending is that one`. */
export function intentWrite(shardId: string, pending: Pending, replaces: string | undefined): Write {
  const unmoved = { path: 'end', equals: pending.start } as const;
  const condition: Condition =
    replaces === undefined
      ? [
          [unmoved, { path: 'pending', absent: true }],
          [unmoved, { path: 'pending.id', equals: pending.id }],
        ]
      : [
          [unmoved, { path: 'pending.id', equals: replaces }],
          [unmoved, { path: 'pending.id', equals: pending.id }],
        ];
  return { update: headKey(shardId), set: { pending }, condition };
}

/** `end = start AND pending is mine`: the range becomes part of the log. */
export function commitWrite(shardId: string, pending: Pending, progress: number): Write {
  return {
    update: headKey(shardId),
    set: { end: pending.end, partial: pending.partial, progress: Math.max(progress, pending.progress) },
    remove: ['pending'],
    condition: [
      [
        { path: 'end', equals: pending.start },
        { path: 'pending.id', equals: pending.id },
      ],
    ],
  };
}

/** Takes an intent away whose range can be read no more: `end` stays, what follows is a gap. */
export function dropIntentWrite(shardId: string, pending: Pending): Write {
  return {
    update: headKey(shardId),
    remove: ['pending'],
    condition: [
      [
        { path: 'end', equals: pending.start },
        { path: 'pending.id', equals: pending.id },
      ],
    ],
  };
}

/** Progress of an idle shard, which holds whoever says it: nothing between `end` and the service's `time` is unread. */
export function idleWrite(shardId: string, end: PositionText, time: number): Write {
  return {
    update: headKey(shardId),
    set: { progress: time },
    condition: [
      [
        { path: 'end', equals: end },
        { path: 'pending', absent: true },
        { path: 'progress', lessThan: time },
      ],
    ],
  };
}

/** Shard end: nothing follows `end`. */
export function finishWrite(shardId: string, end: PositionText): Write {
  return {
    update: headKey(shardId),
    set: { finished: true },
    condition: [
      [
        { path: 'end', equals: end },
        { path: 'pending', absent: true },
      ],
    ],
  };
}
