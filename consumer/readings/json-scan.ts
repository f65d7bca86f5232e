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

/** The text of element `index` of a valid JSON array, as the device wrote it, without white space around it. */
export function arrayElementText(bytes: Uint8Array, index: number): Uint8Array {
  let depth = 0;
  let element = 0;
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth === 1) start = at + 1;
    } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth > 0) continue;
    else if ((byte === COMMA && depth === 1) || depth === 0) {
      if (depth === 0 && byte !== CLOSE_BRACKET) continue;
      if (element === index) return trim(bytes, start, at);
      element++;
      start = at + 1;
    }
  }
  return bytes.subarray(0, 0);
}

function trim(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const isSpace = (byte: number | undefined): boolean =>
    byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
  while (from < to && isSpace(bytes[from])) from++;
  while (to > from && isSpace(bytes[to - 1])) to--;
  return bytes.subarray(from, to);
}
