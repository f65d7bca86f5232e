/** A seeded generator of numbers in [0, 1): the 32-bit "mulberry" mixer. The same seed gives the same sequence. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `count` of the numbers 0 … total − 1, ascending, each subset equally likely. */
export function sampleIndexes(total: number, count: number, random: () => number): Int32Array {
  const chosen = new Int32Array(count);
  let taken = 0;
  for (let index = 0; index < total && taken < count; index++) {
    if (random() * (total - index) < count - taken) chosen[taken++] = index;
  }
  return chosen;
}
