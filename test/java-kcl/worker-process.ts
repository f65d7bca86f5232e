/** A worker of either kind in a process of its own, and the notes that it takes of its record processors' calls. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export type Kind = 'java' | 'node';
export type KclVersion = '2' | '3.4' | '3.5';

/** A line of a worker's output; what does not apply is `-`. */
export interface Note {
  readonly worker: string;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly event:
    | 'started'
    | 'initialize'
    | 'record'
    | 'checkpoint'
    | 'prepare'
    | 'checkpointFailed'
    | 'leaseLost'
    | 'shardEnded'
    | 'shutdownRequested'
    | 'stopped';
  readonly shardId: string;
  /** The record's, what was checkpointed, or where a processor was told to begin. */
  readonly sequenceNumber: string;
  /** The record's data, or the prepared checkpoint that a processor was given. */
  readonly detail: string;
}

export interface WorkerSettings {
  readonly kind: Kind;
  /** Begins with its kind. */
  readonly id: string;
  readonly kcl: KclVersion;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** The kind of worker by its id. */
export const kindOf = (workerId: string): Kind => (workerId.startsWith('java') ? 'java' : 'node');

export class WorkerProcess {
  readonly id: string;
  readonly log: string;
  private readonly output: string;
  private readonly cpu: string;
  private readonly child: ChildProcess;

  constructor({ kind, id, kcl, directory, environment }: WorkerSettings) {
    this.id = id;
    this.output = path.join(directory, `${id}.notes`);
    this.cpu = path.join(directory, `${id}.cpu`);
    this.log = path.join(directory, `${id}.log`);
    this.reportCpu(50);
    const [command, args] =
      kind === 'java'
        ? ['java', ['-Dorg.slf4j.simpleLogger.showDateTime=true', '-Xmx256m', 'Worker']]
        : [process.execPath, ['--import', 'tsx', path.join(__dirname, 'node-worker.ts')]];
    const classpaths = JSON.parse(process.env['JAVA_KCL_CLASSPATHS'] as string) as Record<KclVersion, string>;
    this.child = spawn(command as string, args as string[], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        CLASSPATH: classpaths[kcl],
        // The SDK's announcement of when it drops this Node.
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        ...environment,
        WORKER_ID: id,
        WORKER_OUTPUT: this.output,
        WORKER_CPU: this.cpu,
      },
    });
    process.once('exit', () => this.child.kill('SIGKILL'));
    const file = createWriteStream(this.log);
    this.child.stdout?.pipe(file, { end: false });
    this.child.stderr?.pipe(file, { end: false });
  }

  /** What the worker tells the leader from now on, percent. */
  reportCpu(percent: number): void {
    writeFileSync(`${this.cpu}.new`, String(percent));
    renameSync(`${this.cpu}.new`, this.cpu);
  }

  get notes(): Note[] {
    if (!existsSync(this.output)) return [];
    const lines = readFileSync(this.output, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [time, event, shardId, sequenceNumber, detail] = line.split(' ') as [string, Note['event'], ...string[]];
      return { worker: this.id, time: Number(time), event, shardId, sequenceNumber, detail } as Note;
    });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}
