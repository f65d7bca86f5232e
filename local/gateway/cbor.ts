/**
 * The CBOR form of the AWS JSON 1.1 protocol, in which the AWS SDK for Java speaks to Kinesis unless told otherwise
 * (`application/x-amz-cbor-1.1`). Wire-shaped objects are those of the JSON form: blobs are base64 strings, timestamps epoch seconds.
 * Here blobs are byte strings, and timestamps epoch milliseconds under tag 1.
 * @see https://www.rfc-editor.org/rfc/rfc8949
 */
import { AwsError } from './service';

export const CBOR_CONTENT_TYPE = 'application/x-amz-cbor-1.1';

/** Members' names by which a service's blobs and timestamps are known: CBOR tells them from strings and numbers, JSON does not. */
export interface CborMembers {
  readonly blobs: ReadonlySet<string>;
  readonly timestamps: ReadonlySet<string>;
}

const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE] = [0, 1, 2, 3, 4, 5, 6, 7];
const [FALSE, TRUE, NULL, UNDEFINED, HALF, FLOAT, DOUBLE] = [20, 21, 22, 23, 25, 26, 27];
const INDEFINITE = 31;
const BREAK = 0xff;
const TIMESTAMP_TAG = 1;
const MAXIMUM_DEPTH = 64;

class Decoder {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** The one value that the bytes are. */
  decode(): unknown {
    const value = this.value(0);
    if (this.at !== this.bytes.length) throw malformed('bytes follow the value');
    return value;
  }

  private value(depth: number): unknown {
    if (depth > MAXIMUM_DEPTH) throw malformed(`it is nested deeper than ${MAXIMUM_DEPTH}`);
    const head = this.take(1)[0] as number;
    const [type, info] = [head >> 5, head & 31];
    if (type === BYTES) return this.chunks(type, info).toString('base64');
    if (type === TEXT) return this.chunks(type, info).toString('utf8');
    if (type === SIMPLE) return this.simple(info);
    if (type === ARRAY) return this.items(info, () => this.value(depth + 1));
    if (type === MAP) {
      return Object.fromEntries(
        this.items(info, () => [String(this.value(depth + 1)), this.value(depth + 1)] as const),
      );
    }
    const argument = this.argument(info);
    if (type === UNSIGNED) return argument;
    if (type === NEGATIVE) return -1 - argument;
    const tagged = this.value(depth + 1);
    return argument === TIMESTAMP_TAG && typeof tagged === 'number' ? tagged / 1_000 : tagged;
  }

  private items<T>(info: number, read: () => T): T[] {
    const items: T[] = [];
    if (info === INDEFINITE) {
      while (this.bytes[this.at] !== BREAK) items.push(read());
      this.at++;
    } else {
      for (let left = this.argument(info); left > 0; left--) items.push(read());
    }
    return items;
  }

  private chunks(type: number, info: number): Buffer {
    if (info !== INDEFINITE) return this.take(this.argument(info));
    const chunks = this.items(info, () => {
      const head = this.take(1)[0] as number;
      if (head >> 5 !== type) throw malformed('a string has a chunk of another type');
      return this.take(this.argument(head & 31));
    });
    return Buffer.concat(chunks);
  }

  private argument(info: number): number {
    if (info < 24) return info;
    if (info === 24) return this.take(1).readUInt8();
    if (info === 25) return this.take(2).readUInt16BE();
    if (info === 26) return this.take(4).readUInt32BE();
    if (info === 27) return Number(this.take(8).readBigUInt64BE());
    throw malformed(`a length of kind ${info}`);
  }

  private simple(info: number): unknown {
    if (info === FALSE || info === TRUE) return info === TRUE;
    if (info === NULL || info === UNDEFINED) return null;
    if (info === HALF) return half(this.take(2).readUInt16BE());
    if (info === FLOAT) return this.take(4).readFloatBE();
    if (info === DOUBLE) return this.take(8).readDoubleBE();
    throw malformed(`a simple value ${info}`);
  }

  private take(count: number): Buffer {
    if (this.at + count > this.bytes.length) throw malformed('it ends too early');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}

function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 === 0 ? 1 : -1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1_024) * 2 ** (exponent - 15));
}

function malformed(what: string): AwsError {
  return new AwsError('SerializationException', `The request body is not CBOR: ${what}`);
}

/** @throws AwsError `SerializationException` */
export function decodeCbor(bytes: Buffer): unknown {
  return new Decoder(bytes).decode();
}

/** @param value what JSON could hold; members that are undefined are left out */
export function encodeCbor(value: unknown, members: CborMembers): Buffer {
  const parts: Buffer[] = [];
  const head = (type: number, argument: number): void => {
    const [kind, size] =
      argument < 24 ? [argument, 0] : argument < 256 ? [24, 1] : argument < 65_536 ? [25, 2] : [26, 4];
    const part = Buffer.allocUnsafe(1 + size);
    part[0] = (type << 5) | kind;
    if (size > 0) part.writeUIntBE(argument, 1, size);
    parts.push(part);
  };
  const string = (type: number, bytes: Buffer): void => {
    head(type, bytes.length);
    parts.push(bytes);
  };
  const number = (given: number): void => {
    if (Number.isInteger(given) && given >= -(2 ** 32) && given < 2 ** 32) {
      head(given < 0 ? NEGATIVE : UNSIGNED, given < 0 ? -1 - given : given);
    } else if (Number.isSafeInteger(given)) {
      const part = Buffer.allocUnsafe(9);
      part[0] = ((given < 0 ? NEGATIVE : UNSIGNED) << 5) | 27;
      part.writeBigUInt64BE(BigInt(given < 0 ? -1 - given : given), 1);
      parts.push(part);
    } else {
      const part = Buffer.allocUnsafe(9);
      part[0] = (SIMPLE << 5) | DOUBLE;
      part.writeDoubleBE(given, 1);
      parts.push(part);
    }
  };
  const write = (given: unknown, name: string): void => {
    if (typeof given === 'string') {
      if (members.blobs.has(name)) string(BYTES, Buffer.from(given, 'base64'));
      else string(TEXT, Buffer.from(given, 'utf8'));
    } else if (typeof given === 'number') {
      if (members.timestamps.has(name)) head(TAG, TIMESTAMP_TAG);
      number(members.timestamps.has(name) ? Math.round(given * 1_000) : given);
    } else if (typeof given === 'boolean') {
      head(SIMPLE, given ? TRUE : FALSE);
    } else if (given === null || given === undefined) {
      head(SIMPLE, NULL);
    } else if (Array.isArray(given)) {
      head(ARRAY, given.length);
      for (const item of given) write(item, name);
    } else {
      const entries = Object.entries(given).filter(([, member]) => member !== undefined);
      head(MAP, entries.length);
      for (const [key, member] of entries) {
        string(TEXT, Buffer.from(key, 'utf8'));
        write(member, key);
      }
    }
  };
  write(value, '');
  return Buffer.concat(parts);
}
