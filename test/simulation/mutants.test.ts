/** Bugs that are put into the protocol must be found: a few here, all of them by `npm run simulate -- --mutants`. */
import { mutants } from '../../simulation/mutants';
import { checkMutant, isAsExpected } from '../../simulation/mutants/check';

/** Of each kind of rule one, such as most seeds find, and the invariants that it breaks: which one comes first varies. */
const QUICK: readonly [name: string, invariants: RegExp][] = [
  ['commit-without-id', /^I[34]$/],
  ['commit-before-put', /^I3$/],
  ['overwrite-allowed', /^I6$/],
  ['idle-with-rows-buffered', /^I6$/],
  ['iterator-skips', /^I1$/],
  ['tail-not-frozen', /^I6$/],
  ['dedupe-by-arrival-only', /^I6$/],
];

test.each(QUICK)('%s is caught by %s, and the product passes under the same faults', async (name, invariants) => {
  const mutant = mutants.find((candidate) => candidate.name === name)!;
  const verdict = await checkMutant(mutant, { firstSeed: 1, seeds: 20 });
  expect(verdict.spoiled).toEqual([]);
  expect(verdict.caught?.invariant).toMatch(invariants);
});

test('a mutant has a name of its own, says what it breaks, and is expected to be caught unless it says why not', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  const [harmful, harmless] = [true, false].map((is) =>
    mutants.find(({ survives }) => (survives === undefined) === is)!,
  );
  const caught = { seed: 1, invariant: 'I1', violation: 'I1 1 elements are lost' };
  expect(isAsExpected({ mutant: harmful!, tried: 1, caught, spoiled: [] })).toBe(true);
  expect(isAsExpected({ mutant: harmful!, tried: 1, spoiled: [] })).toBe(false);
  expect(isAsExpected({ mutant: harmless!, tried: 1, spoiled: [] })).toBe(true);
  expect(isAsExpected({ mutant: harmless!, tried: 1, caught, spoiled: [] })).toBe(false);
});
