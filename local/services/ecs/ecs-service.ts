/**
 * Amazon ECS: services whose tasks run as child processes of this one.
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html
 */
import { randomBytes } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import type { Caller, JsonService } from '../../gateway/service';
import { describeService, describeTask, readContainer } from './shapes';
import { ServiceScheduler } from './service-scheduler';
import { Task } from './task';
import type { TaskContext, TaskDefinition, TaskOptions } from './task';

export interface EcsOptions extends TaskOptions {
  readonly accountId: string;
  readonly region: string;
  readonly onLog: (message: string) => void;
}

type Input = Record<string, unknown>;

/** Stopped tasks that DescribeTasks still knows; ECS shows them for an hour. */
const STOPPED_TASKS_KEPT = 100;

export class EcsService implements JsonService {
  readonly name = 'ecs';
  readonly protocol = 'json-1.1';
  private readonly clusters = new Map<string, Map<string, ServiceScheduler>>();
  private readonly definitions = new Map<string, TaskDefinition[]>();
  private readonly tasks = new Map<string, Task>();

  constructor(private readonly options: EcsOptions) {}

  async call(operation: string, input: Input, _caller: Caller): Promise<unknown> {
    switch (operation) {
      case 'CreateCluster':
        return this.createCluster(String(input['clusterName'] ?? 'default'));
      case 'RegisterTaskDefinition':
        return this.registerTaskDefinition(input);
      case 'DescribeTaskDefinition':
        return { taskDefinition: { taskDefinitionArn: this.definition(String(input['taskDefinition'])).arn } };
      case 'CreateService':
        return this.createService(input);
      case 'UpdateService':
        return this.updateService(input);
      case 'ListServices':
        return { serviceArns: [...this.cluster(input).keys()].map((name) => this.serviceArn(input, name)) };
      case 'DescribeServices':
        return this.describeServices(input);
      case 'ListTasks':
        return { taskArns: this.listTasks(input).map(({ context }) => context.arn) };
      case 'DescribeTasks':
        return this.describeTasks(input);
      case 'StopTask':
        return this.stopTask(input);
      default:
        throw new AwsError('InvalidParameterException', `ECS ${operation} is not served locally`);
    }
  }

  /** Starts the tasks of every service. */
  begin(): void {
    for (const services of this.clusters.values()) for (const service of services.values()) service.begin();
  }

  runningTasks(): Task[] {
    return [...this.tasks.values()].filter(({ status }) => status !== 'STOPPED');
  }

  findTask(id: string): Task | undefined {
    return this.tasks.get(id);
  }

  /** Stops all tasks, gently first, as StopTask does. */
  async close(): Promise<void> {
    const services = [...this.clusters.values()].flatMap((byName) => [...byName.values()]);
    await Promise.all(services.map((service) => service.stop()));
  }

  private createCluster(name: string): unknown {
    if (!this.clusters.has(name)) this.clusters.set(name, new Map());
    return { cluster: { clusterName: name, clusterArn: this.arn(`cluster/${name}`), status: 'ACTIVE' } };
  }

  private registerTaskDefinition(input: Input): unknown {
    const family = String(input['family']);
    const revisions = this.definitions.get(family) ?? [];
    this.definitions.set(family, revisions);
    const revision = revisions.length + 1;
    const definition: TaskDefinition = {
      arn: this.arn(`task-definition/${family}:${revision}`),
      family,
      revision,
      taskRoleArn: input['taskRoleArn'] as string | undefined,
      cpu: input['cpu'] as string | undefined,
      memory: input['memory'] as string | undefined,
      containers: ((input['containerDefinitions'] ?? []) as Input[]).map(readContainer),
    };
    revisions.push(definition);
    return { taskDefinition: { taskDefinitionArn: definition.arn, family, revision, status: 'ACTIVE' } };
  }

  private createService(input: Input): unknown {
    const name = String(input['serviceName']);
    const services = this.cluster(input);
    if (services.has(name)) throw new AwsError('InvalidParameterException', 'Creation of service was not idempotent.');
    const cluster = clusterName(input);
    const scheduler = new ServiceScheduler(
      name,
      this.definition(String(input['taskDefinition'])),
      Number(input['desiredCount'] ?? 1),
      {
        clock: this.options.clock,
        onLog: this.options.onLog,
        start: (definition) => this.startTask(cluster, name, definition),
      },
    );
    services.set(name, scheduler);
    return { service: describeService(scheduler, this.serviceArn(input, name), this.arn(`cluster/${cluster}`)) };
  }

