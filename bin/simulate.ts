/** `npm run simulate -- --seeds N`: the production consumer over in-memory services, under faults, in virtual time. */
import { DEFAULT_FAULT_RATE, simulate } from '../simulation/run';
import { integerOption, parseCommand, runCommand, stopSignal, UserError } from './support/command-line';
import { count, ProgressDisplay } from './support/terminal';

const USAGE = `Usage: npm run simulate -- [--seeds N] [--from-seed S] [--fault-rate R] [--json]
  --seeds N       how many schedules (default 20)
  --from-seed S   the first one (default 1); the same seed gives the same history
  --fault-rate R  share of requests that fail, 0 to 0.5 (default ${DEFAULT_FAULT_RATE})`;

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      seeds: { type: 'string', default: '20' },
      'from-seed': { type: 'string', default: '1' },
      'fault-rate': { type: 'string', default: String(DEFAULT_FAULT_RATE) },
      json: { type: 'boolean', default: false },
    },
    USAGE,
  );
  const seeds = integerOption('seeds', values.seeds, 1, 10_000_000);
  const first = integerOption('from-seed', values['from-seed'], 0, 2 ** 31 - 1);
  const faultRate = Number(values['fault-rate']);
  if (!(faultRate >= 0 && faultRate <= 0.5)) throw new UserError(`--fault-rate is a number from 0 to 0.5.\n${USAGE}`);
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const signal = stopSignal();
  const totals = { seeds: 0, requests: 0, failedRequests: 0, crashes: 0, commits: 0, seals: 0 };
  const failing: { seed: number; violations: readonly string[] }[] = [];
  const started = performance.now();
  for (let seed = first; seed < first + seeds && !signal.aborted; seed++) {
    const result = await simulate({ seed, faultRate });
    totals.seeds += 1;
    totals.requests += result.requests;
    totals.failedRequests += result.failedRequests;
    totals.crashes += result.crashes;
    totals.commits += result.commits;
    totals.seals += result.seals;
    if (result.violations.length > 0) {
      failing.push({ seed, violations: result.violations });
      display.say(
        `seed ${seed}: ${result.violations[0]}\n  npm run simulate -- --seeds 1 --from-seed ${seed} --fault-rate ${faultRate}`,
      );
    }
    const line = `${count(totals.seeds)} of ${count(seeds)} seeds, ${failing.length} failing`;
    display.update([line], line);
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (values.json) console.log(JSON.stringify({ ok: failing.length === 0, seconds, ...totals, failing }));
  else {
    console.log(
      `${count(totals.seeds)} seeds in ${seconds} s: ${count(totals.requests)} requests, ${count(totals.failedRequests)} of them failed, ` +
        `${count(totals.crashes)} crashes, ${count(totals.commits)} commits, ${count(totals.seals)} seals, ${failing.length} failing seeds`,
    );
  }
  return failing.length === 0 ? 0 : 1;
}

runCommand(main);
