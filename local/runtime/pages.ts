/** What the gateway answers besides the AWS APIs: the tasks' metadata endpoint, and the run's state for people. */
import { arn } from '../assembly/names';
import type { Provisioning } from '../assembly/provision';
import type { Gateway } from '../gateway/gateway';
import type { Clock } from '../gateway/service';
import { answerMetadata } from '../services/ecs/task-metadata';
import type { Services } from './services';

export interface RunningTask {
  readonly taskArn: string;
  readonly id: string;
  readonly service: string;
  /** Of the process; undefined where it could not be started. */
  readonly pid: number | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

export function runningTasks({ ecs }: Services): RunningTask[] {
  return ecs.runningTasks().map(({ context, pid, startedAt }) => ({
    taskArn: context.arn,
    id: context.id,
    service: context.service,
    pid,
    startedAt,
  }));
}

export interface PagesOptions {
  readonly gateway: Gateway;
  readonly services: Services;
  readonly clock: Clock;
  readonly provisioning: Provisioning;
  readonly startedAt: number;
  readonly mqttPort: number;
}

/**
 * `/v4/` is the ECS task metadata endpoint. `/_local/` is an overview; `/_local/resources`, `/_local/tasks`,
 * `/_local/outputs` and `/_local/requests` (the newest 1,000) are its parts.
 */
export function mountPages({ gateway, services, clock, provisioning, startedAt, mqttPort }: PagesOptions): void {
  const clusterArn = (cluster: string) => arn('ecs', `cluster/${cluster}`);
  const metadata = { findTask: (id: string) => services.ecs.findTask(id), clock, clusterArn };
  gateway.mount('/v4/', (path) => answerMetadata(metadata, path));
  gateway.mount('/_local/', (path) => {
    switch (path) {
      case '':
        return {
          endpoint: gateway.endpoint,
          mqttPort,
          startedAt: new Date(startedAt).toISOString(),
          resources: provisioning.resources.length,
          outputs: provisioning.outputs,
          tasks: runningTasks(services),
          queues: services.sqs.summary(),
          functions: services.lambda.summary(),
          glue: services.glue.summary(),
          broker: services.iot.broker.counts,
          rules: services.iot.rules.counts,
          stream: services.kinesis.counts,
          requests: gateway.log.totals(),
        };
      case 'resources':
        return provisioning.resources;
      case 'outputs':
        return provisioning.outputs;
      case 'tasks':
        return runningTasks(services);
      case 'requests':
        return gateway.log.entries();
      default:
        return undefined;
    }
  });
}
