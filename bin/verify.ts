/** `npm run verify`: re-hashes and recounts the lake, and compares files, manifests, registry, ledger and leases. */
import { DynamoDbLeaseRefresher } from '../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import { adapters } from '../consumer/kcl';
import { verify, type Verification } from '../operations/verify';
import type { LeaseView } from '../operations/verify-shards';
import { integerOption, parseCommand, runCommand } from './support/command-line';
import {
  chosenUseCases,
  hourRange,
  LAKE_OPTIONS,
  LAKE_USAGE,
  openLake,
  showProgress,
  type LakeTarget,
} from './support/lake-target';
import { count, ProgressDisplay, table } from './support/terminal';

const USAGE = `Usage: npm run verify -- [--use-case NAME] [--from HOUR] [--to HOUR] [--readings-expiry DAYS]
Reads every file of the hours (all by default) and says what does not agree. Changes nothing.
  --from HOUR, --to HOUR  UTC, YYYY-MM-DDTHH or YYYY-MM-DD; --to is exclusive
  --readings-expiry DAYS  readingsExpiry of the environment: sealed hours that are older may lack segments
${LAKE_USAGE}`;

const DAY_MS = 86_400_000;
const REQUEST_TIMEOUT_MS = 10_000;

async function main(args: string[]): Promise<number> {
  const options = {
    'use-case': { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    'readings-expiry': { type: 'string' },
    ...LAKE_OPTIONS,
  } as const;
  const { values } = parseCommand(args, options, USAGE);
  const useCases = chosenUseCases(values['use-case']);
  const range = hourRange(values);
  const expiry = values['readings-expiry'];
  const readingsExpiredBefore =
    expiry === undefined
      ? {}
      : { readingsExpiredBefore: Date.now() - integerOption('readings-expiry', expiry, 1, 36_500) * DAY_MS };
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());
  const target = await openLake(values, display);
  try {
    const request = { useCases, leases: await readLeases(target), ...range, ...readingsExpiredBefore };
    const result = await verify(target.lake, request, showProgress(display));
    const problems = problemsOf(result);
    const summary = { ok: problems.length === 0, ...totals(result), ...shardTotals(result), problems };
    if (values.json) console.log(JSON.stringify({ ...summary, partitions: result.partitions, logs: result.shards }));
    else print(result, problems, display);
    return summary.ok ? 0 : 1;
  } finally {
    await target.close();
  }
}

async function readLeases({ dynamodb, leaseTable }: LakeTarget): Promise<LeaseView[]> {
  const refresher = new DynamoDbLeaseRefresher({
    dynamodb: adapters.dynamoFromSdk(dynamodb),
    clock: adapters.systemClock,
    log: () => undefined,
    tableName: leaseTable,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  return (await refresher.listLeases()).map(({ leaseKey, checkpoint }) => ({ shardId: leaseKey, ...checkpoint }));
}

function problemsOf({ partitions, shards, problems }: Verification): string[] {
  return [
    ...partitions.flatMap((each) => each.problems.map((problem) => `${each.useCase} ${each.hour}: ${problem}`)),
    ...shards.flatMap((each) => each.problems.map((problem) => `${each.shardId}: ${problem}`)),
    ...problems,
  ];
}

function totals({ partitions, conservation }: Verification) {
  const sum = (of: (partition: Verification['partitions'][number]) => number): number =>
    partitions.reduce((total, partition) => total + of(partition), 0);
  return {
    hours: partitions.length,
    files: sum(({ files }) => files),
    expired: sum(({ expired }) => expired),
    readings: sum(({ readings }) => readings),
    folded: sum(({ folded }) => folded),
    duplicates: sum(({ duplicates }) => duplicates),
    conservation,
  };
}

function shardTotals({ shards }: Verification) {
  return {
    shards: shards.length,
    records: shards.reduce((sum, { records }) => sum + records, 0),
    quarantined: shards.reduce((sum, { quarantined }) => sum + quarantined, 0),
  };
}

function print(result: Verification, problems: readonly string[], display: ProgressDisplay): void {
  const names = [...new Set(result.partitions.map(({ useCase }) => useCase))];
  const rows = names.map((name) => {
    const partitions = result.partitions.filter(({ useCase }) => useCase === name);
    const { hours, files, readings, folded, duplicates } = totals({ ...result, partitions });
    return [name, ...[hours, files, readings, folded, duplicates].map(count)];
  });
  for (const line of table([['use case', 'hours', 'files hashed', 'readings', 'folded', 'duplicates'], ...rows]))
    display.say(line);
  const { shards, records, quarantined } = shardTotals(result);
  display.say(
    `${count(shards)} shards: ${count(records)} records committed, ${count(quarantined)} entries quarantined`,
  );
  const { expired } = totals(result);
  if (expired > 0) display.say(`note: ${count(expired)} segments have expired; their readings are not hashed`);
  for (const { useCase, hour, notes } of result.partitions) {
    for (const note of notes) display.say(`note: ${useCase} ${hour}: ${note}`);
  }
  for (const { shardId, notes } of result.shards) for (const note of notes) display.say(`note: ${shardId}: ${note}`);
  if (result.conservation === 'not checked') {
    display.say(
      'note: ledger and partitions were not compared as wholes: that needs all hours, and nothing committed meanwhile',
    );
  }
  for (const problem of problems) display.say(`PROBLEM ${problem}`);
  display.say(problems.length === 0 ? 'Everything agrees.' : `${count(problems.length)} problems.`);
}

runCommand(main);
