/** One pass over JSON text as bytes, before any parser sees it: depth, and where an array's elements stand. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Position after the string that starts at `from` (a quote), or the text's end where it is not closed. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/**
 * True where containers nest deeper than `limit`. JSON.parse and every later walk recurse, so depth is bounded here,
 * by a loop. Text that is not JSON may get either answer; the parser refuses it afterwards.
 */
export function nestsDeeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > limit) return true;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return false;
}

/** The texts of a valid JSON array's elements, as the device wrote them, in one pass over all of them. */
export class ArrayElements {
  private at: number;
  private index = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.at = bytes.indexOf(OPEN_BRACKET) + 1;
  }

  /** Without white space around it. @param index Not below that of the call before. */
  text(index: number): Uint8Array {
    while (this.index < index) this.pass();
    const start = this.at;
    this.pass();
    return trim(this.bytes, start, this.at - 1);
  }

  /** Goes to the position after the comma or bracket that ends the element. */
  private pass(): void {
    const { bytes } = this;
    let depth = 0;
    let { at } = this;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) at = endOfString(bytes, at) - 1;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === COMMA && depth === 0) break;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth < 0) break;
    }
    this.at = at + 1;
    this.index++;
  }
}

function trim(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const isSpace = (byte: number | undefined): boolean =>
    byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
  while (from < to && isSpace(bytes[from])) from++;
  while (to > from && isSpace(bytes[to - 1])) to--;
  return bytes.subarray(from, to);
}
