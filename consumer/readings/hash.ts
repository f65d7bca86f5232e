/**
 * Hashes that are taken per reading. Not cryptographic: a device that builds a collision can only make two of its own
 * readings of one instant look like one, since both hashes are used below the device's name. That buys one pass over
 * the words instead of a digest per reading.
 */

/** MurmurHash3's 32-bit finalizer (Austin Appleby, public domain). */
function avalanche(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 32-bit hash of a device id: FNV-1a over its UTF-16 units, finalized so that every bit of it is usable. */
export function hashDevice(device: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < device.length; at++) hash = Math.imul(hash ^ device.charCodeAt(at), 0x01000193);
  return avalanche(hash);
}

/** The fold bucket of a device hash: equal ranges, so that rows sorted by hash stand together per bucket. */
export function bucketOf(deviceHash: number, buckets: number): number {
  return Math.floor((deviceHash * buckets) / 0x1_0000_0000);
}

/** The event time's words stand before those of the values. */
const TIME_WORDS = 2;

/** The two halves of a reading's 64-bit content hash: two lanes of multiply-and-rotate with different constants. */
export class ContentHash {
  high = 0;
  low = 0;
  private doubles = new Float64Array(1);
  private words = new Uint32Array(this.doubles.buffer);

  /**
   * Hash over device, event time, the values' bits and the message id. The schema fixes the number and order of
   * `values`; NaN stands for a missing value and has one bit pattern here.
   */
  update(deviceHash: number, eventTime: number, values: Float64Array, messageId: string | null): void {
    const count = this.fill(eventTime, values, messageId);
    const { words } = this;
    let a = 0x9e3779b9;
    let b = 0x243f6a88;
    let word = deviceHash;
    for (let at = 0; ; word = words[at++]!) {
      a = Math.imul((a ^ word) >>> 0, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b + word, 0x1b873593) ^ a;
      b = (b << 13) | (b >>> 19);
      if (at === count) break;
    }
    this.high = avalanche(a ^ (messageId?.length ?? 0x20000));
    this.low = avalanche(b ^ this.high);
  }

  /** Puts the words to be hashed after the device's into `words`. @returns their number */
  private fill(eventTime: number, values: Float64Array, messageId: string | null): number {
    const length = messageId === null ? 0 : messageId.length;
    const fixed = TIME_WORDS + 2 * values.length;
    if (this.words.length < fixed + length) {
      this.doubles = new Float64Array(fixed + length);
      this.words = new Uint32Array(this.doubles.buffer);
    }
    const { doubles, words } = this;
    doubles[0] = eventTime;
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      doubles[at + 1] = value;
      if (value === value) continue;
      words[TIME_WORDS + 2 * at] = 0x7ff80000;
      words[TIME_WORDS + 2 * at + 1] = 0x6e756c6c;
    }
    for (let at = 0; at < length; at++) words[fixed + at] = messageId!.charCodeAt(at) + 0x10000;
    return fixed + length;
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexWord(word: number): string {
  return HEX[word >>> 24]! + HEX[(word >>> 16) & 255]! + HEX[(word >>> 8) & 255]! + HEX[word & 255]!;
}

/** Sixteen lower-case hexadecimal digits. */
export function contentHashText(high: number, low: number): string {
  return hexWord(high) + hexWord(low);
}
