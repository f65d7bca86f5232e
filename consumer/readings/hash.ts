/**
 * Hashes that are taken per reading. Not cryptographic: a device that builds a collision can only make two of its own
 * readings of one instant look like one, since both hashes are used below the device's name. That buys one pass over
 * the words instead of a digest per reading.
 */

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);

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

/** The two halves of a reading's 64-bit content hash: two lanes of multiply-and-rotate with different constants. */
export class ContentHash {
  high = 0;
  low = 0;

  /**
   * Hash over device, event time, the values' bits and the message id. The schema fixes the number and order of
   * `values`; NaN stands for a missing value and has one bit pattern here.
   */
  update(deviceHash: number, eventTime: number, values: Float64Array, messageId: string | null): void {
    let a = 0x9e3779b9;
    let b = 0x243f6a88;
    const mix = (word: number): void => {
      a = Math.imul((a ^ word) >>> 0, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b + word, 0x1b873593) ^ a;
      b = (b << 13) | (b >>> 19);
    };
    mix(deviceHash);
    scratch[0] = eventTime;
    mix(words[0]!);
    mix(words[1]!);
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      if (value !== value) {
        mix(0x7ff80000);
        mix(0x6e756c6c);
      } else {
        scratch[0] = value;
        mix(words[0]!);
        mix(words[1]!);
      }
    }
    if (messageId !== null) for (let at = 0; at < messageId.length; at++) mix(messageId.charCodeAt(at) + 0x10000);
    this.high = avalanche(a ^ (messageId?.length ?? 0x20000));
    this.low = avalanche(b ^ this.high);
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
