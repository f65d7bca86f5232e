/** Fold tasks in a worker thread with a memory limit; the thread starts with the first task and again after it died. */
import { Worker } from 'node:worker_threads';
import type { FoldOutcome, FoldRequest, FoldRunner } from './runner';

interface Waiting {
  resolve(outcome: FoldOutcome): void;
  reject(error: Error): void;
}

export class WorkerFoldRunner implements FoldRunner {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;

  constructor(
    /** Path of fold-worker.js. */
    private readonly script: string,
    private readonly bucket: string,
    /** Heap of the thread, MiB. */
    private readonly memory: number,
  ) {}

  /** Rejects where the task threw, or the thread died under it (out of memory among the reasons). */
  run(request: FoldRequest): Promise<FoldOutcome> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.thread().postMessage({ id, request });
    });
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(this.script, {
      workerData: { bucket: this.bucket },
      resourceLimits: { maxOldGenerationSizeMb: this.memory },
    });
    worker.on('message', ({ id, outcome, error }: { id: number; outcome?: FoldOutcome; error?: string }) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (outcome !== undefined) waiting?.resolve(outcome);
      else waiting?.reject(new Error(error));
    });
    worker.on('error', (error) => this.failAll(worker, error));
    worker.on('exit', (code) => this.failAll(worker, new Error(`the fold thread ended with code ${code}`)));
    this.worker = worker;
    return worker;
  }

  private failAll(worker: Worker, error: Error): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
