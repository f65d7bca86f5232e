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
  const children: ChildProcess[] = [];
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
    const lanes = Array.from({ length: run.workers }, () => {
      const child = fork(bundle, { execArgv: V8_OPTIONS, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      children.push(child);
      return lane(child, queue, run);
    });
    await Promise.all(lanes);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function lane(
  child: ChildProcess,
  queue: Iterator<SeedRequest>,
  { onOutcome, onShrinking, signal }: SeedRun,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const request = signal.aborted ? undefined : queue.next();
      if (request === undefined || request.done === true) resolve();
      else child.send(request.value);
    };
    signal.addEventListener('abort', () => resolve());
    child.on('message', (reply: Reply) => {
      if ('error' in reply) return reject(new Error(reply.error));
      if ('shrinking' in reply) return onShrinking(reply.shrinking);
      onOutcome(reply.outcome);
      next();
    });
    child.on('exit', (code) => reject(new Error(`a worker of the simulation ended with code ${code}`)));
    next();
  });
}
