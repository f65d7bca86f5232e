/** ECS API shapes to and from what runs. */
import type { ServiceScheduler } from './service-scheduler';
import type { ContainerDefinition, Task } from './task';

/** ECS's default where a container names no stopTimeout, seconds. */
const DEFAULT_STOP_TIMEOUT = 30;

export function readContainer(input: Record<string, unknown>): ContainerDefinition {
  const environment = (input['environment'] ?? []) as { name: string; value: string }[];
  return {
    name: String(input['name']),
    image: String(input['image']),
    entryPoint: input['entryPoint'] as string[] | undefined,
    command: input['command'] as string[] | undefined,
    environment: Object.fromEntries(environment.map(({ name, value }) => [name, String(value)])),
    essential: input['essential'] !== false,
    stopTimeout: Number(input['stopTimeout'] ?? DEFAULT_STOP_TIMEOUT),
  };
}

export function describeService(service: ServiceScheduler, serviceArn: string, clusterArn: string): unknown {
  const running = service.running().length;
  return {
    serviceName: service.name,
    serviceArn,
    clusterArn,
    status: 'ACTIVE',
    desiredCount: service.desiredCount,
    runningCount: running,
    pendingCount: Math.max(0, service.desiredCount - running),
    launchType: 'FARGATE',
    taskDefinition: service.taskDefinition.arn,
  };
}

export function describeTask(task: Task, clusterArn: string): unknown {
  const { context, status } = task;
  return {
    taskArn: context.arn,
    clusterArn,
    group: `service:${context.service}`,
    taskDefinitionArn: context.definition.arn,
    lastStatus: status,
    desiredStatus: status === 'RUNNING' ? 'RUNNING' : 'STOPPED',
    launchType: 'FARGATE',
    cpu: context.definition.cpu,
    memory: context.definition.memory,
    // Nothing runs the health check of the container definition.
    healthStatus: 'UNKNOWN',
    startedAt: task.startedAt / 1_000,
    ...(task.stoppedAt !== undefined && { stoppedAt: task.stoppedAt / 1_000 }),
    ...(task.stoppedReason !== undefined && { stoppedReason: task.stoppedReason }),
    containers: context.definition.containers.map(({ name, image }) => {
      const exit = task.exits.get(name);
      return {
        name,
        image,
        lastStatus: exit === undefined ? 'RUNNING' : 'STOPPED',
        ...(exit !== undefined && { exitCode: exitCodeOf(exit), reason: exit.error }),
      };
    }),
  };
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** A container that a signal ended has exit code 128 + the signal's number. */
function exitCodeOf({ exitCode, signal }: { exitCode: number | null; signal: NodeJS.Signals | null }): number {
  return exitCode ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0);
}
