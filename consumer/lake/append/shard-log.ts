/**
 * The append log of one shard: intent, effect, commit (docs/architecture.md, "Append"). Safe whoever runs it, and
 * however many at once: every step is conditional on the shard's head, and objects are created once.
 */
import { ConsumerMetric } from '../../../lib/contracts/metrics';
import { compareSequenceNumbers } from '../../kcl/common/extended-sequence-number';
import type { KinesisClientRecord } from '../../kcl/processor';
import type { RecordDecoder } from '../../readings/decode';
import { comparePositions, parsePosition, type PositionText } from '../position';
import { gapItem, ledgerItem, segmentItem } from '../registry-items';
import { ConditionFailedError, type Write } from '../stores/registry-store';
import { Batch } from './batch';
import { buildCut, fulfils, type Cut } from './cut';
import { createAll, isWritten } from './effects';
import type { ShardLogDependencies } from './dependencies';
import {
  commitWrite,
  dropIntentWrite,
  finishWrite,
  idleWrite,
  intentWrite,
  openHead,
  type Head,
  type Pending,
} from './head';

/**
 * An intent may be newer than the read that gave nothing (reads run ahead of processing), so its range is given up for
 * trimmed only when reads this much later still give nothing.
 */
const UNREADABLE_AFTER_MS = 300_000;
/** Rounds of conflict in one flush before it is left to the caller's retry. */
const MAXIMUM_ROUNDS = 20;

export class ShardLog {
  private batch = new Batch();
  /** The batch refused an element: it must be cut before more is read. */
  private full = false;
  private firstBufferedAt: number | undefined;
  /** An intent of this build that must be finished as it is written, by reading its range again. */
  private target: Pending | undefined;
  /** An intent that cannot be reproduced; the next one takes its place. */
  private replaces: Pending | undefined;
  /** The last write's outcome is not known, or the head moved: read it before anything else. */
  private uncertain = false;
  /** An intent of whose range a read to the tip gave nothing, and the service's time when that was first so. */
  private unread: { id: string; since: number } | undefined;
  /** Records may have been trimmed unread before the record that is read next. */
  private gapAhead = false;
  /** So before this one, which is buffered: its sequence number. Of several the last. */
  private gapBefore: string | undefined;

  private constructor(
    private head: Head,
    private readonly decoder: RecordDecoder,
    private readonly dependencies: ShardLogDependencies,
  ) {}

  /** Reads or creates the head, and finishes an intent whose objects all exist already. */
  static async open(
    shardId: string,
    create: () => Promise<Head>,
    decoder: RecordDecoder,
    dependencies: ShardLogDependencies,
  ): Promise<ShardLog> {
    const log = new ShardLog(await openHead(dependencies.registry, shardId, create), decoder, dependencies);
    await log.adopt(log.head);
    return log;
  }

  /** The committed state as this process last saw it. */
  get committed(): Head {
    return this.head;
  }

  get bufferedBytes(): number {
    return this.batch.bytes;
  }

  /**
   * Says that the stream may have trimmed records before the one that is read next. The commit that holds that record
   * says so in the ledger, or else the next progress without one.
   */
  markGap(): void {
    const isKnown = this.gapAhead || this.gapBefore !== undefined;
    this.gapAhead = true;
    if (isKnown) return;
    this.dependencies.metrics(ConsumerMetric.streamGaps, 1);
    this.dependencies.log('error', 'records may have been trimmed before they were read', {
      shardId: this.head.shardId,
      end: this.head.end,
    });
  }

  /**
   * Reads a record into the batch; records that are committed or buffered already are passed over.
   * @returns false where the batch has no room: flush, then call again with the same record.
   */
  append(record: KinesisClientRecord): boolean {
    const from = this.firstElement(record);
    const isBuffered = this.batch.covers(record);
    // It follows what is known without a hole.
    if (from !== 0 || isBuffered) this.gapAhead = false;
    if (from === undefined || isBuffered) return true;
    if (this.full || this.batch.partial) return false;
    if (this.batch.isEmpty) {
      this.firstBufferedAt = this.dependencies.clock.monotonic();
      this.checkFirst(record.sequenceNumber);
    }
    this.placeGap(record.sequenceNumber);
    this.batch.beginRecord(record);
    const { elements, stoppedAt } = this.decoder.decode(record, this.batch, from);
    this.batch.endRecord(elements, stoppedAt);
    this.full = stoppedAt !== undefined;
    return !this.full;
  }

  /** Element of the record to begin with, after the committed end; undefined where all of it is committed. */
  private firstElement(record: KinesisClientRecord): number | undefined {
    const end = parsePosition(this.head.end);
    if (end === undefined) return 0;
    const order = compareSequenceNumbers(record.sequenceNumber, end.sequence) || record.subSequenceNumber - end.sub;
    if (order > 0) return 0;
    return order === 0 && this.head.partial ? end.element + 1 : undefined;
  }

