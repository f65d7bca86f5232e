/** Keeps an ECS service's desired count of tasks running, and replaces them when the task definition changes. */
import type { Clock } from '../../gateway/service';
import type { Task, TaskDefinition } from './task';

export interface ServiceSchedulerOptions {
  readonly clock: Clock;
  /** Starts a task of the service. */
  readonly start: (definition: TaskDefinition) => Task;
  readonly onLog: (message: string) => void;
}

/** First wait before a task that died is replaced; it doubles while tasks die young, as ECS throttles a failing service. */
const RESTART_DELAY_MS = 1_000;
const LONGEST_RESTART_DELAY_MS = 30_000;
/** A task that ran this long was no failed start. */
const HEALTHY_AFTER_MS = 30_000;

export class ServiceScheduler {
  private readonly tasks = new Set<Task>();
  private failures = 0;
  private holdUntil = 0;
  private cancel: (() => void) | undefined;
  private open = false;

  constructor(
    readonly name: string,
    private definition: TaskDefinition,
    private desired: number,
    private readonly options: ServiceSchedulerOptions,
  ) {}

  get desiredCount(): number {
    return this.desired;
  }

  get taskDefinition(): TaskDefinition {
    return this.definition;
  }

  running(): Task[] {
    return [...this.tasks].filter(({ status }) => status === 'RUNNING');
  }

  /** Until then no task is started: the rest of the stacks may not be there yet. */
  begin(): void {
    this.open = true;
    this.reconcile();
  }

  /** New tasks start first, old ones stop then: minimum healthy 100 %, maximum 200 %. */
  update(change: { definition?: TaskDefinition; desiredCount?: number; forceNewDeployment?: boolean }): void {
    const old =
      change.forceNewDeployment === true ||
      (change.definition !== undefined && change.definition.arn !== this.definition.arn);
    const before = this.running();
    this.definition = change.definition ?? this.definition;
    this.desired = change.desiredCount ?? this.desired;
    if (old && this.open) {
      for (let count = 0; count < Math.min(before.length, this.desired); count++) this.startOne();
      for (const task of before) void task.stop('Scaling activity initiated by deployment');
    }
    this.reconcile();
  }

  /** Stops every task and starts no more. */
  async stop(): Promise<void> {
    this.open = false;
    this.cancel?.();
    await Promise.all([...this.tasks].map((task) => task.stop('The local run stops')));
  }

  private reconcile(): void {
    if (!this.open) return;
    const running = this.running();
    for (const task of running.slice(this.desired)) void task.stop('Scaling activity initiated by the service');
    const wait = this.holdUntil - this.options.clock.now();
    if (running.length >= this.desired) return;
    if (wait > 0) {
      this.cancel ??= this.options.clock.after(wait, () => {
        this.cancel = undefined;
        this.reconcile();
      });
      return;
    }
    for (let count = running.length; count < this.desired; count++) this.startOne();
  }

  private startOne(): void {
    const task = this.options.start(this.definition);
    this.tasks.add(task);
    void task.stopped.then(() => {
      this.tasks.delete(task);
      this.reconcileAfter(task);
    });
  }

  private reconcileAfter(task: Task): void {
    const now = this.options.clock.now();
    const asked = task.stoppedReason !== 'Essential container in task exited';
    if (!asked) {
      this.failures = now - task.startedAt >= HEALTHY_AFTER_MS ? 0 : this.failures + 1;
      const delay = Math.min(RESTART_DELAY_MS * 2 ** Math.max(0, this.failures - 1), LONGEST_RESTART_DELAY_MS);
      this.holdUntil = now + delay;
      if (this.open)
        this.options.onLog(
          `${this.name}: task ${task.context.id} ended (${exitsOf(task)}); another starts in ${delay / 1_000} s`,
        );
    }
    this.reconcile();
  }
}

function exitsOf(task: Task): string {
  return [...task.exits.values()]
    .map(({ exitCode, signal, error }) => error ?? (signal === null ? `exit code ${exitCode}` : signal))
    .join(', ');
}
