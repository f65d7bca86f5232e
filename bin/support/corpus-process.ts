/** The corpus run as a process of its own, under a heap limit: started by bin/corpus.ts, which hears of its progress. */
import { documentItems, stringItems } from './corpus-files';
import { ownCorpus } from './corpus-own';
import { runCorpus, type CorpusReport } from './corpus-run';

export interface CorpusJob {
  readonly corpus: string | undefined;
  readonly strings: string | undefined;
}

export interface CorpusProgress {
  readonly done: number;
  readonly items: number;
  readonly name: string;
}

export interface CorpusResult {
  readonly report: CorpusReport;
  readonly files: number;
  /** Largest resident memory of the process, bytes. */
  readonly peak: number;
}

export type CorpusMessage =
  { readonly progress: CorpusProgress } | { readonly result: CorpusResult } | { readonly error: string };

/** A message at most this often, milliseconds; the first of every large item counts, should it end the process. */
const PROGRESS_INTERVAL_MS = 100;

async function main(job: CorpusJob): Promise<CorpusResult> {
  const documents = job.corpus === undefined ? { files: 0, items: [] } : documentItems(job.corpus);
  const strings = job.strings === undefined ? [] : stringItems(job.strings);
  const items = [...ownCorpus(), ...documents.items, ...strings];
  let told = -Infinity;
  const report = await runCorpus(items, {
    now: () => performance.now(),
    onItem: (done, name) => {
      if (performance.now() - told < PROGRESS_INTERVAL_MS) return;
      told = performance.now();
      send({ progress: { done, items: items.length, name } });
    },
  });
  return { report, files: documents.files, peak: process.resourceUsage().maxRSS * 1024 };
}

function send(message: CorpusMessage, sent?: () => void): void {
  process.send!(message, undefined, undefined, sent);
}

process.once('message', (job: CorpusJob) => {
  main(job)
    .then(
      (result): CorpusMessage => ({ result }),
      (error: unknown): CorpusMessage => ({ error: (error as Error).message }),
    )
    .then((message) => send(message, () => process.exit(0)));
});
