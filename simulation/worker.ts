/** A process that simulates the seeds it is sent, one at a time; its parent bundles it (bin/support/simulation-workers). */
import { describeFault } from './faults';
import { simulate, type RunResult } from './run';
import { invariantOf } from './observer';
import { shortestFaults } from './shrink';

export interface SeedRequest {
  readonly seed: number;
  readonly faultRate: number;
}

export type SeedOutcome = Omit<RunResult, 'faults'> & {
  /** Of a failing seed: the shortest fault list that still breaks the invariant which broke first, for people. */
  readonly shortest?: readonly string[];
};

/** Of the shrinking of a failing seed. */
export interface Shrinking {
  readonly seed: number;
  readonly runs: number;
  /** Faults that are left. */
  readonly faults: number;
}

export async function runSeed(
  { seed, faultRate }: SeedRequest,
  onShrinking: (shrinking: Shrinking) => void,
): Promise<SeedOutcome> {
  const { faults, ...outcome } = await simulate({ seed, faultRate });
  const [first] = outcome.violations;
  if (first === undefined) return outcome;
  const shortest = await shortestFaults({ seed, faultRate }, faults, invariantOf(first), (runs, left) =>
    onShrinking({ seed, runs, faults: left }),
  );
  return { ...outcome, shortest: shortest.map(describeFault) };
}

if (process.send !== undefined) {
  // Ctrl-C reaches the whole process group; the parent says when to end.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (request: SeedRequest) => {
    void runSeed(request, (shrinking) => process.send!({ shrinking })).then(
      (outcome) => process.send!({ outcome }),
      (error: Error) => process.send!({ error: `seed ${request.seed}: ${error.stack}` }),
    );
  });
}
