/** The shards' logs: heads, ledger and leases must agree, and every range must follow the one before. Pure. */
import type { Head } from '../consumer/lake/append/head';
import { comparePositions, parsePosition } from '../consumer/lake/position';
import type { LedgerItem } from '../lib/contracts/registry';

/** A row of the lease table, as far as it is compared. */
export interface LeaseView {
  readonly shardId: string;
  /** Digits or a sentinel. */
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

export interface ShardReport {
  readonly shardId: string;
  readonly finished: boolean;
  /** Committed ranges. */
  readonly ranges: number;
  readonly records: number;
  readonly readings: number;
  readonly quarantined: number;
  /** Use case → readings. */
  readonly readingsByUseCase: Readonly<Record<string, number>>;
  /** Times that the stream had trimmed data before it was read. */
  readonly gaps: number;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export function verifyShard(head: Head, ledger: readonly LedgerItem[], lease: LeaseView | undefined): ShardReport {
  const problems: string[] = [];
  const notes: string[] = [];
  const ranges = ledger.filter(({ sk }) => !sk.endsWith('#gap'));
  for (let at = 1; at < ranges.length; at++) {
    const { end } = ranges[at - 1]!;
    if (ranges[at]!.start !== end)
      problems.push(`a range begins at ${ranges[at]!.start}; the one before ends at ${end}`);
  }
  const last = ranges.at(-1);
  if (last !== undefined && last.end !== head.end) {
    problems.push(`the last range ends at ${last.end}, the head says ${head.end}`);
  }
  if (last === undefined && parsePosition(head.end) !== undefined) {
    problems.push(`the head says ${head.end}, and no range is in the ledger`);
  }
  const unknown = ranges.filter(({ expired }) => expired === true).length;
  if (unknown > 0)
    notes.push(`${unknown} places where the ledger was rebuilt without the objects: what they held is not known`);
  const gaps = ledger.filter(({ gap }) => gap === true).length;
  if (gaps > 0) notes.push(`${gaps} gaps: the stream had trimmed data before it was read`);
  if (head.pending !== undefined) notes.push('a commit is under way, or was given up; the next owner finishes it');
  againstLease(head, lease, problems, notes);
  const readingsByUseCase: Record<string, number> = {};
  for (const { byUseCase } of ledger) {
    for (const [useCase, { readings }] of Object.entries(byUseCase)) {
      readingsByUseCase[useCase] = (readingsByUseCase[useCase] ?? 0) + readings;
    }
  }
  const sum = (of: (row: LedgerItem) => number): number => ledger.reduce((total, row) => total + of(row), 0);
  return {
    shardId: head.shardId,
    finished: head.finished,
    ranges: ranges.length - unknown,
    records: sum(({ records }) => records),
    readings: sum(({ readings }) => readings),
    quarantined: sum(({ quarantined }) => quarantined),
    readingsByUseCase,
    gaps,
    problems,
    notes,
  };
}

/** A checkpoint follows the head and may lag; it never leads. */
function againstLease(head: Head, lease: LeaseView | undefined, problems: string[], notes: string[]): void {
  if (lease === undefined) {
    if (!head.finished) notes.push('no lease: npm run rebuild-leases makes one from the head');
    return;
  }
  if (lease.sequenceNumber === 'SHARD_END') {
    if (!head.finished) problems.push('the lease is at SHARD_END, the head is not finished');
    return;
  }
  const end = parsePosition(head.end);
  if (!/^\d+$/.test(lease.sequenceNumber)) return;
  const checkpoint = { sequence: lease.sequenceNumber, sub: lease.subSequenceNumber, element: 0 };
  if (end === undefined || comparePositions({ ...end, element: 0 }, checkpoint) < 0) {
    problems.push(`the lease's checkpoint ${lease.sequenceNumber} is ahead of the head, ${head.end}`);
  }
}
