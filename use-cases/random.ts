/**
 * Randomness by position: every value is a hash of its keys, so that a simulator can give the reading of any moment
 * without having simulated the moments before it.
 */

// Looked up once: a simulated day hashes some ten million times.
const { PI, cos, floor, imul, log, sqrt } = Math;

/**
 * A 32-bit hash of whole numbers below 2^53.
 * @see https://github.com/aappleby/smhasher MurmurHash3 (x86, 32 bit): its mixing constants and finalizer
 */
export function hash(...keys: readonly number[]): number {
  let state = 0;
  for (const key of keys) {
    state = mix(state, key | 0);
    state = mix(state, floor(key / 0x1_0000_0000) | 0);
  }
  state ^= state >>> 16;
  state = imul(state, 0x85ebca6b);
  state ^= state >>> 13;
  state = imul(state, 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

function mix(state: number, block: number): number {
  let key = imul(block, 0xcc9e2d51);
  key = (key << 15) | (key >>> 17);
  const mixed = state ^ imul(key, 0x1b873593);
  return (imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Uniform in [0, 1). */
export function uniform(...keys: readonly number[]): number {
  return hash(...keys) / 0x1_0000_0000;
}

/** Uniform in [low, high). */
export function between(low: number, high: number, ...keys: readonly number[]): number {
  return low + (high - low) * uniform(...keys);
}

/** Standard normal, by Box and Muller's transform. */
export function gaussian(...keys: readonly number[]): number {
  const radius = sqrt(-2 * log(1 - uniform(...keys, 1)));
  return radius * cos(2 * PI * uniform(...keys, 2));
}

/**
 * Noise that wanders: uniform values in [−1, 1) at multiples of `period`, joined smoothly (value noise).
 * @param time Epoch milliseconds.
 * @param period Milliseconds between the values that are joined.
 */
export function wander(time: number, period: number, ...keys: readonly number[]): number {
  const step = floor(time / period);
  const share = time / period - step;
  const weight = share * share * (3 - 2 * share);
  const before = between(-1, 1, ...keys, step);
  const after = between(-1, 1, ...keys, step + 1);
  return before + (after - before) * weight;
}
