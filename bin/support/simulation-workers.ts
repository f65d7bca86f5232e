/** Seeds over child processes: each runs a bundle of the simulator, which starts and runs faster than the sources. */
import { build } from 'esbuild';
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SeedOutcome, SeedRequest } from '../../simulation/worker';

const ENTRY = path.join(__dirname, '../../simulation/worker.ts');

type Reply = { readonly outcome: SeedOutcome } | { readonly error: string };

export interface SeedRun {
  readonly workers: number;
  readonly requests: Iterable<SeedRequest>;
  readonly onOutcome: (outcome: SeedOutcome) => void;
  /** Ends the run early; seeds that are under way are given up. */
  readonly signal: AbortSignal;
}

/** @throws Error where a worker ends by itself or a seed cannot be run. */
export async function runSeeds({ workers, requests, onOutcome, signal }: SeedRun): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'simulation-'));
  const children: ChildProcess[] = [];
  try {
    const bundle = path.join(folder, 'worker.cjs');
    await build({
      entryPoints: [ENTRY],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: bundle,
      logLevel: 'error',
    });
    const queue = requests[Symbol.iterator]();
    const lanes = Array.from({ length: workers }, () => {
      const child = fork(bundle, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      children.push(child);
      return lane(child, queue, onOutcome, signal);
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
  onOutcome: (outcome: SeedOutcome) => void,
  signal: AbortSignal,
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
      onOutcome(reply.outcome);
      next();
    });
    child.on('exit', (code) => reject(new Error(`a worker of the simulation ended with code ${code}`)));
    next();
  });
}
