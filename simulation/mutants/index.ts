import { appendMutants } from './append';
import { foldMutants } from './fold';
import type { Mutant } from './mutant';
import { readingMutants } from './reading';

export const mutants: readonly Mutant[] = [...appendMutants, ...readingMutants, ...foldMutants];
export type { Mutant };
