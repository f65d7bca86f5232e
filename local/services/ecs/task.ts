/** A task: the processes of its containers, from start to stop. */
import { readImage, toProcess } from './dockerfile';
import type { ContainerExit, ContainerProcess, LaunchContainer } from './container-process';
import type { Clock } from '../../gateway/service';

export interface ContainerDefinition {
  readonly name: string;
  readonly image: string;
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly essential: boolean;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly stopTimeout: number;
}

export interface TaskDefinition {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  readonly taskRoleArn?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly containers: readonly ContainerDefinition[];
}

export interface TaskContext {
  readonly id: string;
  readonly arn: string;
  readonly cluster: string;
  /** Service name; undefined for a task that was run by itself. */
  readonly service: string;
  readonly definition: TaskDefinition;
}

export interface TaskOptions {
  readonly clock: Clock;
  readonly launch: LaunchContainer;
  /** Build context of an image. @throws Error where the assembly has no such image. */
  readonly imageDirectory: (image: string) => string;
  /** Variables beyond the definition's: credentials, endpoint, metadata URI. */
  readonly environment: (task: TaskContext, container: string) => Readonly<Record<string, string>>;
  readonly onLine: (task: TaskContext, container: string, line: string) => void;
}

export class Task {
  readonly startedAt: number;
  readonly containers = new Map<string, ContainerProcess>();
  readonly exits = new Map<string, ContainerExit>();
  readonly stopped: Promise<void>;
  stoppedAt: number | undefined;
  stoppedReason: string | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    readonly context: TaskContext,
    private readonly options: TaskOptions,
  ) {
    this.startedAt = options.clock.now();
    for (const container of context.definition.containers) this.containers.set(container.name, this.start(container));
    this.stopped = Promise.all([...this.containers.values()].map(({ exited }) => exited)).then(() => {
      this.stoppedAt = options.clock.now();
    });
  }

  get status(): 'RUNNING' | 'DEACTIVATING' | 'STOPPED' {
    if (this.stoppedAt !== undefined) return 'STOPPED';
    return this.stopping === undefined ? 'RUNNING' : 'DEACTIVATING';
  }

  /** Process of the first container. */
  get pid(): number | undefined {
    return [...this.containers.values()][0]?.pid;
  }

  /** SIGTERM to every container, SIGKILL to those that are still there after their stopTimeout. Resolves when all are gone. */
  stop(reason: string): Promise<void> {
    this.stopping ??= this.end(reason);
    return this.stopping;
  }

  private async end(reason: string): Promise<void> {
    this.stoppedReason ??= reason;
    const cancels: (() => void)[] = [];
    for (const { name, stopTimeout } of this.context.definition.containers) {
      const container = this.containers.get(name)!;
      if (this.exits.has(name)) continue;
      container.kill('SIGTERM');
      cancels.push(this.options.clock.after(stopTimeout * 1_000, () => container.kill('SIGKILL')));
    }
    await this.stopped;
    for (const cancel of cancels) cancel();
  }

  private start(container: ContainerDefinition): ContainerProcess {
    const image = readImage(this.options.imageDirectory(container.image));
    const process = this.options.launch({
      command: toProcess(image, container),
      environment: {
        ...image.environment,
        ...container.environment,
        ...this.options.environment(this.context, container.name),
      },
      onLine: (line) => this.options.onLine(this.context, container.name, line),
    });
    void process.exited.then((exit) => {
      this.exits.set(container.name, exit);
      if (container.essential) void this.stop('Essential container in task exited');
    });
    return process;
  }
}
