/**
 * `npm run corpus`: wrong, odd and hostile input through the production path, one verdict for each item.
 *
 * An item is a payload in the telemetry rule's envelope, or a Kinesis record as it stands. It publishes as many elements as
 * its payload has by JSON: an array's elements, each of them; anything else, an empty array and what is no JSON among it,
 * is one. A KPL aggregate publishes what its user records publish, and one that is not sound is one record. Every element
 * must give exactly one row or one quarantine entry, and the good readings around it must be folded as if it had not come.
 */
import { fork } from 'node:child_process';
import path from 'node:path';
import { parseCommand, runCommand, stopSignal, UserError } from './support/command-line';
import type { CorpusJob, CorpusMessage, CorpusProgress, CorpusResult } from './support/corpus-process';
import { count, ProgressDisplay } from './support/terminal';

const HEAP_LIMIT_MIB = 256;
/** Resident memory of the whole process: half of what the smallest environment gives a consumer task. */
const BUDGET_MIB = 512;
/** So long a batch with one item may take, milliseconds: a guard against input that costs more than its size. */
const TIME_LIMIT_MS = 30_000;
const FAILURES_SHOWN = 20;

const USAGE = `Usage: npm run corpus -- [--corpus DIR] [--strings FILE] [--json]
  --corpus DIR    one payload per file, named as in JSONTestSuite's test_parsing: y_ parses, n_ does not, i_ may
  --strings FILE  a JSON array of texts, as big-list-of-naughty-strings' blns.json
  The items that are generated here always run.`;

/** Runs the items under the heap limit. @throws UserError of the run, or where the process died. */
function run(job: CorpusJob, onProgress: (progress: CorpusProgress) => void, signal: AbortSignal) {
  const child = fork(path.join(__dirname, 'support', 'corpus-process.ts'), {
    execArgv: [`--max-old-space-size=${HEAP_LIMIT_MIB}`, '--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let last = 'its start';
  signal.addEventListener('abort', () => child.kill());
  return new Promise<CorpusResult>((resolve, reject) => {
    child.on('message', (message: CorpusMessage) => {
      if ('result' in message) resolve(message.result);
      else if ('error' in message) reject(new UserError(message.error));
      else {
        last = `"${message.progress.name}"`;
        onProgress(message.progress);
      }
    });
    child.on('exit', (code, by) => {
      reject(
        new UserError(
          `The run ended near ${last}: ${by ?? `exit code ${code}`}; its heap limit is ${HEAP_LIMIT_MIB} MiB.`,
        ),
      );
    });
    child.send(job);
  });
}

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    { corpus: { type: 'string' }, strings: { type: 'string' }, json: { type: 'boolean', default: false } },
    USAGE,
  );
  const signal = stopSignal();
  const display = new ProgressDisplay(process.stderr, () => performance.now());
  const onProgress = ({ done, items, name }: CorpusProgress): void => {
    const line = `${count(done)} of ${count(items)} items: ${name}`;
    display.update([line], line);
  };
  const job: CorpusJob = { corpus: values.corpus, strings: values.strings };
  const result = await run(job, onProgress, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  if (result === undefined) return 130;
  const { report, files, peak } = result;
  const peakMiB = Math.ceil(peak / 2 ** 20);
  const withinBudget = peakMiB <= BUDGET_MIB && report.slowest.milliseconds <= TIME_LIMIT_MS;
  const ok = report.failures.length === 0 && withinBudget;
  if (values.json) {
    const limits = { peakMiB, budgetMiB: BUDGET_MIB, heapLimitMiB: HEAP_LIMIT_MIB, timeLimitMs: TIME_LIMIT_MS };
    console.log(JSON.stringify({ ok, files, ...limits, ...report }));
    return ok ? 0 : 1;
  }
  const { failures, slowest } = report;
  for (const failure of failures.slice(0, FAILURES_SHOWN)) console.log(`FAILED ${failure}`);
  if (failures.length > FAILURES_SHOWN) console.log(`and ${count(failures.length - FAILURES_SHOWN)} more`);
  console.log(
    [
      `${count(report.right)}/${count(report.items)} items right: ${count(report.rows)} rows and ${count(report.quarantined)} quarantine entries for ${count(report.elements)} published elements`,
      values.corpus === undefined
        ? 'no --corpus given: only the items generated here ran'
        : `among them ${count(files)} files of ${values.corpus}, each in four places of a payload`,
      `${count(report.agreed)}/${count(report.items)} items on which fast and slow decode path agree; the fast one took ${count(report.takenByFastPath)} of ${count(report.userRecords)} user records`,
      `${count(report.neighbours)} good readings between them, folded into ${report.windows} windows that are the batch computation's`,
      `peak memory ${count(peakMiB)} MiB of ${count(BUDGET_MIB)} MiB, heap limit ${count(HEAP_LIMIT_MIB)} MiB`,
      `slowest ${count(slowest.milliseconds)} ms of ${count(TIME_LIMIT_MS)} ms: ${slowest.name}`,
    ].join('\n'),
  );
  return ok ? 0 : 1;
}

runCommand(main);