  private updateService(input: Input): unknown {
    const scheduler = this.service(input, String(input['service']));
    const definition = input['taskDefinition'];
    scheduler.update({
      definition: definition === undefined ? undefined : this.definition(String(definition)),
      desiredCount: input['desiredCount'] as number | undefined,
      forceNewDeployment: input['forceNewDeployment'] === true,
    });
    return {
      service: describeService(
        scheduler,
        this.serviceArn(input, scheduler.name),
        this.arn(`cluster/${clusterName(input)}`),
      ),
    };
  }

  private describeServices(input: Input): unknown {
    const cluster = this.cluster(input);
    const services: unknown[] = [];
    const failures: unknown[] = [];
    for (const nameOrArn of (input['services'] ?? []) as string[]) {
      const name = lastPart(nameOrArn);
      const scheduler = cluster.get(name);
      if (scheduler === undefined) failures.push({ arn: this.serviceArn(input, name), reason: 'MISSING' });
      else
        services.push(
          describeService(scheduler, this.serviceArn(input, name), this.arn(`cluster/${clusterName(input)}`)),
        );
    }
    return { services, failures };
  }

  private listTasks(input: Input): Task[] {
    const cluster = clusterName(input);
    const service = input['serviceName'] === undefined ? undefined : lastPart(String(input['serviceName']));
    const stopped = input['desiredStatus'] === 'STOPPED';
    return [...this.tasks.values()].filter(
      ({ context, status }) =>
        context.cluster === cluster &&
        (service === undefined || context.service === service) &&
        (status === 'RUNNING') !== stopped,
    );
  }

  private describeTasks(input: Input): unknown {
    const tasks: unknown[] = [];
    const failures: unknown[] = [];
    for (const idOrArn of (input['tasks'] ?? []) as string[]) {
      const task = this.tasks.get(lastPart(idOrArn));
      if (task === undefined) failures.push({ arn: idOrArn, reason: 'MISSING' });
      else tasks.push(describeTask(task, this.arn(`cluster/${task.context.cluster}`)));
    }
    return { tasks, failures };
  }

  private stopTask(input: Input): unknown {
    const task = this.tasks.get(lastPart(String(input['task'])));
    if (task === undefined) throw new AwsError('InvalidParameterException', 'The referenced task was not found.');
    void task.stop(String(input['reason'] ?? 'Task stopped by user'));
    return { task: describeTask(task, this.arn(`cluster/${task.context.cluster}`)) };
  }

  private startTask(cluster: string, service: string, definition: TaskDefinition): Task {
    const id = randomBytes(16).toString('hex');
    const context: TaskContext = { id, arn: this.arn(`task/${cluster}/${id}`), cluster, service, definition };
    const task = new Task(context, this.options);
    this.tasks.set(id, task);
    void task.stopped.then(() => this.forgetOldest());
    return task;
  }

  private forgetOldest(): void {
    const stopped = [...this.tasks.values()].filter(({ status }) => status === 'STOPPED');
    for (const { context } of stopped.slice(0, -STOPPED_TASKS_KEPT)) this.tasks.delete(context.id);
  }

  /** By ARN, `family:revision` or `family`, which is its newest revision. */
  private definition(reference: string): TaskDefinition {
    const [family, revision] = lastPart(reference).split(':');
    const revisions = this.definitions.get(family!) ?? [];
    const definition = revision === undefined ? revisions.at(-1) : revisions[Number(revision) - 1];
    if (definition === undefined)
      throw new AwsError('ClientException', `Unable to describe task definition ${reference}.`);
    return definition;
  }

  private cluster(input: Input): Map<string, ServiceScheduler> {
    const services = this.clusters.get(clusterName(input));
    if (services === undefined)
      throw new AwsError('ClusterNotFoundException', `Cluster ${clusterName(input)} not found.`);
    return services;
  }

  private service(input: Input, nameOrArn: string): ServiceScheduler {
    const scheduler = this.cluster(input).get(lastPart(nameOrArn));
    if (scheduler === undefined) throw new AwsError('ServiceNotFoundException', `Service ${nameOrArn} not found.`);
    return scheduler;
  }

  private serviceArn(input: Input, name: string): string {
    return this.arn(`service/${clusterName(input)}/${name}`);
  }

  private arn(resource: string): string {
    return `arn:aws:ecs:${this.options.region}:${this.options.accountId}:${resource}`;
  }
}

function clusterName(input: Input): string {
  return lastPart(String(input['cluster'] ?? 'default'));
}

/** Name or id from an ARN; a name stays what it is. */
function lastPart(nameOrArn: string): string {
  return nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
}
