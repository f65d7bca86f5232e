/** A worker thread that runs one function, one invocation at a time, with an environment of its own. */
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';

export interface FunctionCode {
  /** Folder of the unpacked code. */
  readonly directory: string;
  /** `file.export` */
  readonly handler: string;
  readonly functionArn: string;
  readonly environment: Readonly<Record<string, string>>;
  /** MiB; bounds the thread's heap. */
  readonly memorySize: number;
}

/** What a handler that throws answers. */
export interface FunctionFailure {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export type FunctionResult = { readonly payload: string } | { readonly failure: FunctionFailure };

type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'init-failed'; readonly error: FunctionFailure }
  | { readonly type: 'result'; readonly requestId: string; readonly payload: string }
  | { readonly type: 'failed'; readonly requestId: string; readonly error: FunctionFailure };

/** Loading the code may take this long; Lambda allows 10 seconds. */
const INIT_TIMEOUT_MS = 10_000;

export class ExecutionEnvironment {
  private readonly worker: Worker;
  private readonly ready: Promise<FunctionFailure | undefined>;
  private settle: ((result: FunctionResult) => void) | undefined;
  private died: FunctionFailure | undefined;

  constructor(code: FunctionCode, onLine: (line: string) => void) {
    this.worker = new Worker(path.join(__dirname, 'function-worker.mjs'), {
      env: { ...code.environment },
      workerData: { directory: code.directory, handler: code.handler, functionArn: code.functionArn },
      execArgv: ['--enable-source-maps'],
      resourceLimits: { maxOldGenerationSizeMb: code.memorySize },
      stdout: true,
      stderr: true,
    });
    for (const stream of [this.worker.stdout, this.worker.stderr] as Readable[]) {
      createInterface({ input: stream }).on('line', onLine);
    }
    this.ready = new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({
          errorType: 'Sandbox.Timedout',
          errorMessage: `Loading the handler took longer than ${INIT_TIMEOUT_MS / 1_000} seconds`,
        });
      }, INIT_TIMEOUT_MS);
      const done = (failure?: FunctionFailure) => {
        clearTimeout(timer);
        resolve(failure);
      };
      this.worker.on('message', (reply: Reply) => {
        if (reply.type === 'ready') done();
        else if (reply.type === 'init-failed') done(reply.error);
        else this.settle?.(reply.type === 'result' ? { payload: reply.payload } : { failure: reply.error });
      });
      const die = (failure: FunctionFailure) => {
        this.died ??= failure;
        done(this.died);
        this.settle?.({ failure: this.died });
      };
      this.worker.on('error', (error) =>
        die({ errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') }),
      );
      this.worker.on('exit', (status) => {
        die({ errorType: 'Runtime.ExitError', errorMessage: `The runtime exited with status ${status}` });
      });
    });
  }

  /** False once it failed in a way that another invocation should not inherit. */
  get usable(): boolean {
    return this.died === undefined;
  }

  /** Waits for the code to load, which does not count towards the timeout, then runs the handler. Never rejects. */
  async invoke(requestId: string, payload: string, timeoutMs: number): Promise<FunctionResult> {
    const failure = await this.ready;
    if (failure !== undefined) {
      this.died ??= failure;
      return { failure };
    }
    const result = await new Promise<FunctionResult>((resolve) => {
      const timer = setTimeout(() => {
        this.died ??= {
          errorType: 'Sandbox.Timedout',
          errorMessage: `${requestId} Task timed out after ${(timeoutMs / 1_000).toFixed(2)} seconds`,
        };
        resolve({ failure: this.died });
      }, timeoutMs);
      this.settle = (settled) => {
        clearTimeout(timer);
        resolve(settled);
      };
      this.worker.postMessage({ requestId, payload, deadline: Date.now() + timeoutMs });
    });
    this.settle = undefined;
    if (!this.usable) await this.close();
    return result;
  }

  async close(): Promise<void> {
    this.died ??= { errorType: 'Runtime.ExitError', errorMessage: 'The execution environment was closed' };
    await this.worker.terminate();
  }
}
