/** `--mutants` and `--rivals` of `npm run simulate`: what the simulator finds where the protocol is broken, or another. */
import { mutants } from '../../simulation/mutants';
import { checkMutant, isAsExpected, verdictTable, type Verdict } from '../../simulation/mutants/check';
import { Comparison, damageTable } from '../../simulation/rivals/compare';
import { count, ProgressDisplay, table } from './terminal';

export interface CheckOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly faultRate: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** The partition trigger logs to stdout, as functions do; here stdout is the result's. @returns what prints it */
function silenceFunctions(): (text: string) => void {
  const { log } = console;
  console.log = () => undefined;
  return log;
}

const secondsSince = (started: number): number => Math.round((performance.now() - started) / 100) / 10;

function summary({ mutant, tried, caught, spoiled }: Verdict): object {
  const { name, bug, survives } = mutant;
  return { name, bug, ...(survives === undefined ? {} : { survives }), tried, caught, spoiled };
}

/** Every deliberate bug, with at most `seeds` seeds each. @returns the exit code */
export async function runMutants({ firstSeed, seeds, json, signal }: CheckOptions): Promise<number> {
  const print = silenceFunctions();
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const started = performance.now();
  const verdicts: Verdict[] = [];
  for (const mutant of mutants) {
    if (signal.aborted) break;
    const verdict = await checkMutant(mutant, { firstSeed, seeds, signal }, ({ seed }) => {
      const line = `${verdicts.length} of ${mutants.length} mutants; ${mutant.name}: seed ${seed}`;
      display.update([line], line);
    });
    verdicts.push(verdict);
    for (const { seed, control } of verdict.spoiled) {
      display.say(`seed ${seed} fails without ${mutant.name} too: ${control[0]}`);
    }
    if (!isAsExpected(verdict) && !signal.aborted) {
      display.say(`${mutant.name}: ${verdict.caught?.violation ?? `not caught by ${count(seeds)} seeds`}`);
    }
  }
  const ok = !signal.aborted && verdicts.every((verdict) => isAsExpected(verdict) && verdict.spoiled.length === 0);
  const seconds = secondsSince(started);
  if (json) print(JSON.stringify({ ok, seconds, mutants: verdicts.map(summary) }));
  else {
    const caught = verdicts.filter((verdict) => verdict.caught !== undefined).length;
    const harmless = verdicts.filter(({ mutant }) => mutant.survives !== undefined).length;
    print(table(verdictTable(verdicts)).join('\n'));
    print(`${caught} of ${verdicts.length - harmless} bugs caught, ${harmless} harmless, in ${seconds} s`);
  }
  if (signal.aborted) return 130;
  return ok ? 0 : 1;
}

/** Every design under the same seeds. @returns the exit code */
export async function runRivals({ firstSeed, seeds, faultRate, json, signal }: CheckOptions): Promise<number> {
  const print = silenceFunctions();
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const started = performance.now();
  const comparison = new Comparison();
  for (let seed = firstSeed; seed < firstSeed + seeds && !signal.aborted; seed++) {
    await comparison.run(seed, faultRate);
    const line = `${count(seed - firstSeed + 1)} of ${count(seeds)} seeds`;
    display.update([line], line);
  }
  const ours = comparison.damages.at(-1)!;
  const ok = ours.lost + ours.duplicated + ours.stuck === 0 && ours.seeds > 0;
  const seconds = secondsSince(started);
  if (json) print(JSON.stringify({ ok, seconds, faultRate, designs: comparison.damages }));
  else {
    print(table(damageTable(comparison.damages)).join('\n'));
    print(`${count(ours.seeds)} seeds each, in ${seconds} s`);
  }
  if (signal.aborted) return 130;
  return ok ? 0 : 1;
}
