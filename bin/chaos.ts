/** `npm run chaos`: the local run's real processes under faults, round after round, each judged exactly. */
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeFault, planRound, type FaultKind } from '../chaos/plan';
import { runRound, type RoundResult } from '../chaos/round';
import { buildApp } from './app';
import { integerOption, parseCommand, pause, runCommand, stopSignal } from './support/command-line';
import { count, ProgressDisplay, table } from './support/terminal';

const USAGE = `Usage: npm run chaos -- [--rounds N] [--seed S] [--json]
Each round publishes a backlog to a fresh local run while its processes are killed, paused and replaced, its connections cut, its
services throttle and fail, and its stream is resharded; then everything must be as a plain computation over what was sent says.
  --rounds N  how many (default 3); about a minute each
  --seed S    the first round's seed (default 1), the next has the next; a round's faults and their times are its seed's`;

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      rounds: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
    USAGE,
  );
  const rounds = integerOption('rounds', values.rounds, 1, 100_000);
  const first = integerOption('seed', values.seed, 0, 2 ** 31 - 1);
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const signal = stopSignal();
  // Every fault and every device waits on it.
  setMaxListeners(0, signal);
  const directory = mkdtempSync(path.join(tmpdir(), 'chaos-'));
  const assembly = path.join(directory, 'cdk.out');
  display.say('Synthesizing the app for the environment "local"…');
  buildApp('local', assembly).synth();
  const began = performance.now();
  const results: RoundResult[] = [];
  for (let seed = first; seed < first + rounds && !signal.aborted; seed++) {
    const stateDirectory = path.join(directory, `round-${seed}`);
    display.say(`round ${seed}: ${planRound(seed).map(describeFault).join('; ')}`);
    const result = await runRound({
      seed,
      assembly,
      stateDirectory,
      signal,
      sleep: (ms) => pause(ms, signal),
      monotonic: () => performance.now(),
      now: () => Date.now(),
      after: (ms, callback) => void setTimeout(callback, ms),
      say: (text) => display.say(`  ${text}`),
    });
    if (result === undefined) break;
    results.push(result);
    display.say(describe(result));
    if (result.problems.length === 0) rmSync(stateDirectory, { recursive: true, force: true });
    else {
      for (const problem of result.problems) display.say(`  PROBLEM ${problem}`);
      display.say(`  npm run chaos -- --rounds 1 --seed ${seed}    state and logs: ${stateDirectory}`);
    }
  }
  const failed = results.filter(({ problems }) => problems.length > 0);
  if (failed.length === 0) rmSync(directory, { recursive: true, force: true });
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const summary = { ok: failed.length === 0 && !signal.aborted, seconds, ...totals(results) };
  if (values.json) console.log(JSON.stringify({ ...summary, failed }));
  else for (const line of lines(summary, results)) console.log(line);
  return summary.ok ? 0 : signal.aborted ? 130 : 1;
}

function describe({
  seed,
  problems,
  published,
  folded,
  duplicates,
  quarantined,
  generations,
  partitions,
  executions,
  restSeconds,
}: RoundResult): string {
  const verdict = problems.length === 0 ? 'as it must be' : `${count(problems.length)} PROBLEMS`;
  return (
    `round ${seed}: ${verdict}; ${count(published)} readings = ${count(folded)} folded + ${count(duplicates)} duplicates + ${count(quarantined)} quarantined, ` +
    `${count(partitions)} partitions in ${count(generations)} generations, ${count(executions)} executions, at rest ${restSeconds} s after the faults`
  );
}

function totals(results: readonly RoundResult[]) {
  const sum = (of: (result: RoundResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const faults: Partial<Record<FaultKind, number>> = {};
  const exits: Record<string, number> = {};
  for (const { kind } of results.flatMap((result) => result.faults)) faults[kind] = (faults[kind] ?? 0) + 1;
  for (const [code, tasks] of results.flatMap((result) => Object.entries(result.exits))) {
    exits[code] = (exits[code] ?? 0) + tasks;
  }
  return {
    rounds: results.length,
    failedRounds: results.filter(({ problems }) => problems.length > 0).length,
    faults,
    exits,
    published: sum(({ published }) => published),
    folded: sum(({ folded }) => folded),
    duplicates: sum(({ duplicates }) => duplicates),
    quarantined: sum(({ quarantined }) => quarantined),
    partitions: sum(({ partitions }) => partitions),
    generations: sum(({ generations }) => generations),
    executions: sum(({ executions }) => executions),
    longestRestSeconds: Math.max(0, ...results.map(({ restSeconds }) => restSeconds)),
  };
}

function lines(summary: { seconds: number } & ReturnType<typeof totals>, results: readonly RoundResult[]): string[] {
  const { faults, exits, ...rest } = summary;
  return [
    `${count(results.length)} rounds in ${summary.seconds} s, ${count(rest.failedRounds)} failed`,
    ...table([
      ['fault', 'times'],
      ...Object.entries(faults)
        .sort()
        .map(([kind, times]) => [kind, count(times)]),
    ]),
    ...table([
      ['exit code of a task', 'times'],
      ...Object.entries(exits)
        .sort()
        .map(([code, tasks]) => [code, count(tasks)]),
    ]),
    `${count(rest.published)} readings published = ${count(rest.folded)} folded + ${count(rest.duplicates)} duplicates + ${count(rest.quarantined)} quarantined`,
    `${count(rest.partitions)} partitions in ${count(rest.generations)} generations, ${count(rest.executions)} executions; longest way to rest ${rest.longestRestSeconds} s`,
  ];
}

runCommand(main);
