/** `npm run quarantine -- list | show | retry`: what the decoder refused, why, and once more. */
import { putRecords } from '../operations/put-records';
import { readQuarantine, retry, type QuarantineFilter, type QuarantineGroup } from '../operations/quarantine';
import { UNKNOWN_USE_CASE } from '../consumer/readings/reasons';
import type { QuarantineEntry } from '../lib/contracts/documents';
import { useCases } from '../use-cases';
import { integerOption, parseCommand, pause, runCommand, stopSignal, UserError } from './support/command-line';
import { hourRange, LAKE_OPTIONS, LAKE_USAGE, openLake, type LakeTarget } from './support/lake-target';
import { count, ProgressDisplay, table } from './support/terminal';
import { useCaseOption } from './support/use-case-option';

const USAGE = `Usage: npm run quarantine -- list  [--use-case NAME] [--reason REASON] [--from HOUR] [--to HOUR]
       npm run quarantine -- show  --use-case NAME [--reason …] [--from …] [--to …] [--limit N] [--raw]
       npm run quarantine -- retry --use-case NAME [--reason …] [--from …] [--to …] [--apply]
list counts by use case and reason; show prints entries; retry puts them on the stream again, once, as after a fix of
the schema or the decoder. What is refused again comes back as a new entry.
  --use-case NAME         "${UNKNOWN_USE_CASE}" for records whose topic names none
  --from HOUR, --to HOUR  hours of arrival, UTC, YYYY-MM-DDTHH or YYYY-MM-DD; --to is exclusive
  --limit N               entries to show (default 20)
  --raw                   shows the bytes too, which came from a device
  --apply                 without it, retry says what it would do
${LAKE_USAGE}`;

const COMMANDS = ['list', 'show', 'retry'];

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(
    args,
    {
      'use-case': { type: 'string' },
      reason: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      limit: { type: 'string', default: '20' },
      raw: { type: 'boolean', default: false },
      apply: { type: 'boolean', default: false },
      ...LAKE_OPTIONS,
    },
    USAGE,
    true,
  );
  const [command] = positionals;
  if (positionals.length !== 1 || !COMMANDS.includes(command!)) throw new UserError(USAGE);
  const limit = integerOption('limit', values.limit, 1, 1_000_000);
  const names = namesOf(values['use-case'], command!);
  const { reason } = values;
  const filters = names.map((useCase) => ({
    useCase,
    ...hourRange(values),
    ...(reason === undefined ? {} : { reason }),
  }));
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());
  const target = await openLake(values, display);
  try {
    const result =
      command === 'list'
        ? await list(target, filters, display)
        : command === 'show'
          ? await show(target, filters[0]!, display, limit, values.raw)
          : await retryAll(target, filters[0]!, display, values.apply);
    if (values.json) console.log(JSON.stringify(result));
    return 0;
  } finally {
    await target.close();
  }
}

function namesOf(name: string | undefined, command: string): string[] {
  if (name === UNKNOWN_USE_CASE) return [UNKNOWN_USE_CASE];
  if (name === undefined && command === 'list') return [...useCases.map((useCase) => useCase.name), UNKNOWN_USE_CASE];
  return [useCaseOption(name).name];
}

interface ReasonCount {
  readonly useCase: string;
  readonly reason: string;
  entries: number;
  retried: number;
  newest: string;
}

async function list(
  target: LakeTarget,
  filters: readonly QuarantineFilter[],
  display: ProgressDisplay,
): Promise<{ reasons: readonly ReasonCount[] }> {
  const counts = new Map<string, ReasonCount>();
  for (const filter of filters) {
    for await (const { useCase, reason, hour, entries, retriedAt } of readQuarantine(target.lake, filter)) {
      const name = `${useCase} ${reason}`;
      const counted = counts.get(name) ?? { useCase, reason, entries: 0, retried: 0, newest: hour };
      counted.entries += entries.length;
      if (retriedAt !== undefined) counted.retried += entries.length;
      if (hour > counted.newest) counted.newest = hour;
      counts.set(name, counted);
      display.update([`reading ${useCase} ${hour}`], `reading ${useCase} ${hour}`);
    }
  }
  const reasons = [...counts.values()].sort((a, b) =>
    a.useCase < b.useCase ? -1 : a.useCase > b.useCase ? 1 : b.entries - a.entries,
  );
  if (reasons.length === 0) display.say('Nothing is quarantined.');
  else {
    const rows = reasons.map(({ useCase, reason, entries, retried, newest }) => [
      useCase,
      reason,
      newest,
      count(entries),
      count(retried),
    ]);
    for (const line of table([['use case', 'reason', 'newest hour', 'entries', 'retried'], ...rows])) display.say(line);
  }
  return { reasons };
}

async function show(
  target: LakeTarget,
  filter: QuarantineFilter,
  display: ProgressDisplay,
  limit: number,
  raw: boolean,
): Promise<{ entries: readonly Partial<QuarantineEntry>[] }> {
  const entries: Partial<QuarantineEntry>[] = [];
  for await (const group of readQuarantine(target.lake, filter)) {
    for (const { raw: bytes, ...entry } of group.entries) {
      if (entries.length === limit) {
        display.say(`There are more: --limit N shows them.`);
        return { entries };
      }
      entries.push(raw ? { ...entry, raw: bytes } : entry);
      for (const line of linesOf(entry, raw ? bytes : undefined)) display.say(line);
    }
  }
  if (entries.length === 0) display.say('Nothing is quarantined there.');
  return { entries };
}

function linesOf(entry: Omit<QuarantineEntry, 'raw'>, bytes: string | undefined): string[] {
  const { reason, field, detail, device, arrival, shardId, sequenceNumber, element } = entry;
  const place = `${shardId} ${sequenceNumber}${element > 0 ? ` element ${element}` : ''}`;
  const what = `${new Date(arrival).toISOString()} ${device ?? 'no device'}: ${reason}${field === undefined ? '' : ` of ${field}`}; expected ${detail} (${place})`;
  // JSON quotes control characters, so that bytes of a device cannot drive the terminal.
  return bytes === undefined ? [what] : [what, `    ${JSON.stringify(Buffer.from(bytes, 'base64').toString('utf8'))}`];
}

async function retryAll(
  target: LakeTarget,
  filter: QuarantineFilter,
  display: ProgressDisplay,
  apply: boolean,
): Promise<{ applied: boolean; retried: number; retriedBefore: number }> {
  const signal = stopSignal();
  const groups: QuarantineGroup[] = [];
  let before = 0;
  for await (const group of readQuarantine(target.lake, filter)) {
    if (group.retriedAt === undefined) groups.push(group);
    else before += group.entries.length;
  }
  const total = groups.reduce((sum, { entries }) => sum + entries.length, 0);
  if (before > 0) display.say(`${count(before)} entries were retried before and are left.`);
  if (!apply) {
    display.say(
      `Would put ${count(total)} entries of ${count(groups.length)} objects on ${target.streamName}: --apply does it.`,
    );
    return { applied: false, retried: 0, retriedBefore: before };
  }
  const put = putRecords(target.kinesis, target.streamName, (ms) => pause(ms, signal));
  let retried = 0;
  for (const group of groups) {
    if (signal.aborted) break;
    await retry(target.lake.registry, group, put, Date.now());
    retried += group.entries.length;
    display.update([`retried ${count(retried)} of ${count(total)}`], `retried ${count(retried)} of ${count(total)}`);
  }
  display.say(`Put ${count(retried)} of ${count(total)} entries on ${target.streamName}.`);
  return { applied: true, retried, retriedBefore: before };
}

runCommand(main);
