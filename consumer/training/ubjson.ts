/**
 * Universal Binary JSON (draft 12), the format in which XGBoost from 2.1 writes a model file without an extension.
 * Numbers are big-endian.
 * @see https://ubjson.org/type-reference/
 * @see https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
 */

/** Bytes of each fixed-size number type. */
const NUMBER_SIZES: Readonly<Record<string, number>> = { i: 1, U: 1, I: 2, l: 4, L: 8, d: 4, D: 8 };
/** A model nests about eight levels. */
const MAXIMUM_DEPTH = 64;

class Reader {
  private readonly view: DataView;
  private offset = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  document(): unknown {
    const value = this.value(this.marker(), 0);
    if (this.offset !== this.bytes.length) throw this.error(`ends at ${this.offset} of ${this.bytes.length} bytes`);
    return value;
  }

  private error(problem: string): Error {
    return new Error(`UBJSON ${problem}; is the file complete?`);
  }

  /** Moves over `length` bytes and gives their start. */
  private take(length: number): number {
    const start = this.offset;
    if (length > this.bytes.length - start) throw this.error(`is cut off at byte ${start}: ${length} more expected`);
    this.offset += length;
    return start;
  }

  private marker(): string {
    let marker = String.fromCharCode(this.bytes[this.take(1)]!);
    while (marker === 'N') marker = String.fromCharCode(this.bytes[this.take(1)]!);
    return marker;
  }

  private peek(): string {
    return String.fromCharCode(this.bytes[this.offset] ?? 0);
  }

  private value(marker: string, depth: number): unknown {
    if (depth > MAXIMUM_DEPTH) throw this.error(`nests deeper than ${MAXIMUM_DEPTH} levels`);
    if (marker in NUMBER_SIZES) return this.number(marker);
    switch (marker) {
      case 'Z':
        return null;
      case 'T':
        return true;
      case 'F':
        return false;
      case 'S':
      case 'H':
        return this.text();
      case 'C':
        return String.fromCharCode(this.bytes[this.take(1)]!);
      case '[':
        return this.array(depth);
      case '{':
        return this.object(depth);
      default:
        throw this.error(`has the unknown marker 0x${marker.charCodeAt(0).toString(16)} at byte ${this.offset - 1}`);
    }
  }

  private number(marker: string): number {
    const at = this.take(NUMBER_SIZES[marker]!);
    switch (marker) {
      case 'i':
        return this.view.getInt8(at);
      case 'U':
        return this.view.getUint8(at);
      case 'I':
        return this.view.getInt16(at);
      case 'l':
        return this.view.getInt32(at);
      case 'L':
        return Number(this.view.getBigInt64(at));
      case 'd':
        return this.view.getFloat32(at);
      default:
        return this.view.getFloat64(at);
    }
  }

  private length(): number {
    const marker = this.marker();
    const length = marker in NUMBER_SIZES ? this.number(marker) : NaN;
    if (!Number.isSafeInteger(length) || length < 0)
      throw this.error(`has a length that is no whole number at byte ${this.offset}`);
    return length;
  }

  private text(): string {
    const length = this.length();
    const start = this.take(length);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, length).toString('utf8');
  }

  /** `$` type and `#` count of an optimized container. */
  private header(): { type: string | undefined; count: number | undefined } {
    let type: string | undefined;
    if (this.peek() === '$') {
      this.take(1);
      type = this.marker();
    }
    if (this.peek() !== '#') {
      if (type !== undefined) throw this.error(`has a typed container without a count at byte ${this.offset}`);
      return { type, count: undefined };
    }
    this.take(1);
    return { type, count: this.length() };
  }

  private array(depth: number): unknown[] {
    const { type, count } = this.header();
    const values: unknown[] = [];
    // A count is only trusted where the bytes can be there: each entry but Z, T and F takes at least one.
    if (count !== undefined && count > this.bytes.length)
      throw this.error(`counts ${count} entries at byte ${this.offset}`);
    if (count !== undefined) {
      for (let index = 0; index < count; index++) values.push(this.value(type ?? this.marker(), depth + 1));
      return values;
    }
    for (let marker = this.marker(); marker !== ']'; marker = this.marker()) values.push(this.value(marker, depth + 1));
    return values;
  }

  private object(depth: number): Record<string, unknown> {
    const { type, count } = this.header();
    const members: [string, unknown][] = [];
    const member = (): void => {
      const key = this.text();
      members.push([key, this.value(type ?? this.marker(), depth + 1)]);
    };
    if (count !== undefined) {
      for (let index = 0; index < count; index++) member();
    } else {
      while (this.peek() !== '}') {
        if (this.peek() === 'N') this.take(1);
        else member();
      }
      this.take(1);
    }
    return Object.fromEntries(members);
  }
}

/**
 * The value that a UBJSON document holds; 64-bit integers become numbers.
 * @throws Error where the document is cut off, over-long or holds an unknown type.
 */
export function parseUbjson(bytes: Uint8Array): unknown {
  return new Reader(bytes).document();
}