  /** An intent says which record its range began with; a later one now means that the stream trimmed it since. */
  private checkFirst(sequenceNumber: string): void {
    const intent = this.target ?? this.replaces;
    if (intent === undefined || compareSequenceNumbers(sequenceNumber, intent.first) <= 0) return;
    this.replaces = intent;
    this.target = undefined;
    this.markGap();
    this.placeGap(sequenceNumber);
  }

  private placeGap(sequenceNumber: string): void {
    if (!this.gapAhead) return;
    this.gapAhead = false;
    this.gapBefore = sequenceNumber;
  }

  /** A gap before what is committed is the affair of whoever committed it. */
  private dropGap(end: PositionText): void {
    const position = parsePosition(end);
    if (position === undefined || this.gapBefore === undefined) return;
    if (compareSequenceNumbers(this.gapBefore, position.sequence) <= 0) this.gapBefore = undefined;
  }

  /** True where the batch should be cut now. Waits for the whole range of an intent that is to be finished. */
  get flushIsDue(): boolean {
    if (this.batch.isEmpty) return false;
    if (this.target !== undefined) return this.targetIsBuffered;
    const { budget, flushBytes, flushInterval, clock } = this.dependencies;
    const withinBudget = budget.update(this, this.batch.bytes);
    return (
      this.batch.bytes >= flushBytes ||
      !withinBudget ||
      clock.monotonic() - (this.firstBufferedAt ?? 0) >= flushInterval
    );
  }

  private get targetIsBuffered(): boolean {
    const { end } = this.batch;
    return end !== undefined && comparePositions(end, parsePosition(this.target!.end)!) >= 0;
  }

