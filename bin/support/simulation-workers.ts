/** Seeds over child processes: each runs a bundle of the simulator, which starts and runs faster than the sources. */
import { build, type Plugin } from 'esbuild';
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SeedOutcome, SeedRequest, Shrinking } from '../../simulation/worker';

const ENTRY = path.join(__dirname, '../../simulation/worker.ts');
const DECODED_PARQUET = path.join(__dirname, '../../simulation/decoded-parquet.ts');
const CONSUMER = path.join(__dirname, '../../consumer/');

/** The consumer's `hyparquet` is the one with a memory. */
const rememberParquet: Plugin = {
  name: 'remember-parquet',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^hyparquet$/ }, ({ importer }) =>
      importer.startsWith(CONSUMER) ? { path: DECODED_PARQUET } : undefined,
    );
  },
};

/** Seeds make much garbage and keep little: a large young generation, collected by the thread that makes it. */
const V8_OPTIONS = ['--min-semi-space-size=32', '--max-semi-space-size=64', '--single-threaded-gc'];

/** After some thousands of seeds a process runs the same code at half its speed. */
const SEEDS_PER_PROCESS = 2_000;

type Reply = { readonly outcome: SeedOutcome } | { readonly shrinking: Shrinking } | { readonly error: string };

export interface SeedRun {
  readonly workers: number;
  readonly requests: Iterable<SeedRequest>;
  readonly onOutcome: (outcome: SeedOutcome) => void;
  /** Called while a failing seed is shrunk. */
  readonly onShrinking: (shrinking: Shrinking) => void;
  /** Ends the run early; seeds that are under way are given up. */
  readonly signal: AbortSignal;
}

/** @throws Error where a worker ends by itself or a seed cannot be run. */
export async function runSeeds(run: SeedRun): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'simulation-'));
  const children = new Set<ChildProcess>();
  try {
    const bundle = path.join(folder, 'worker.cjs');
    await build({
      entryPoints: [ENTRY],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      plugins: [rememberParquet],
      outfile: bundle,
      logLevel: 'error',
    });
    const queue = run.requests[Symbol.iterator]();
    const lane = async (): Promise<void> => {
      for (let more = true; more;) {
        const child = fork(bundle, { execArgv: V8_OPTIONS, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
        children.add(child);
        more = await runSome(child, queue, run);
        child.kill('SIGKILL');
        children.delete(child);
      }
    };
    const lanes = Array.from({ length: run.workers }, lane);
    await Promise.all(lanes);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns false where no seed is left, or the run was ended. */
function runSome(
  child: ChildProcess,
  queue: Iterator<SeedRequest>,
  { onOutcome, onShrinking, signal }: SeedRun,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let begun = 0;
    const next = (): void => {
      if (begun++ === SEEDS_PER_PROCESS) return resolve(true);
      const request = signal.aborted ? undefined : queue.next();
      if (request === undefined || request.done === true) resolve(false);
      else child.send(request.value);
    };
    const abort = (): void => resolve(false);
    signal.addEventListener('abort', abort);
    child.on('message', (reply: Reply) => {
      if ('error' in reply) return reject(new Error(reply.error));
      if ('shrinking' in reply) return onShrinking(reply.shrinking);
      onOutcome(reply.outcome);
      next();
    });
    child.on('exit', (code) => {
      signal.removeEventListener('abort', abort);
      reject(new Error(`a worker of the simulation ended with code ${code}`));
    });
    next();
  });
}
