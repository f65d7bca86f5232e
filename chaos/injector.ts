/** Carries a plan out on a local run: signals, proxies, answers of the gateway, task definitions, shards. */
import path from 'node:path';
import { UpdateShardCountCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { AwsError, type Caller } from '../local/gateway/service';
import type { LocalRun } from '../local/runtime/local-run';
import type { Task, TaskDefinition } from '../local/services/ecs/task';
import { Journal } from '../local/storage/journal';
import type { ChaosFault, ServiceName } from './plan';
import { SERVICES } from './plan';
import type { TcpProxy } from './tcp-proxy';

/** How each service says that it is asked too much, and that it failed. */
const THROTTLING: Readonly<Record<ServiceName, () => AwsError>> = {
  kinesis: () => new AwsError('ProvisionedThroughputExceededException', 'Rate exceeded for shard.', 400),
  dynamodb: () => new AwsError('ThrottlingException', 'Throughput exceeds the current capacity.', 400),
  s3: () => new AwsError('SlowDown', 'Please reduce your request rate.', 503),
};
const FAILURE: Readonly<Record<ServiceName, () => AwsError>> = {
  kinesis: () => new AwsError('InternalFailureException', 'The request failed.', 500),
  dynamodb: () => new AwsError('InternalServerError', 'The request failed.', 500),
  s3: () => new AwsError('InternalError', 'We encountered an internal error.', 500),
};
/** Directories of the state directory whose disk fills up: what the consumer writes to. The stream goes on taking records. */
const FULL = ['dynamodb', 's3'];
/** Room that a full disk may still have, bytes: less than any write is long, so that some are cut in the middle. */
const ROOM = 100;

/** UpdateShardCount of a stream that is being resharded, that has this many shards, or half or double of fewer. */
const REFUSALS = ['ResourceInUseException', 'InvalidArgumentException', 'LimitExceededException'];

export interface InjectorOptions {
  readonly run: LocalRun;
  readonly stateDirectory: string;
  readonly proxies: Readonly<Record<ServiceName, TcpProxy>>;
  readonly kinesis: KinesisClient;
  readonly streamName: string;
  readonly sleep: (ms: number) => Promise<void>;
  /** 0 to 1. */
  readonly random: () => number;
  readonly say: (text: string) => void;
}

export class Injector {
  private readonly active = new Set<ChaosFault>();
  private builds = 0;
  private readonly sound: TaskDefinition;
  private readonly place: { readonly cluster: string; readonly service: string };
  /** ARN of the tasks' role. */
  private readonly consumer: string;

  constructor(private readonly options: InjectorOptions) {
    const { definition, cluster, service } = this.tasks()[0]!.context;
    this.sound = definition;
    this.place = { cluster, service };
    this.consumer = this.sound.taskRoleArn!;
    options.run.gateway.fault = (service, _operation, caller) => this.answer(service as ServiceName, caller);
  }

  /** Resolves when the last fault is over and everything is sound again. */
  async carryOut(plan: readonly ChaosFault[]): Promise<void> {
    const directories = FULL.map((name) => path.join(this.options.stateDirectory, name) + path.sep);
    Journal.room = (file) =>
      this.isDiskFull() && directories.some((directory) => file.startsWith(directory))
        ? Math.floor(this.options.random() * ROOM)
        : Infinity;
    try {
      await Promise.all(
        plan.map(async (fault) => {
          await this.options.sleep(fault.at);
          await this.inject(fault);
        }),
      );
    } finally {
      Journal.room = undefined;
    }
  }

  private isDiskFull(): boolean {
    return [...this.active].some(({ kind }) => kind === 'disk-full');
  }

  private async inject(fault: ChaosFault): Promise<void> {
    const { proxies, sleep } = this.options;
    switch (fault.kind) {
      case 'kill':
        return this.pick(fault.task)?.kill('SIGKILL');
      case 'terminate':
        return this.pick(fault.task)?.kill('SIGTERM');
      case 'pause': {
        const victim = this.pick(fault.task);
        victim?.kill('SIGSTOP');
        await sleep(fault.for);
        return victim?.kill('SIGCONT');
      }
      case 'network':
        proxies[fault.service].setMode(fault.mode);
        await sleep(fault.for);
        return proxies[fault.service].setMode(undefined);
      case 'throttle':
      case 'server-error':
      case 'disk-full':
        this.active.add(fault);
        await sleep(fault.for);
        this.active.delete(fault);
        return;
      case 'reshard':
        return this.reshard(fault.shards);
      case 'deploy':
        return this.deploy({ CODE_VERSION: `chaos-build-${++this.builds}` });
      case 'memory':
        await this.deploy({ NODE_OPTIONS: `--max-old-space-size=${fault.heapMebibytes}` });
        await sleep(fault.for);
        return this.deploy({});
    }
  }

  private tasks(): Task[] {
    return this.options.run.services.ecs.runningTasks();
  }

  private pick(index: number): { kill(signal: NodeJS.Signals): void } | undefined {
    const tasks = this.tasks();
    const container = [...(tasks[index % Math.max(1, tasks.length)]?.containers.values() ?? [])][0];
    return container;
  }

  /** Answers of the gateway to the consumer's calls; everybody else's go through. */
  private answer(service: ServiceName, caller: Caller): AwsError | undefined {
    if (!SERVICES.includes(service) || caller.principalArn !== this.consumer) return undefined;
    for (const fault of this.active) {
      if (fault.kind !== 'throttle' && fault.kind !== 'server-error') continue;
      if (fault.service !== service || this.options.random() >= fault.share) continue;
      return fault.kind === 'throttle' ? THROTTLING[service]() : FAILURE[service]();
    }
    return undefined;
  }

  /** As an operator would; the service refuses what the stream has already, and more than half or double of it. */
  private async reshard(shards: number): Promise<void> {
    const { kinesis, streamName: StreamName, say } = this.options;
    try {
      await kinesis.send(
        new UpdateShardCountCommand({ StreamName, TargetShardCount: shards, ScalingType: 'UNIFORM_SCALING' }),
      );
    } catch (error) {
      const { name } = error as Error;
      if (!REFUSALS.includes(name)) throw error;
      say(`the stream is not resharded to ${shards} now: ${name}`);
    }
  }

  /** A new revision of the task definition with these variables beside its own, rolled out. */
  private async deploy(variables: Readonly<Record<string, string>>): Promise<void> {
    const { ecs } = this.options.run.services;
    const { family, taskRoleArn, cpu, memory, containers } = this.sound;
    const caller: Caller = { accessKeyId: '', principalArn: 'chaos' };
    const registered = (await ecs.call(
      'RegisterTaskDefinition',
      {
        family,
        taskRoleArn,
        cpu,
        memory,
        containerDefinitions: containers.map((container) => ({
          ...container,
          environment: Object.entries({ ...container.environment, ...variables }).map(([name, value]) => ({
            name,
            value,
          })),
        })),
      },
      caller,
    )) as { taskDefinition: { taskDefinitionArn: string } };
    const taskDefinition = registered.taskDefinition.taskDefinitionArn;
    await ecs.call('UpdateService', { ...this.place, taskDefinition }, caller);
  }
}
