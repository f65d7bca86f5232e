/** JSON text as bytes: what the fast path's readers share. Texts here are ASCII; positions beyond the end match nothing. */

/** Position of the first byte from `at` on that is not JSON's white space. */
export function afterSpace(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at;
    at++;
  }
}

/** True where `text` stands in `bytes` from `start`. */
export function standsAt(text: string, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Member names of one kind of object. Writers keep to one order, so the name that came next the last time is tried first. */
export class MemberNames {
  /** In their quotes. */
  private readonly quoted: readonly string[];
  /** By index + 1, or 0 for the beginning: the name that came next the last time. */
  private readonly following: Int32Array;

  constructor(names: readonly string[]) {
    this.quoted = names.map((name) => `"${name}"`);
    this.following = Int32Array.from([...names.keys(), 0]);
  }

  /** Index of the name that stands at `at`, in quotes; -1 for none of them. `previous`: the one before, or -1. */
  find(bytes: Uint8Array, at: number, previous: number): number {
    const expected = this.following[previous + 1]!;
    if (standsAt(this.quoted[expected]!, bytes, at)) return expected;
    for (let index = 0; index < this.quoted.length; index++) {
      if (standsAt(this.quoted[index]!, bytes, at)) return (this.following[previous + 1] = index);
    }
    return -1;
  }

  /** Bytes of the name with its quotes. */
  length(index: number): number {
    return this.quoted[index]!.length;
  }
}
