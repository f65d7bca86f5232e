/** Runs the container in a worker thread: parsing and training would hold up the event loop that serves the API. */
import { parentPort, workerData } from 'node:worker_threads';
import { AlgorithmError } from './algorithm-error';
import { checkJob, trainBuiltIn } from './container';
import type { CheckOutcome, WorkerMessage, WorkerTask } from './run-container';

const task = workerData as WorkerTask;
const post = (message: WorkerMessage): void => parentPort!.postMessage(message);
const log = (line: string): void => post({ kind: 'line', line });

async function run(): Promise<CheckOutcome> {
  const job = await checkJob(task.root, log);
  if (task.train) trainBuiltIn(task.root, job, log);
  return {
    hyperparameters: Object.fromEntries(job.hyperparameters),
    format: job.format,
    trainDirectory: job.trainDirectory,
    validationDirectory: job.validationDirectory,
  };
}

run().then(
  (outcome) => post({ kind: 'done', outcome }),
  (error: unknown) => {
    const { message } = error as Error;
    post({ kind: 'failed', message, fault: error instanceof AlgorithmError ? error.fault : 'algorithm' });
  },
);
