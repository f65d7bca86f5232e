/** Every deliberate bug of the simulator: caught within a few seeds, or harmless as it says. */
import { mutants } from '../../simulation/mutants';
import { checkMutant } from '../../simulation/mutants/check';

const SEEDS = 20;

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))('%s', async (_name, mutant) => {
  const verdict = await checkMutant(mutant, { firstSeed: 1, seeds: SEEDS });
  expect(verdict.spoiled).toEqual([]);
  if (mutant.survives === undefined) expect(verdict.caught).toBeDefined();
  else expect(verdict.caught).toBeUndefined();
});
