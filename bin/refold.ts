/** `npm run refold`: has sealed hours folded again by a newer build, as new generations. */
import {
  findCandidates,
  refoldState,
  requestRefolds,
  unpark,
  withdrawRefolds,
  type RefoldCandidate,
} from '../operations/refold';
import { parseCommand, pause, runCommand, stopSignal, UserError } from './support/command-line';
import { hourRange, LAKE_OPTIONS, LAKE_USAGE, openLake, showProgress, type LakeTarget } from './support/lake-target';
import { count, ProgressDisplay } from './support/terminal';
import { useCaseOption } from './support/use-case-option';

const USAGE = `Usage: npm run refold -- --use-case NAME [--from HOUR] [--to HOUR] [--apply [--wait] | --withdraw | --unpark]
Says which sealed hours a newer build would fold again; with --apply, asks for it. The consumers do it: any build but
the one that made an hour's newest generation, so deploy the new feature code before or after.
  --from HOUR, --to HOUR  UTC, YYYY-MM-DDTHH or YYYY-MM-DD; --to is exclusive
  --apply      writes the requests
  --wait       stays until every hour is sealed anew, and says whose features changed
  --withdraw   takes back requests that no build has answered
  --unpark     has fold tasks tried again that were set aside after failing again and again
${LAKE_USAGE}`;

const POLL_MS = 1_000;

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      'use-case': { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      apply: { type: 'boolean', default: false },
      wait: { type: 'boolean', default: false },
      withdraw: { type: 'boolean', default: false },
      unpark: { type: 'boolean', default: false },
      ...LAKE_OPTIONS,
    },
    USAGE,
  );
  const useCase = useCaseOption(values['use-case']);
  const range = hourRange(values);
  const { apply, wait, withdraw, unpark: tryParked } = values;
  if (Number(apply) + Number(withdraw) + Number(tryParked) > 1 || (wait && !apply)) throw new UserError(USAGE);
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());
  const target = await openLake(values, display);
  try {
    if (wait && !target.isRunning && !target.isAccount) {
      throw new UserError('--wait needs consumers: start the local run with "npm start" in another terminal.');
    }
    const found = await findCandidates(target.lake, useCase, range, showProgress(display));
    const plan = describe(found);
    for (const line of plan) display.say(line);
    const result = {
      requested: apply ? (await requestRefolds(target.lake, found, showProgress(display))).map(({ hour }) => hour) : [],
      withdrawn: withdraw ? await withdrawRefolds(target.lake, found) : 0,
      unparked: tryParked ? await unpark(target.lake, found) : 0,
    };
    if (apply) display.say(`Asked for ${count(result.requested.length)} hours.`);
    else if (withdraw) display.say(`Took back ${count(result.withdrawn)} requests.`);
    else if (tryParked) display.say(`${count(result.unparked)} fold tasks will be tried again.`);
    else display.say('Nothing was changed: --apply asks for it.');
    const requested = found.filter(({ hour }) => result.requested.includes(hour));
    const changed = wait ? await answers(target, requested, display) : undefined;
    if (values.json)
      console.log(JSON.stringify({ ok: true, hours: found.length, ...result, ...(changed ? { changed } : {}) }));
    return 0;
  } finally {
    await target.close();
  }
}

function describe(found: readonly RefoldCandidate[]): string[] {
  const builds = new Map<string, RefoldCandidate[]>();
  for (const candidate of found)
    builds.set(candidate.codeVersion, [...(builds.get(candidate.codeVersion) ?? []), candidate]);
  const lines = [...builds].map(([build, hours]) => {
    const readings = hours.reduce((sum, hour) => sum + hour.readings, 0);
    return `${count(hours.length)} sealed hours, ${hours[0]!.hour} to ${hours.at(-1)!.hour}, ${count(readings)} readings: newest generation by build ${build}`;
  });
  const expired = found.filter(({ missing }) => missing.length > 0);
  for (const { hour, missing } of expired) {
    lines.push(
      `${hour}: ${count(missing.length)} of the segments that it is folded from are not in the bucket any more; it cannot be folded again`,
    );
  }
  const requested = found.filter((candidate) => candidate.requested).length;
  if (requested > 0) lines.push(`${count(requested)} of them are asked for already`);
  const parked = found.reduce((sum, { parkedTasks }) => sum + parkedTasks.length, 0);
  if (parked > 0) lines.push(`${count(parked)} fold tasks are parked: --unpark has them tried again`);
  return lines.length === 0 ? ['No sealed hour is in the range.'] : lines;
}

/** Hours whose features changed, once every request is answered; what there is of them when the person stops waiting. */
async function answers(
  target: LakeTarget,
  requested: readonly RefoldCandidate[],
  display: ProgressDisplay,
): Promise<readonly string[]> {
  const signal = stopSignal();
  const builds = [...new Set(requested.map(({ codeVersion }) => codeVersion))].join(', ');
  for (;;) {
    const { answered, changed } = await refoldState(target.lake, requested);
    const line = `sealed anew: ${count(answered.length)} of ${count(requested.length)}, features changed in ${count(changed.length)}; by another build than ${builds}`;
    display.update([line], line);
    if (answered.length === requested.length || signal.aborted) {
      display.say(line);
      return changed;
    }
    await pause(POLL_MS, signal);
  }
}

runCommand(main);