  /**
   * Commits what is buffered. An intent to be finished whose range is not read yet stays as it is.
   * @param tip The service's time of the last read, where that read reached the tip and everything it gave is buffered.
   */
  async flush(tip?: number): Promise<void> {
    for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
      if (this.uncertain) await this.resync();
      if (this.batch.isEmpty) return;
      if (this.target !== undefined && !this.targetIsBuffered) {
        if (!this.full) return;
        // The range does not fit in a batch of this build, so this build did not write it.
        this.replaces = this.target;
        this.target = undefined;
      }
      try {
        await this.commitOnce(tip);
      } catch (error) {
        this.uncertain = true;
        if (!(error instanceof ConditionFailedError)) throw error;
      }
    }
    if (!this.batch.isEmpty)
      throw new Error(`shard ${this.head.shardId}: the head moved ${MAXIMUM_ROUNDS} times during one flush`);
  }

  private async commitOnce(tip: number | undefined): Promise<void> {
    const { shardId, end: start } = this.head;
    const { registry, uuid, codeVersion } = this.dependencies;
    const target = this.target;
    const { through, rest } =
      target === undefined ? { through: this.batch, rest: new Batch() } : this.parted(parsePosition(target.end)!);
    const id = target?.id ?? uuid();
    const cut = buildCut(through, {
      shardId,
      start,
      id,
      codeVersion,
      gap: target?.gap ?? this.gapBefore !== undefined,
    });
    if (target === undefined) {
      await registry.write(intentWrite(shardId, cut.pending, this.replaces?.id));
      this.replaces = undefined;
      this.target = cut.pending;
    } else if (!fulfils(cut, target)) {
      this.dependencies.log('warn', 'an intent of this build cannot be reproduced; it is replaced', {
        shardId,
        end: target.end,
      });
      this.replaces = target;
      this.target = undefined;
      return;
    }
    const pending = this.target!;
    if (!(await this.createObjects(cut, pending))) return;
    await this.commit(pending, rest.isEmpty ? (tip ?? 0) : 0);
    this.keep(rest);
  }

  private keep(batch: Batch): void {
    this.batch = batch;
    this.full = false;
    this.firstBufferedAt = this.dependencies.clock.monotonic();
    this.dependencies.budget.update(this, batch.bytes);
  }

  private parted(position: { sequence: string; sub: number; element: number }): { through: Batch; rest: Batch } {
    const { end } = this.batch;
    return comparePositions(end!, position) === 0
      ? { through: this.batch, rest: new Batch() }
      : this.batch.split(position);
  }

  private async createObjects(cut: Cut, pending: Pending): Promise<boolean> {
    const different = await createAll(this.dependencies.objects, cut.objects);
    if (different === undefined) return true;
    this.dependencies.log('error', 'an object of this intent exists with other content; the intent is replaced', {
      shardId: this.head.shardId,
      key: different,
    });
    this.replaces = pending;
    this.target = undefined;
    return false;
  }

  private async commit(pending: Pending, tip: number): Promise<void> {
    const { shardId } = this.head;
    const { registry, metrics } = this.dependencies;
    // Progress beyond what the range holds would hide a gap that comes after it.
    const progress = Math.max(this.head.progress, this.gapAhead ? 0 : tip);
    const ledger = ledgerItem(shardId, pending);
    await registry.transact([
      commitWrite(shardId, pending, progress),
      { put: ledger },
      ...pending.segments.map((segment) => ({ put: segmentItem(segment) })),
    ]);
    metrics(ConsumerMetric.readingsCommitted, ledger['readings'] as number);
    metrics(ConsumerMetric.readingsQuarantined, ledger['quarantined'] as number);
    this.advance({
      ...this.head,
      end: pending.end,
      partial: pending.partial,
      progress: Math.max(progress, pending.progress),
      pending: undefined,
    });
  }

  private advance(head: Head): void {
    this.head = head;
    this.target = undefined;
    this.replaces = undefined;
    this.dropGap(head.end);
  }

  /** Reads the head again and takes it as it is: what others committed leaves the batch, their intent is adopted. */
  private async resync(): Promise<void> {
    const { registry } = this.dependencies;
    const head = await openHead(registry, this.head.shardId, async () => this.head);
    await this.adopt(head);
    this.uncertain = false;
  }

  /** Takes over the head and decides what to do with the intent that stands in it. */
  private async adopt(head: Head): Promise<void> {
    this.head = head;
    this.target = undefined;
    this.replaces = undefined;
    this.dropGap(head.end);
    this.dropCommitted();
    const { pending } = head;
    if (pending === undefined) return;
    if (await isWritten(this.dependencies.objects, pending)) {
      try {
        await this.commit(pending, 0);
        this.dropCommitted();
        return;
      } catch (error) {
        if (!(error instanceof ConditionFailedError)) throw error;
        return this.adoptAgain();
      }
    }
    if (pending.codeVersion === this.dependencies.codeVersion) this.target = pending;
    else this.replaces = pending;
    if (!this.batch.isEmpty) this.checkFirst(this.batch.first);
  }

  private async adoptAgain(): Promise<void> {
    this.uncertain = true;
    await this.resync();
  }

  /** What others committed leaves the batch. */
  private dropCommitted(): void {
    const end = parsePosition(this.head.end);
    const { first } = this.batch;
    const buffered = this.batch.end;
    if (end === undefined || buffered === undefined || compareSequenceNumbers(first, end.sequence) > 0) return;
    this.keep(comparePositions(buffered, end) <= 0 ? new Batch() : this.batch.split(end).rest);
  }

  /**
   * Moves the progress of an idle shard to the service's time of a read that reached the tip and gave nothing. Holds
   * only where everything read before is committed and no intent stands.
   */
  async idle(time: number): Promise<void> {
    if (this.uncertain) await this.resync();
    if (!this.batch.isEmpty || time - this.head.progress < this.dependencies.flushInterval) return;
    const intent = this.target ?? this.replaces;
    if (intent !== undefined) {
      if (this.unread?.id !== intent.id) this.unread = { id: intent.id, since: time };
      if (time - this.unread.since >= UNREADABLE_AFTER_MS) await this.giveUpUnreadable();
      return;
    }
    try {
      await this.dependencies.registry.transact([
        idleWrite(this.head.shardId, this.head.end, time),
        ...this.gapWrites(),
      ]);
      this.gapAhead = false;
      this.advance({ ...this.head, progress: time });
    } catch (error) {
      this.uncertain = true;
      if (!(error instanceof ConditionFailedError)) throw error;
    }
  }

  /** An intent stands, and reads to the tip give nothing after `end`: its whole range was trimmed. */
  private async giveUpUnreadable(): Promise<void> {
    const pending = (this.target ?? this.replaces)!;
    const { shardId } = this.head;
    this.markGap();
    try {
      await this.dependencies.registry.transact([
        dropIntentWrite(shardId, pending),
        { put: gapItem(shardId, pending.start, pending.end) },
      ]);
      this.gapAhead = false;
      this.advance({ ...this.head, pending: undefined });
    } catch (error) {
      this.uncertain = true;
      if (!(error instanceof ConditionFailedError)) throw error;
    }
  }

  /** The progress that is written next would hide a gap, so its row is written with it. */
  private gapWrites(): Write[] {
    const { shardId, end } = this.head;
    return this.gapAhead ? [{ put: gapItem(shardId, end, end) }] : [];
  }

  /** Shard end: every record was read and appended. Commits the rest, then says that nothing follows. */
  async finish(): Promise<void> {
    for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
      await this.flush();
      if (this.uncertain) await this.resync();
      if (this.head.finished) return;
      if (this.batch.isEmpty && (this.target ?? this.replaces) !== undefined) {
        await this.giveUpUnreadable();
        continue;
      }
      try {
        await this.dependencies.registry.transact([finishWrite(this.head.shardId, this.head.end), ...this.gapWrites()]);
        this.advance({ ...this.head, finished: true });
        return;
      } catch (error) {
        this.uncertain = true;
        if (!(error instanceof ConditionFailedError)) throw error;
      }
    }
    throw new Error(`shard ${this.head.shardId}: the head moved ${MAXIMUM_ROUNDS} times while it was being finished`);
  }

  /** Forgets what is buffered: another worker reads it again from the head. */
  discard(): void {
    this.keep(new Batch());
  }
}
