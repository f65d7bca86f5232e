/** Workers as processes, and what they process. */
import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FromWorker, WorkerConfig } from './messages';

export interface Worker {
  readonly id: string;
  readonly process: ChildProcess;
  heldLeases: number;
  isLeader: boolean;
  readonly exited: Promise<number | null>;
}

/** A record's processing, in the order of their arrival here. */
interface Processing {
  readonly workerId: string;
  readonly shardId: string;
  readonly at: number;
}

const POLL_MILLIS = 20;
/** Far beyond anything that is expected: what takes longer has failed. */
const PATIENCE_MILLIS = 180_000;

export class Fleet {
  readonly workers: Worker[] = [];
  /** By sequence number. */
  readonly processed = new Map<string, Processing[]>();
  /** By shard: who processed its last batch, and when. */
  readonly last = new Map<string, Processing>();
  private started = 0;

  constructor(
    private readonly program: string,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly config: Omit<WorkerConfig, 'workerId'>,
    private readonly signal: AbortSignal,
  ) {}

  start(): Worker {
    const id = `worker-${++this.started}`;
    const child = fork(this.program, [JSON.stringify({ ...this.config, workerId: id })], {
      env: { ...process.env, ...this.environment },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const worker: Worker = { id, process: child, heldLeases: 0, isLeader: false, exited };
    this.workers.push(worker);
    void exited.then(() => this.workers.splice(this.workers.indexOf(worker), 1));
    child.on('message', (message) => this.hear(worker, message as FromWorker));
    return worker;
  }

  /** Polls until `done`. @throws Error saying what was waited for */
  async until(what: string, done: () => boolean): Promise<void> {
    const start = Date.now();
    while (!done()) {
      this.signal.throwIfAborted();
      if (Date.now() - start > PATIENCE_MILLIS) throw new Error(`Waited ${PATIENCE_MILLIS / 1_000} s until ${what}.`);
      await sleep(POLL_MILLIS);
    }
  }

  shardsOf(workerId: string): string[] {
    return [...this.last].filter(([, processing]) => processing.workerId === workerId).map(([shardId]) => shardId);
  }

  kill(): void {
    for (const { process: child } of [...this.workers]) child.kill('SIGKILL');
  }

  private hear(worker: Worker, message: FromWorker): void {
    if (message.type === 'status') {
      worker.heldLeases = message.heldLeases;
      worker.isLeader = message.isLeader;
      return;
    }
    const processing = { workerId: worker.id, shardId: message.shardId, at: message.at };
    this.last.set(message.shardId, processing);
    for (const sequenceNumber of message.sequenceNumbers) {
      const before = this.processed.get(sequenceNumber);
      if (before) before.push(processing);
      else this.processed.set(sequenceNumber, [processing]);
    }
  }
}
