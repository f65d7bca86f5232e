/**
 * CPU utilisation of this container, from the ECS task metadata endpoint version 4.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
 */
import type { WorkerMetric } from '../dependencies';

export interface EcsCpuOptions {
  /** The value of ECS_CONTAINER_METADATA_URI_V4. */
  readonly metadataUri: string;
  /** Gives the parsed JSON of a URL; rejects when it cannot be had. */
  readonly readJson: (url: string) => Promise<unknown>;
  /** Percent. @default 100 */
  readonly maxUtilization?: number;
}

interface CpuCounters {
  readonly cpu_usage?: { readonly total_usage?: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

interface Container {
  readonly DockerId?: string;
  readonly Limits?: { readonly CPU?: number };
}

interface Task {
  readonly Limits?: { readonly CPU?: number };
  readonly Containers?: readonly Container[];
}

/** Shares of a container without a reservation, by the ECS agent. */
const DEFAULT_SHARES = 2;

/** vCPUs that this container may count on: its part, by CPU shares, of the task's. */
export function containerCpuLimit(task: Task, container: Container, onlineCpus: number): number {
  const shares = (one: Container | undefined): number => one?.Limits?.CPU || DEFAULT_SHARES;
  const all = task.Containers ?? [];
  const own = all.find((one) => one.DockerId === container.DockerId);
  const sum = all.reduce((total, one) => total + shares(one), 0);
  const taskLimit = task.Limits?.CPU ?? onlineCpus;
  return own === undefined ? taskLimit : (shares(own) / sum) * taskLimit;
}

/** The counters are sums since the container's start: two readings give the exact mean between them, at whatever distance. */
export class EcsCpu implements WorkerMetric {
  readonly shortName = 'C';
  readonly maxUtilization: number;
  private before = { used: 0, system: 0 };
  private limit: number | undefined;

  constructor(private readonly options: EcsCpuOptions) {
    this.maxUtilization = options.maxUtilization ?? 100;
  }

  async capture(): Promise<number> {
    const { metadataUri, readJson } = this.options;
    const { cpu_stats: now } = (await readJson(`${metadataUri}/stats`)) as { cpu_stats?: CpuCounters };
    const used = now?.cpu_usage?.total_usage;
    const system = now?.system_cpu_usage;
    const onlineCpus = now?.online_cpus;
    if (used === undefined || system === undefined || onlineCpus === undefined) {
      throw new Error('The container stats have no cpu_stats.');
    }
    this.limit ??= containerCpuLimit(
      (await readJson(`${metadataUri}/task`)) as Task,
      (await readJson(metadataUri)) as Container,
      onlineCpus,
    );
    const { before } = this;
    this.before = { used, system };
    // The first reading covers the container's life up to now.
    if (system <= before.system) return 0;
    const cpus = ((used - before.used) / (system - before.system)) * onlineCpus;
    return Math.min(100, Math.max(0, (cpus / this.limit) * 100));
  }
}
