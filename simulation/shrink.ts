/** The shortest list of faults under which a seed still breaks the same invariant. */
import type { Fault } from './faults';
import { invariantOf } from './observer';
import { simulate, type RunOptions } from './run';

/** Runs that shrinking may take: a fault list of a hundred needs about as many. */
const MAXIMUM_RUNS = 200;
/** A run that is stuck is not waited out while it is shrunk, only at the end. Milliseconds. */
const PATIENCE_MS = 400_000;

/**
 * Leaves out halves, quarters, … and at last single faults for as long as the run still fails (delta debugging, Zeller and
 * Hildebrandt 2002). What is left need not be the shortest list there is, but no single one of it can go. The runs stop
 * where they break the invariant or nothing changes any more; what is left is run whole.
 * @param onRun Called after every run with their number and the length of the list so far.
 */
export async function shortestFaults(
  options: RunOptions,
  faults: readonly Fault[],
  invariant: string,
  onRun: (runs: number, left: number) => void = () => undefined,
  run: (options: RunOptions) => Promise<{ readonly violations: readonly string[] }> = simulate,
): Promise<readonly Fault[]> {
  let runs = 0;
  let shortest = faults;
  const quick: RunOptions = { ...options, hasty: true, invariant, patience: PATIENCE_MS };
  const fails = async (candidate: readonly Fault[], how = quick): Promise<boolean> => {
    const { violations } = await run({ ...how, faults: candidate });
    onRun(++runs, shortest.length);
    return violations.some((violation) => invariantOf(violation) === invariant);
  };
  if (await fails([])) shortest = [];
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
  return shortest === faults || (await fails(shortest, options)) ? shortest : faults;
}
