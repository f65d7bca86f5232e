/**
 * What consumer/kcl costs, beside what one would use without it, in one run:
 * `npm run bench:kcl -- [section...] [options]`.
 */
import { integerOption, parseCommand, runCommand, stopSignal, UserError } from '../bin/support/command-line';
import { deaggregateSection } from './deaggregate';
import { failoverSection } from './failover/section';
import { fetchSection } from './fetch';
import { leasesSection } from './lease-assignment/section';
import type { Section, SectionOptions } from './section';

const SECTIONS: readonly Section[] = [fetchSection, deaggregateSection, leasesSection, failoverSection];

const USAGE = `npm run bench:kcl -- [section...] [options]
  sections: ${SECTIONS.map(({ name }) => name).join(', ')}; without any, all of them in this order
  --rounds <n>         rounds of each CPU measurement (15)
  --shards <n>         shards of the lease assignment's simulation (10000)
  --workers <n>        its workers (500); a fifth of them is added, and killed
  --failovers <n>      failovers of each kind (5)
  --signal <name>      only those by SIGKILL, or by SIGTERM
  --failover-time <ms> failoverTimeMillis of the failovers (10000)
  --json               one object on stdout`;

function signalOption(text: string | undefined): SectionOptions['failoverSignal'] {
  if (text === undefined || text === 'SIGKILL' || text === 'SIGTERM') return text;
  throw new UserError(`--signal is "${text}": it must be SIGKILL or SIGTERM.`);
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(
    args,
    {
      rounds: { type: 'string', default: '15' },
      shards: { type: 'string', default: '10000' },
      workers: { type: 'string', default: '500' },
      failovers: { type: 'string', default: '5' },
      signal: { type: 'string' },
      'failover-time': { type: 'string', default: '10000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    USAGE,
    true,
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const unknown = (positionals as string[]).find((name) => !SECTIONS.some((section) => section.name === name));
  if (unknown !== undefined) throw new UserError(`There is no section "${unknown}".\n${USAGE}`);
  const chosen =
    positionals.length === 0 ? SECTIONS : SECTIONS.filter(({ name }) => (positionals as string[]).includes(name));
  const signal = stopSignal();
  const common: Omit<SectionOptions, 'progress'> = {
    rounds: integerOption('rounds', values.rounds, 1, 1_000),
    shards: integerOption('shards', values.shards, 1, 100_000),
    workers: integerOption('workers', values.workers, 5, 5_000),
    failovers: integerOption('failovers', values.failovers, 1, 100),
    failoverSignal: signalOption(values.signal),
    failoverTimeMillis: integerOption('failover-time', values['failover-time'], 1_000, 60_000),
    signal,
  };
  const all: Record<string, readonly object[]> = {};
  for (const section of chosen) {
    const progress = (line: string): void => void process.stderr.write(`${section.name}: ${line}\n`);
    const result = await section.run({ ...common, progress }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (signal.aborted || !result) return 130;
    const { title, lines, results } = result;
    all[section.name] = results;
    if (!values.json) console.log([title, ...lines, ''].join('\n'));
  }
  if (values.json) console.log(JSON.stringify(all, undefined, 2));
  return 0;
}

runCommand(main);
