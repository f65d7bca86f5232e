/** The checkpointer that a record processor is given: one per shard and acquisition. */
import type { Checkpointer } from '../processor';
import { compareExtended, isSentinel, Sentinel, type ExtendedSequenceNumber } from '../common/extended-sequence-number';
import { InvalidArgumentError, InvalidStateError } from '../common/errors';
import type { Lease } from '../leases/lease';
import type { LeaseChange } from '../leases/lease-serializer';

const SHARD_END: ExtendedSequenceNumber = { sequenceNumber: Sentinel.SHARD_END, subSequenceNumber: 0 };

const show = (position: ExtendedSequenceNumber): string => `${position.sequenceNumber}.${position.subSequenceNumber}`;

export interface RecordProcessorCheckpointerOptions {
  readonly shardId: string;
  /** The row's checkpoint at acquisition. */
  readonly checkpoint: ExtendedSequenceNumber;
  /** @throws ShutdownError, ThrottlingError or DependencyError */
  readonly write: (change: LeaseChange) => Promise<Lease>;
}

export class RecordProcessorCheckpointer implements Checkpointer {
  /** What the row holds. */
  private stored: ExtendedSequenceNumber;
  /** Smallest and largest position that may be checkpointed. */
  private lowest: ExtendedSequenceNumber;
  private largest: ExtendedSequenceNumber;
  private shardEndArmed = false;

  constructor(private readonly options: RecordProcessorCheckpointerOptions) {
    this.stored = this.lowest = this.largest = options.checkpoint;
  }

  /** Largest position that `checkpoint()` without an argument would record. */
  get largestPermitted(): ExtendedSequenceNumber {
    return this.largest;
  }

  /** The last checkpoint known to be in the table. */
  get lastCheckpoint(): ExtendedSequenceNumber {
    return this.stored;
  }

  /**
   * The processor starts elsewhere than at the checkpoint. Positions from there on are accepted; the row itself never
   * goes back, so those below its checkpoint are not written.
   */
  startAt(position: ExtendedSequenceNumber): void {
    this.largest = position;
    if (compareExtended(position, this.lowest) < 0) this.lowest = position;
  }

  /** Records up to here are, or are about to be, delivered. Also takes back a delivery that was given up. */
  setLargestPermitted(position: ExtendedSequenceNumber): void {
    this.largest = position;
  }

  /** Everything was delivered: from now on the largest position is SHARD_END. */
  armShardEnd(): void {
    this.shardEndArmed = true;
  }

  async checkpoint(position?: ExtendedSequenceNumber): Promise<void> {
    await this.record(this.resolve(position), false);
  }

  async prepareCheckpoint(position?: ExtendedSequenceNumber, state?: Uint8Array): Promise<{ commit(): Promise<void> }> {
    const target = this.resolve(position);
    await this.options.write({ pendingCheckpoint: target, pendingCheckpointState: state ?? null });
    let committed = false;
    return {
      commit: async () => {
        if (committed) return;
        if (compareExtended(target, this.lowest) < 0) {
          throw new InvalidStateError(
            `The checkpoint prepared at ${show(target)} on shard ${this.options.shardId} is stale: ${show(this.lowest)} was checkpointed since.`,
          );
        }
        await this.record(target, true);
        committed = true;
      },
    };
  }

  /** Whatever was prepared is committed, or made stale, by a later checkpoint: it goes in the same write. */
  private async record(target: ExtendedSequenceNumber, prepared: boolean): Promise<void> {
    const advances = compareExtended(target, this.stored) > 0;
    if (advances || prepared) {
      const change = { pendingCheckpoint: null, pendingCheckpointState: null };
      await this.options.write(advances ? { ...change, checkpoint: target } : change);
    }
    if (advances) this.stored = target;
    if (compareExtended(target, this.lowest) > 0) this.lowest = target;
  }

  private resolve(position: ExtendedSequenceNumber | undefined): ExtendedSequenceNumber {
    const top = this.shardEndArmed ? SHARD_END : this.largest;
    if (position === undefined) return top;
    this.validate(position);
    // The last record's position means the whole shard once all was delivered.
    if (this.shardEndArmed && compareExtended(position, this.largest) === 0) return SHARD_END;
    if (compareExtended(position, this.lowest) < 0 || compareExtended(position, top) > 0) {
      throw new InvalidArgumentError(
        `Checkpoint ${show(position)} on shard ${this.options.shardId} is outside ${show(this.lowest)} … ${show(top)}, the last checkpoint and the largest position delivered.`,
      );
    }
    return position;
  }

  private validate({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): void {
    if (!isSentinel(sequenceNumber) && !/^(0|[1-9]\d*)$/.test(sequenceNumber)) {
      throw new InvalidArgumentError(
        `A checkpoint's sequenceNumber must be decimal digits or a sentinel; shard ${this.options.shardId} was given a string of ${String(sequenceNumber).length} other characters.`,
      );
    }
    if (!Number.isSafeInteger(subSequenceNumber) || subSequenceNumber < 0) {
      throw new InvalidArgumentError(
        `A checkpoint's subSequenceNumber must be a whole number from 0, not ${String(subSequenceNumber)}.`,
      );
    }
  }
}
