/** Steps over JSON in UTF-8 bytes, without making objects of it. */
import { isAscii } from 'node:buffer';

const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const EXPONENT = 0x45;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The JSON is not of the kind that is read here; whoever can read all of JSON takes over. */
export class UnexpectedJson extends Error {}

/** Reads what a service writes: no whitespace. Every method throws UnexpectedJson where the bytes are other than it reads. */
export class JsonCursor {
  /** Offset of the next byte. */
  at = 0;
  /** No string has an escape or a character of more than one byte; two fast looks at everything save one at each string. */
  private readonly plain: boolean;

  constructor(private readonly bytes: Buffer) {
    this.plain = isAscii(bytes) && !bytes.includes(BACKSLASH);
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  openObject(): void {
    this.expect(OPEN_BRACE);
  }

  openList(): void {
    this.expect(OPEN_BRACKET);
  }

  /** Steps over the end of a list that has no members, or does nothing. */
  closeEmptyList(): boolean {
    if (this.bytes[this.at] !== CLOSE_BRACKET) return false;
    this.at++;
    return true;
  }

  /** Steps over a comma (true) or the end of the object (false). */
  hasMember(): boolean {
    return this.continues(CLOSE_BRACE);
  }

  /** Steps over a comma (true) or the end of the list (false). */
  hasElement(): boolean {
    return this.continues(CLOSE_BRACKET);
  }

  /** Steps over `"name":` where it is next. */
  take(key: Uint8Array): boolean {
    const { bytes, at } = this;
    for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
    this.at = at + key.length;
    return true;
  }

  skipKey(): void {
    this.expect(QUOTE);
    this.at = this.endOfString(this.at) + 1;
    this.expect(COLON);
  }

  /** Only the nesting is looked at, not the grammar. */
  skipValue(): void {
    const { bytes } = this;
    let depth = 0;
    for (; this.at < bytes.length; this.at++) {
      const byte = bytes[this.at];
      if (byte === QUOTE) this.at = this.endOfString(this.at + 1);
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COMMA) {
        // What follows a bare value is not part of it.
        if (depth === 0) return;
        if (byte !== COMMA) depth--;
      } else continue;
      if (depth > 0) continue;
      this.at++;
      return;
    }
    throw new UnexpectedJson();
  }

  /** A string without escapes, such as base64. @returns the offset of its first byte; the closing quote is just before `at` */
  skipPlainString(): number {
    this.expect(QUOTE);
    const start = this.at;
    const end = this.bytes.indexOf(QUOTE, start);
    if (end < 0) throw new UnexpectedJson();
    this.at = end + 1;
    return start;
  }

  text(): string {
    const { bytes } = this;
    if (this.plain) {
      const start = this.skipPlainString();
      return bytes.toString('latin1', start, this.at - 1);
    }
    this.expect(QUOTE);
    const start = this.at;
    this.at = this.endOfString(start) + 1;
    try {
      return JSON.parse(bytes.toString('utf8', start - 1, this.at)) as string;
    } catch {
      throw new UnexpectedJson();
    }
  }

  /** Epoch seconds such as `1.763871735123E9` or `1763871735.123`, as whole milliseconds. */
  epochMillis(): number {
    const { bytes } = this;
    const start = this.at;
    let at = start;
    let mantissa = 0;
    let digits = 0;
    let decimals = -1;
    let exponent = 0;
    for (; ; at++) {
      const byte = bytes[at] as number;
      if (byte >= ZERO && byte <= NINE) {
        mantissa = mantissa * 10 + (byte - ZERO);
        digits++;
        if (decimals >= 0) decimals++;
      } else if (byte === POINT && decimals < 0) {
        decimals = 0;
      } else {
        if (byte === EXPONENT) {
          exponent = (bytes[at + 1] as number) - ZERO;
          at += 2;
        }
        break;
      }
    }
    const scale = 3 + exponent - Math.max(0, decimals);
    const ended = bytes[at] === COMMA || bytes[at] === CLOSE_BRACE;
    // Exact with up to 15 digits and nothing below a millisecond; the rest of the numbers, and what is none, go the slow way.
    const exact = digits > 0 && digits <= 15 && exponent >= 0 && exponent <= 9 && scale >= 0;
    if (!ended || !exact) return this.roundedMillis(start);
    this.at = at;
    return mantissa * 10 ** scale;
  }

  private roundedMillis(start: number): number {
    this.at = start;
    this.skipValue();
    const text = this.bytes.toString('latin1', start, this.at);
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text)) throw new UnexpectedJson();
    return Math.round(Number(text) * 1_000);
  }

  /** @param at where the string's content begins. @returns the offset of its closing quote */
  private endOfString(at: number): number {
    const { bytes } = this;
    for (let i = at; i < bytes.length; i++) {
      if (bytes[i] === BACKSLASH) i++;
      else if (bytes[i] === QUOTE) return i;
    }
    throw new UnexpectedJson();
  }

  private expect(byte: number): void {
    if (this.bytes[this.at] !== byte) throw new UnexpectedJson();
    this.at++;
  }

  private continues(end: number): boolean {
    const byte = this.bytes[this.at];
    if (byte !== COMMA && byte !== end) throw new UnexpectedJson();
    this.at++;
    return byte === COMMA;
  }
}
