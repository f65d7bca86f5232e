/** The shortest list of faults under which a seed still breaks the same invariant. */
import type { Fault } from './faults';
import { simulate, type RunOptions } from './run';

/** Runs that shrinking may take: a fault list of a hundred needs about as many. */
const MAXIMUM_RUNS = 200;

/** `I6` of `I6 … was overwritten`. */
export function invariantOf(violation: string): string {
  return violation.split(' ', 1)[0]!;
}

/**
 * Leaves out halves, quarters, … and at last single faults for as long as the run still fails (delta debugging, Zeller and
 * Hildebrandt 2002). What is left need not be the shortest list there is, but no single one of it can go.
 */
export async function shortestFaults(
  options: RunOptions,
  faults: readonly Fault[],
  invariant: string,
  run: (options: RunOptions) => Promise<{ readonly violations: readonly string[] }> = simulate,
): Promise<readonly Fault[]> {
  let runs = 0;
  let shortest = faults;
  const fails = async (candidate: readonly Fault[]): Promise<boolean> => {
    runs++;
    const { violations } = await run({ ...options, faults: candidate });
    return violations.some((violation) => invariantOf(violation) === invariant);
  };
  if (await fails([])) return [];
  let size = Math.ceil(shortest.length / 2);
  while (size >= 1 && runs < MAXIMUM_RUNS) {
    let dropped = false;
    for (let at = 0; at < shortest.length && runs < MAXIMUM_RUNS;) {
      const candidate = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      if (candidate.length > 0 && (await fails(candidate))) {
        shortest = candidate;
        dropped = true;
      } else at += size;
    }
    // One that could not go before may go now that others are gone.
    if (size === 1 && !dropped) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return shortest;
}
