/** A set of object keys in S3's order: that of their UTF-8 bytes. */
export class SortedKeys {
  private readonly keys: string[] = [];
  /** Native comparison goes by UTF-16 units, which is UTF-8's order only below the surrogates. */
  private compare: (a: string, b: string) => number = compareUnits;

  static from(keys: Iterable<string>): SortedKeys {
    const sorted = new SortedKeys();
    for (const key of keys) sorted.keys.push(key);
    if (sorted.keys.some(beyondPlainOrder)) sorted.compare = compareCodePoints;
    sorted.keys.sort(sorted.compare);
    return sorted;
  }

  get size(): number {
    return this.keys.length;
  }

  at(index: number): string | undefined {
    return this.keys[index];
  }

  add(key: string): void {
    if (this.compare === compareUnits && beyondPlainOrder(key)) {
      this.compare = compareCodePoints;
      this.keys.sort(this.compare);
    }
    const index = this.indexFrom(key);
    if (this.keys[index] !== key) this.keys.splice(index, 0, key);
  }

  delete(key: string): void {
    const index = this.indexFrom(key);
    if (this.keys[index] === key) this.keys.splice(index, 1);
  }

  /** Index of the first key at or after `key`. */
  indexFrom(key: string): number {
    return this.search((candidate) => this.compare(candidate, key) < 0);
  }

  /** Index of the first key after `key`. */
  indexAfter(key: string): number {
    return this.search((candidate) => this.compare(candidate, key) <= 0);
  }

  /** Index of the first key after all that start with `prefix`. */
  indexAfterPrefix(prefix: string): number {
    return this.search((candidate) => candidate.startsWith(prefix) || this.compare(candidate, prefix) < 0);
  }

  private search(before: (key: string) => boolean): number {
    let low = 0;
    for (let high = this.keys.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (before(this.keys[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compareUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function beyondPlainOrder(key: string): boolean {
  return /[\ud800-\uffff]/.test(key);
}
