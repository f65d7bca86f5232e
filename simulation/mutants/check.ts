/** Looks for a seed whose run fails with the bug and passes without it. */
import { describeFault, type Fault } from '../faults';
import { invariantOf } from '../observer';
import { Random } from '../random';
import { planOf, simulate } from '../run';
import { sizeOf } from '../size';
import type { Mutant } from './mutant';

export interface Trial {
  readonly seed: number;
  /** Of the run with the bug; empty where it passed. */
  readonly violations: readonly string[];
  /** Of the run without it, under the same faults; not asked where the other one passed. */
  readonly control: readonly string[];
}

export function faultsFor(mutant: Mutant, seed: number): readonly Fault[] {
  const more = mutant.schedule?.(new Random(seed, mutant.name), sizeOf(seed)) ?? [];
  return [...planOf(seed), ...more].sort((a, b) => a.at - b.at);
}

export async function tryMutant(mutant: Mutant, seed: number): Promise<Trial> {
  const { inject, service = (plain) => plain } = mutant;
  const options = { seed, faults: faultsFor(mutant, seed) };
  const broken = { ...mutant, inject: (plain, seam) => inject(service(plain, seam), seam) } satisfies Mutant;
  const { violations } = await simulate({ ...options, hasty: true, mutant: broken });
  if (violations.length === 0) return { seed, violations, control: [] };
  const control = await simulate({ ...options, mutant: { ...mutant, inject: service } });
  return { seed, violations, control: control.violations };
}

export interface Verdict {
  readonly mutant: Mutant;
  /** Seeds that were tried. */
  readonly tried: number;
  /** The one that told the bug from the product, if any. */
  readonly caught?: { readonly seed: number; readonly invariant: string; readonly violation: string };
  /** Seeds on which the product failed too: a bug of the product, or of the simulator. */
  readonly spoiled: readonly Trial[];
}

/** @param onTrial Called after every seed. @returns after the first seed that catches the bug, or after `seeds` */
export async function checkMutant(
  mutant: Mutant,
  { firstSeed, seeds, signal }: { readonly firstSeed: number; readonly seeds: number; readonly signal?: AbortSignal },
  onTrial: (trial: Trial) => void = () => undefined,
): Promise<Verdict> {
  const spoiled: Trial[] = [];
  let tried = 0;
  for (let seed = firstSeed; tried < seeds && signal?.aborted !== true; seed++) {
    tried++;
    const trial = await tryMutant(mutant, seed);
    onTrial(trial);
    const [violation] = trial.violations;
    if (violation === undefined) continue;
    if (trial.control.length > 0) {
      spoiled.push(trial);
      continue;
    }
    return { mutant, tried, caught: { seed: trial.seed, invariant: invariantOf(violation), violation }, spoiled };
  }
  return { mutant, tried, spoiled };
}

/** As expected: caught, or a survivor that nothing caught. */
export function isAsExpected({ mutant, caught }: Verdict): boolean {
  return (caught === undefined) === (mutant.survives !== undefined);
}

/** Rows for a table; the first names the columns. */
export function verdictTable(verdicts: readonly Verdict[]): string[][] {
  return [
    ['mutant', 'what it breaks', 'caught by', 'seeds'],
    ...verdicts.map(({ mutant, tried, caught }) => [
      mutant.name,
      mutant.bug,
      caught?.violation ?? (mutant.survives === undefined ? 'NOT CAUGHT' : `harmless: ${mutant.survives}`),
      String(tried),
    ]),
  ];
}

export const describeTrial = (mutant: Mutant, { seed }: Trial): string[] => faultsFor(mutant, seed).map(describeFault);
