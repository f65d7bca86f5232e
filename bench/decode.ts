/**
 * The decoder's two paths over the same records, into batches as the append does it: `npm run bench:decode`. The paths take
 * turns, so that a slow moment of the machine hits both; the ratio is that of each pair of turns.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { integerOption, parseCommand, runCommand, stopSignal } from '../bin/support/command-line';
import type * as Turns from './decode-turns';
import type { Pair } from './decode-turns';
import { median } from './measure';

const USAGE = `npm run bench:decode -- [options]
  --records <n>  records of each use case and kind (20000)
  --rounds <n>   pairs of turns (15)
  --json         one object on stdout`;

const WARM_UP = 2;

/** The measured code as the consumer's image holds it: run by tsx, each call of an import costs a getter more. */
function bundled(): typeof Turns {
  const directory = mkdtempSync(path.join(tmpdir(), 'bench-decode-'));
  try {
    const outfile = path.join(directory, 'decode-turns.cjs');
    buildSync({
      entryPoints: [path.join(__dirname, 'decode-turns.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
    });
    return createRequire(__filename)(outfile) as typeof Turns;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Measured {
  readonly fastReadingsPerCpuSecond: number;
  readonly slowReadingsPerCpuSecond: number;
  /** Slow time by fast time: median, lowest and highest over the pairs. */
  readonly ratio: number;
  readonly lowestRatio: number;
  readonly highestRatio: number;
}

/** Undefined once the signal aborts. */
async function measure(
  turns: Iterator<Pair, never>,
  rounds: number,
  signal: AbortSignal,
): Promise<Measured | undefined> {
  const measured: Pair[] = [];
  for (let round = -WARM_UP; round < rounds; round++) {
    // Lets a Ctrl-C in.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) return undefined;
    const pair = turns.next().value;
    if (round >= 0) measured.push(pair);
  }
  const ratios = measured.map(({ fast, slow }) => slow / fast);
  const rounded = (ratio: number): number => Math.round(ratio * 100) / 100;
  return {
    fastReadingsPerCpuSecond: Math.round(1e9 / median(measured.map(({ fast }) => fast))),
    slowReadingsPerCpuSecond: Math.round(1e9 / median(measured.map(({ slow }) => slow))),
    ratio: rounded(median(ratios)),
    lowestRatio: rounded(Math.min(...ratios)),
    highestRatio: rounded(Math.max(...ratios)),
  };
}

function line(result: Measured): string {
  const thousands = (speed: number): string => (speed / 1_000).toFixed(0).padStart(6);
  return (
    `fast ${thousands(result.fastReadingsPerCpuSecond)}  slow ${thousands(result.slowReadingsPerCpuSecond)}  ` +
    `${result.ratio.toFixed(2)}x (${result.lowestRatio.toFixed(2)} to ${result.highestRatio.toFixed(2)})`
  );
}

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      records: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '15' },
      json: { type: 'boolean', default: false },
    },
    USAGE,
  );
  const count = integerOption('records', values.records, 100, 1_000_000);
  const rounds = integerOption('rounds', values.rounds, 3, 1_000);
  const signal = stopSignal();
  const { samples, pairs } = bundled();
  const results = [];
  for (const each of samples(count)) {
    const decode = await measure(pairs(each, false), rounds, signal);
    const append = await measure(pairs(each, true), rounds, signal);
    if (decode === undefined || append === undefined) return 130;
    results.push({ sample: each.name, readings: each.readings, decode, append });
    process.stderr.write(`${each.name}: ${decode.ratio}x\n`);
  }
  if (values.json) console.log(JSON.stringify({ rounds, results }, undefined, 2));
  else {
    console.log(
      `Thousands of readings per CPU-second of one thread; medians of ${rounds} pairs of turns, ratios from lowest to highest`,
    );
    for (const { sample, decode, append } of results) {
      console.log(sample);
      console.log(`  decode                     ${line(decode)}`);
      console.log(`  decode, into batch columns ${line(append)}`);
    }
  }
  return 0;
}

runCommand(main);
