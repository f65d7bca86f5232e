/**
 * Sequence numbers of 56 decimal digits that grow over a stream's life: a fixed prefix, the stream's creation in epoch
 * milliseconds, a counter of the stream and the shard's index. As in Kinesis they name their shard, and a stream that
 * was deleted and created again under the same name continues above its predecessor.
 */
const PREFIX = '49';
const FILLER = '0'.repeat(19);
const PATTERN = /^49(\d{13})(\d{16})0{19}(\d{6})$/;

export interface SequencePosition {
  /** Epoch milliseconds at which the stream was created. */
  readonly creation: number;
  /** From 1; every record and every opening or closing of a shard takes one. */
  readonly counter: number;
  readonly shardIndex: number;
}

export function formatSequenceNumber(creation: number, counter: number, shardIndex: number): string {
  return (
    PREFIX +
    String(creation).padStart(13, '0') +
    String(counter).padStart(16, '0') +
    FILLER +
    String(shardIndex).padStart(6, '0')
  );
}

/** Undefined for digits that no stream of this engine has given out. */
export function parseSequenceNumber(sequenceNumber: string): SequencePosition | undefined {
  const match = PATTERN.exec(sequenceNumber);
  if (match === null) return undefined;
  return { creation: Number(match[1]), counter: Number(match[2]), shardIndex: Number(match[3]) };
}
