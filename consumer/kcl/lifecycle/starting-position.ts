/** From a lease's checkpoint to the place where reading begins. */
import { Sentinel, type ExtendedSequenceNumber } from '../common/extended-sequence-number';
import type { InitialPosition } from '../config';
import type { StartingPosition } from '../processor';

/**
 * @param now epoch milliseconds; stands for LATEST, which only other programs write (a reader that opened at LATEST and lost
 * its iterator before the first record would open again further on)
 */
export function startingPosition(
  checkpoint: ExtendedSequenceNumber,
  initial: InitialPosition,
  now: number,
): StartingPosition {
  switch (checkpoint.sequenceNumber) {
    case Sentinel.TRIM_HORIZON:
      return { type: 'TRIM_HORIZON' };
    case Sentinel.LATEST:
      return { type: 'AT_TIMESTAMP', timestamp: now };
    case Sentinel.AT_TIMESTAMP:
      // The row does not hold the time. Without one in the configuration, more is read rather than less.
      return initial.type === 'AT_TIMESTAMP' ? initial : { type: 'TRIM_HORIZON' };
    default:
      return { type: 'AFTER', position: checkpoint };
  }
}

/** The same place as a checkpoint value. */
export function asCheckpoint(position: StartingPosition): ExtendedSequenceNumber {
  return position.type === 'AFTER' ? position.position : { sequenceNumber: position.type, subSequenceNumber: 0 };
}
