/** Starts the container in a worker thread, and real XGBoost in a Python process where there is one. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import type { PythonTrainer } from '../ports';
import { AlgorithmError } from './algorithm-error';
import type { DataFormat } from './channels';

export interface WorkerTask {
  readonly root: string;
  /** False = check only: another trainer goes on. */
  readonly train: boolean;
}

export interface CheckOutcome {
  readonly hyperparameters: Readonly<Record<string, string>>;
  readonly format: DataFormat;
  readonly trainDirectory: string;
  readonly validationDirectory?: string;
}

export type WorkerMessage =
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'done'; readonly outcome: CheckOutcome }
  | { readonly kind: 'failed'; readonly message: string; readonly fault: 'user' | 'algorithm' };

export interface RunningContainer {
  /** Resolves when `<root>/model/xgboost-model` is written; rejects with AlgorithmError. */
  readonly done: Promise<void>;
  stop(): void;
}

/** What trains, in words, for logs and descriptions. */
export function trainerName(python: PythonTrainer | undefined): string {
  return python ? `xgboost ${python.version} (${python.command})` : 'built-in';
}

/**
 * @param root stands for /opt/ml: input/config and input/data are read, model/ is written
 * @param onLine called with each line of the container's log
 */
export function runContainer(
  root: string,
  python: PythonTrainer | undefined,
  onLine: (line: string) => void,
): RunningContainer {
  let stopped = false;
  let worker: Worker | undefined;
  let child: ChildProcess | undefined;
  const run = async (): Promise<void> => {
    onLine(`trainer: ${trainerName(python)}`);
    worker = new Worker(workerSource(), { eval: true, workerData: { root, train: !python } satisfies WorkerTask });
    const outcome = await outcomeOf(worker, onLine);
    if (!python) return;
    if (stopped) throw new AlgorithmError('the job was stopped');
    child = startPython(root, python, outcome);
    await outcomeOfPython(child, onLine);
  };
  return {
    done: run(),
    stop: () => {
      stopped = true;
      void worker?.terminate();
      child?.kill('SIGTERM');
    },
  };
}

let bundled: string | undefined;

/** The worker's code as one script: it runs alike under tsx, jest and plain Node. */
function workerSource(): string {
  if (bundled === undefined) {
    const result = buildSync({
      entryPoints: [join(__dirname, 'worker-entry.ts')],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
    });
    bundled = result.outputFiles[0]!.text;
  }
  return bundled;
}

function outcomeOf(worker: Worker, onLine: (line: string) => void): Promise<CheckOutcome> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'line') onLine(message.line);
      else if (message.kind === 'done') resolve(message.outcome);
      else reject(new AlgorithmError(message.message, message.fault));
    });
    worker.on('error', (error) => reject(new AlgorithmError(error.message, 'algorithm')));
    worker.on('exit', () => reject(new AlgorithmError('the trainer ended before its time', 'algorithm')));
  });
}

function startPython(root: string, python: PythonTrainer, outcome: CheckOutcome): ChildProcess {
  mkdirSync(join(root, 'model'), { recursive: true });
  const task = join(root, 'tmp/task.json');
  writeFileSync(task, JSON.stringify({ ...outcome, model: join(root, 'model/xgboost-model') }));
  return spawn(python.command, [join(__dirname, 'train.py'), task], {
    // One thread each unless nthread says otherwise: several trainings share this machine, and waiting OpenMP threads spin.
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      OMP_NUM_THREADS: '1',
      OMP_WAIT_POLICY: 'PASSIVE',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function outcomeOfPython(child: ChildProcess, onLine: (line: string) => void): Promise<void> {
  let last = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() !== '') last = line;
      // Log collectors of the service show tabs so.
      onLine(line.replaceAll('\t', '#011'));
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new AlgorithmError(`python cannot start: ${error.message}`, 'algorithm')));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new AlgorithmError(last === '' ? `python ended with code ${code}` : last, 'algorithm'));
    });
  });
}

/** Asks `python3` whether it can train; undefined where there is none, or it lacks xgboost or pyarrow. */
export function findPython(): Promise<PythonTrainer | undefined> {
  return new Promise((resolve) => {
    execFile(
      'python3',
      ['-c', 'import pyarrow, pandas, xgboost; print(xgboost.__version__)'],
      { timeout: 30_000 },
      (error, stdout) => {
        resolve(error ? undefined : { command: 'python3', version: stdout.trim() });
      },
    );
  });
}
