/**
 * Fold tasks in worker threads with a memory limit. Small ones share a thread that stays; a large one gets its own, so
 * that one which needs too much memory fails alone.
 */
import { Worker } from 'node:worker_threads';
import { FoldFailedError, type FoldOutcome, type FoldRequest, type FoldRunner } from './runner';

interface Waiting {
  resolve(outcome: FoldOutcome): void;
  reject(error: Error): void;
}

interface Reply {
  readonly id: number;
  readonly outcome?: FoldOutcome;
  readonly error?: { readonly name: string; readonly message: string };
}

/** Tasks of at most this many rows share the thread. */
const SMALL_ROWS = 50_000;

class FoldThread {
  private readonly waiting = new Map<number, Waiting>();
  private readonly worker: Worker;
  private next = 0;
  ended = false;

  constructor(script: string, bucket: string, memory: number, env: NodeJS.ProcessEnv) {
    this.worker = new Worker(script, {
      env,
      workerData: { bucket },
      resourceLimits: { maxOldGenerationSizeMb: memory },
    });
    this.worker.on('message', ({ id, outcome, error }: Reply) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (outcome !== undefined) waiting?.resolve(outcome);
      else waiting?.reject(revive(error!));
    });
    this.worker.on('error', (error) => this.fail(error.message));
    this.worker.on('exit', (code) => this.fail(`the fold thread ended with code ${code}`));
  }

  run(request: FoldRequest): Promise<FoldOutcome> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
    });
  }

  async end(): Promise<void> {
    this.ended = true;
    await this.worker.terminate();
  }

  private fail(message: string): void {
    this.ended = true;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of waiting) reject(new FoldFailedError(message));
  }
}

function revive({ name, message }: { name: string; message: string }): Error {
  return name === 'FoldFailedError' ? new FoldFailedError(message) : Object.assign(new Error(message), { name });
}

export class WorkerFoldRunner implements FoldRunner {
  private shared: FoldThread | undefined;

  constructor(
    /** Path of fold-worker.js. */
    private readonly script: string,
    private readonly bucket: string,
    /** Heap of a thread, MiB. */
    private readonly memory: number,
    /** Where the thread's clients find endpoint, region and credentials. */
    private readonly environment: NodeJS.ProcessEnv = process.env,
  ) {}

  async run(request: FoldRequest): Promise<FoldOutcome> {
    const { segments, tailSegments } = request.inputs;
    const rows = [...segments, ...tailSegments].reduce((sum, segment) => sum + segment.rows, 0);
    if (rows <= SMALL_ROWS) {
      if (this.shared === undefined || this.shared.ended) this.shared = this.start();
      return this.shared.run(request);
    }
    const thread = this.start();
    try {
      return await thread.run(request);
    } finally {
      await thread.end();
    }
  }

  async close(): Promise<void> {
    await this.shared?.end();
  }

  private start(): FoldThread {
    return new FoldThread(this.script, this.bucket, this.memory, this.environment);
  }
}
