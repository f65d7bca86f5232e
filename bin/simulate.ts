/** `npm run simulate -- --seeds N`: the production consumer over in-memory services, under faults, in virtual time. */
import { availableParallelism } from 'node:os';
import { DEFAULT_FAULT_RATE } from '../simulation/run';
import type { SeedOutcome, SeedRequest, Shrinking } from '../simulation/worker';
import { integerOption, parseCommand, runCommand, stopSignal, UserError } from './support/command-line';
import { runMutants, runRivals } from './support/simulation-checks';
import { runSeeds } from './support/simulation-workers';
import { count, ProgressDisplay } from './support/terminal';

const USAGE = `Usage: npm run simulate -- [--seeds N] [--from-seed S] [--fault-rate R] [--workers W] [--mutants | --rivals] [--json]
  --seeds N       how many schedules (default 20)
  --from-seed S   the first one (default 1); the same seed gives the same history
  --fault-rate R  share of requests that fail, 0 to 0.5 (default ${DEFAULT_FAULT_RATE})
  --workers W     processes (default: one a core)
  --mutants       deliberate bugs in the protocol instead: each must fail within N seeds where the product passes
  --rivals        common designs beside this one, under the same seeds and faults
A failing seed is run again with fewer and fewer faults, and the shortest list that still fails is printed.`;

interface Failing {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly shortest: readonly string[];
  readonly reproduce: string;
}

/** Sums over the seeds that were run. */
class Totals {
  seeds = 0;
  faults = 0;
  requests = 0;
  failedRequests = 0;
  crashes = 0;
  commits = 0;
  seals = 0;
  elements = 0;
  trimmed = 0;
  lost = 0;
  duplicated = 0;
  stuck = 0;

  add(outcome: SeedOutcome): void {
    const { totals, violations } = outcome;
    this.seeds += 1;
    this.faults += outcome.faultsHit;
    this.requests += outcome.requests;
    this.failedRequests += outcome.failedRequests;
    this.crashes += outcome.crashes;
    this.commits += outcome.commits;
    this.seals += outcome.seals;
    this.elements += totals?.elements ?? 0;
    this.trimmed += totals?.trimmed ?? 0;
    this.lost += totals?.lost ?? 0;
    this.duplicated += totals?.duplicated ?? 0;
    if (violations.some((violation) => violation.startsWith('I8'))) this.stuck += 1;
  }
}

function* seedRequests(first: number, seeds: number, faultRate: number): Generator<SeedRequest> {
  for (let seed = first; seed < first + seeds; seed++) yield { seed, faultRate };
}

function failingOf({ seed, violations, shortest = [] }: SeedOutcome, faultRate: number): Failing {
  const rate = faultRate === DEFAULT_FAULT_RATE ? '' : ` --fault-rate ${faultRate}`;
  const reproduce = `npm run simulate -- --seeds 1 --from-seed ${seed}${rate}`;
  return { seed, violations, shortest, reproduce };
}

function describeFailing({ seed, violations, shortest, reproduce }: Failing): string {
  const faults = shortest.length === 0 ? ['without any fault'] : shortest;
  return [`seed ${seed}: ${violations[0]}`, `  ${reproduce}`, ...faults.map((fault) => `    ${fault}`)].join('\n');
}

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      seeds: { type: 'string', default: '20' },
      'from-seed': { type: 'string', default: '1' },
      'fault-rate': { type: 'string', default: String(DEFAULT_FAULT_RATE) },
      workers: { type: 'string', default: String(availableParallelism()) },
      mutants: { type: 'boolean', default: false },
      rivals: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
    USAGE,
  );
  const seeds = integerOption('seeds', values.seeds, 1, 10_000_000);
  const first = integerOption('from-seed', values['from-seed'], 0, 2 ** 31 - 1);
  const workers = Math.min(seeds, integerOption('workers', values.workers, 1, 256));
  const faultRate = Number(values['fault-rate']);
  if (!(faultRate >= 0 && faultRate <= 0.5)) throw new UserError(`--fault-rate is a number from 0 to 0.5.\n${USAGE}`);
  const signal = stopSignal();
  const check = { firstSeed: first, seeds, faultRate, json: values.json, signal };
  if (values.mutants) return runMutants(check);
  if (values.rivals) return runRivals(check);
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const totals = new Totals();
  const failing: Failing[] = [];
  const started = performance.now();
  const shrinking = new Map<number, string>();
  const rate = (): number => Math.round((totals.seeds / (performance.now() - started)) * 10_000) / 10;
  const onOutcome = (outcome: SeedOutcome): void => {
    totals.add(outcome);
    shrinking.delete(outcome.seed);
    if (outcome.violations.length > 0) {
      const last = failingOf(outcome, faultRate);
      failing.push(last);
      display.say(describeFailing(last));
    }
    show();
  };
  const onShrinking = ({ seed, runs, faults }: Shrinking): void => {
    shrinking.set(seed, `seed ${seed} fails: ${runs} runs with fewer faults, ${faults} faults left`);
    show();
  };
  const show = (): void => {
    const line = `${count(totals.seeds)} of ${count(seeds)} seeds, ${rate()} a second, ${count(totals.faults)} faults, ${failing.length} failing`;
    display.update([line, ...shrinking.values()], [line, ...shrinking.values()].join('; '));
  };
  await runSeeds({ workers, requests: seedRequests(first, seeds, faultRate), onOutcome, onShrinking, signal });
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const ok = failing.length === 0 && totals.seeds > 0;
  if (values.json) {
    console.log(JSON.stringify({ ok, seconds, seedsPerSecond: rate(), workers, faultRate, ...totals, failing }));
  } else {
    console.log(
      `${count(totals.seeds)} seeds in ${seconds} s (${rate()} a second, ${workers} processes): ${count(totals.faults)} faults, ` +
        `${count(totals.failedRequests)} of ${count(totals.requests)} requests failed, ${count(totals.crashes)} crashes, ` +
        `${count(totals.commits)} commits, ${count(totals.seals)} seals, ${count(totals.elements)} elements: ` +
        `${count(totals.lost)} lost, ${count(totals.duplicated)} duplicated, ${count(totals.stuck)} seeds stuck, ` +
        `${count(failing.length)} seeds failing`,
    );
  }
  if (signal.aborted) return 130;
  return ok ? 0 : 1;
}

runCommand(main);
