import { appendMutants } from './append';
import { foldMutants } from './fold';
import type { Mutant } from './mutant';
import { readingMutants } from './reading';

const single: readonly Mutant[] = [...appendMutants, ...readingMutants, ...foldMutants];

/** A rule that only saves work, and the one behind it which that makes necessary: both broken, under plain seeds. */
function together(saving: string, needed: string): Mutant {
  const [first, second] = [saving, needed].map((name) => single.find((mutant) => mutant.name === name)!);
  return {
    name: `${saving} + ${needed}`,
    bug: 'both, without faults made for either',
    inject: (plain, seam) => second!.inject(first!.inject(plain, seam), seam),
  };
}

export const mutants: readonly Mutant[] = [
  ...single,
  together('leases-unconditional', 'commit-unconditional'),
  together('task-claimed-by-all', 'build-not-pinned'),
  together('leader-lock-unconditional', 'freeze-not-fixed'),
];
export type { Mutant };
