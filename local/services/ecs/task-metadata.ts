/**
 * Task metadata endpoint, version 4, as far as this machine can answer it.
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Clock } from '../../gateway/service';
import type { ContainerDefinition, Task } from './task';

export interface MetadataOptions {
  readonly findTask: (id: string) => Task | undefined;
  readonly clock: Clock;
  readonly clusterArn: (cluster: string) => string;
}

/** Path below `/v4/`: `<task id>-<container>`, then nothing, `task`, `stats` or `task/stats`. Undefined is 404. */
export function answerMetadata(options: MetadataOptions, path: string): unknown {
  const [id = '', ...rest] = path.split('/').filter((part) => part !== '');
  const task = options.findTask(id.slice(0, 32));
  const container = task?.context.definition.containers.find(({ name }) => name === decodeURIComponent(id.slice(33)));
  if (task === undefined || container === undefined) return undefined;
  switch (rest.join('/')) {
    case '':
      return describeContainer(task, container);
    case 'task':
      return describeTask(options, task);
    case 'stats':
      return readStats(options.clock, task, container.name);
    case 'task/stats':
      return Object.fromEntries(
        task.context.definition.containers.map(({ name }) => [
          dockerId(task, name),
          readStats(options.clock, task, name),
        ]),
      );
    default:
      return undefined;
  }
}

/** Variable ECS_CONTAINER_METADATA_URI_V4 of a container. */
export function metadataUri(endpoint: string, taskId: string, container: string): string {
  return `${endpoint}/v4/${taskId}-${encodeURIComponent(container)}`;
}

function dockerId(task: Task, container: string): string {
  return `${task.context.id}-${container}`;
}

function describeContainer(task: Task, container: ContainerDefinition): unknown {
  return {
    DockerId: dockerId(task, container.name),
    Name: container.name,
    Image: container.image,
    DesiredStatus: 'RUNNING',
    KnownStatus: task.exits.has(container.name) ? 'STOPPED' : 'RUNNING',
    StartedAt: new Date(task.startedAt).toISOString(),
    Type: 'NORMAL',
    Labels: {
      'com.amazonaws.ecs.task-arn': task.context.arn,
      'com.amazonaws.ecs.container-name': container.name,
    },
  };
}

function describeTask(options: MetadataOptions, task: Task): unknown {
  const { definition, arn, cluster, service } = task.context;
  const limits = {
    ...(definition.cpu !== undefined && { CPU: Number(definition.cpu) / 1_024 }),
    ...(definition.memory !== undefined && { Memory: Number(definition.memory) }),
  };
  return {
    Cluster: options.clusterArn(cluster),
    TaskARN: arn,
    Family: definition.family,
    Revision: String(definition.revision),
    DesiredStatus: 'RUNNING',
    KnownStatus: task.status,
    Limits: limits,
    LaunchType: 'FARGATE',
    ServiceName: service,
    Containers: definition.containers.map((container) => describeContainer(task, container)),
  };
}

/** CPU and memory from /proc; where there is none (macOS, Windows), the members are left out rather than made up. */
function readStats(clock: Clock, task: Task, container: string): unknown {
  const read = new Date(clock.now()).toISOString();
  const pid = task.containers.get(container)?.pid;
  const usage = pid === undefined ? undefined : readProcess(pid);
  if (usage === undefined) return { read };
  return {
    read,
    cpu_stats: {
      cpu_usage: { total_usage: usage.cpuNanoseconds },
      system_cpu_usage: systemCpuNanoseconds(),
      online_cpus: cpus().length,
    },
    memory_stats: { usage: usage.residentBytes },
  };
}

/** USER_HZ and the page size are fixed on the architectures that Node runs on. */
const NANOSECONDS_PER_TICK = 1e7;
const PAGE_BYTES = 4_096;

function readProcess(pid: number): { cpuNanoseconds: number; residentBytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold spaces; utime, stime and rss are the 14th, 15th and 24th.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return {
      cpuNanoseconds: (fields[11]! + fields[12]!) * NANOSECONDS_PER_TICK,
      residentBytes: fields[21]! * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

function systemCpuNanoseconds(): number {
  return cpus().reduce(
    (sum, { times }) => sum + (times.user + times.nice + times.sys + times.idle + times.irq) * 1e6,
    0,
  );
}
