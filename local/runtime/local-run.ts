/**
 * A local run: every resource of a cloud assembly, provisioned and running on this machine. State stays in its directory;
 * a run over the same directory goes on where the last one ended.
 */
import { readAssembly } from '../assembly/assembly';
import { ACCOUNT_ID } from '../assembly/names';
import { provision } from '../assembly/provision';
import type { ProvisionedResource, Provisioning } from '../assembly/provision';
import type { QueueMappingRequest } from '../assembly/resources/lambda';
import { CredentialRegistry } from '../gateway/credentials';
import { Gateway } from '../gateway/gateway';
import { RequestLog } from '../gateway/request-log';
import { systemClock } from '../gateway/service';
import type { Clock } from '../gateway/service';
import type { QueueEventSource } from '../services/lambda/queue-event-source';
import { startEventSources } from './event-sources';
import { Logs } from './logs';
import type { LogLine } from './logs';
import { mountPages, runningTasks } from './pages';
import type { RunningTask } from './pages';
import { provisioningCalls } from './provisioning-calls';
import { RUN, createServices } from './services';
import type { Services } from './services';
import { StateDirectory } from './state-directory';

export interface LocalRunOptions {
  /** A synthesized cloud assembly, such as cdk.out. */
  readonly assembly: string;
  readonly stateDirectory: string;
  /** Of the gateway, on 127.0.0.1; 0 takes any free one. */
  readonly port: number;
  /** Of the MQTT broker, on 127.0.0.1; 0 takes any free one. */
  readonly mqttPort: number;
  /** Lines of tasks, functions, jobs and of the run itself, which are also in `logs/`. */
  readonly onLog?: (line: LogLine) => void;
  readonly clock?: Clock;
  /**
   * False provisions the services and their state and starts nothing over them: no task, no event source. For tools
   * that work while no consumer does.
   * @default true
   */
  readonly startTasks?: boolean;
  /** Variables of every ECS task beside those of its definition, such as an endpoint for one service. */
  readonly taskEnvironment?: Readonly<Record<string, string>>;
}

export class LocalRun {
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly gateway: Gateway,
    readonly services: Services,
    private readonly provisioning: Provisioning,
    readonly mqttPort: number,
    private readonly end: () => Promise<void>,
  ) {}

  /**
   * Provisions everything, then starts tasks and event sources. Whatever fails, nothing is left running.
   * @throws Error with one message that says what is wrong and what to do: a busy port or directory, an unreadable
   *   assembly, a resource that is not known or cannot be provisioned
   */
  static async start(options: LocalRunOptions): Promise<LocalRun> {
    const ends: (() => Promise<void> | void)[] = [];
    /** Last started, first ended. */
    const end = async () => {
      for (const close of ends.reverse().splice(0)) await close();
    };
    try {
      return await start(
        options,
        (close) => ends.push(close),
        (...parts) => new LocalRun(...parts, end),
      );
    } catch (error) {
      await end();
      throw error;
    }
  }

  get endpoint(): string {
    return this.gateway.endpoint;
  }

  /** Outputs of all stacks, by name. */
  get outputs(): Readonly<Record<string, string>> {
    return this.provisioning.outputs;
  }

  resources(): readonly ProvisionedResource[] {
    return this.provisioning.resources;
  }

  /** ECS tasks that run now. */
  tasks(): RunningTask[] {
    return runningTasks(this.services);
  }

  /** Stops tasks gently, then everything else. State is on disk when it resolves. */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }
}

async function start(
  options: LocalRunOptions,
  onEnd: (close: () => Promise<void> | void) => void,
  finish: (...parts: [Gateway, Services, Provisioning, number]) => LocalRun,
): Promise<LocalRun> {
  const clock = options.clock ?? systemClock;
  const assembly = readAssembly(options.assembly);
  const state = StateDirectory.open(options.stateDirectory);
  onEnd(() => state.close());
  const logs = new Logs(state.path('logs'), options.onLog ?? (() => undefined));
  onEnd(() => logs.close());

  const credentials = new CredentialRegistry(ACCOUNT_ID);
  const gateway = await onPort('--port', options.port, () =>
    Gateway.listen({
      port: options.port,
      credentials,
      clock,
      log: new RequestLog({ file: state.path('logs', 'requests.ndjson') }),
      onDefect: (message) => logs.write(RUN, message),
    }),
  );
  onEnd(() => gateway.close());

  const services = createServices({
    state,
    clock,
    gateway,
    credentials,
    assembly,
    logs,
    taskEnvironment: options.taskEnvironment ?? {},
  });
  onEnd(async () => {
    await gateway.close();
    await closeServices(services);
  });

  const mappings: QueueMappingRequest[] = [];
  const calls = provisioningCalls({ gateway, credentials, lambda: services.lambda, assembly }, mappings);
  const provisioning = await provision(assembly, calls, state.readProvisioned());
  state.writeProvisioned(provisioning.properties);

  const mqttPort = await onPort('--mqtt-port', options.mqttPort, () => services.iot.listen(options.mqttPort));

  onEnd(() => services.iot.stopListening());

  if (options.startTasks === false) return finish(gateway, services, provisioning, mqttPort);

  const sources = startEventSources({ gateway, credentials, lambda: services.lambda, clock, logs }, mappings);
  onEnd(() => stopSources(sources, services));
  services.s3.redeliverEvents();
  await services.sagemaker.resume();
  services.ecs.begin();
  onEnd(() => services.ecs.close());

  const startedAt = clock.now();
  mountPages({ gateway, services, clock, provisioning, startedAt, mqttPort });
  state.writeRun({ endpoint: gateway.endpoint, mqttPort, pid: process.pid, startedAt, outputs: provisioning.outputs });
  return finish(gateway, services, provisioning, mqttPort);
}

/** How long functions may go on with their batches when the run stops. */
const FUNCTION_GRACE_MS = 5_000;

async function stopSources(sources: readonly QueueEventSource[], { sqs, lambda }: Services): Promise<void> {
  sqs.endLongPolls();
  const stopped = Promise.all(sources.map((source) => source.stop()));
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise((resolve) => (timer = setTimeout(resolve, FUNCTION_GRACE_MS)));
  await Promise.race([stopped, grace]);
  clearTimeout(timer);
  // A batch cut off here becomes visible again, as after a function's timeout.
  await lambda.close();
  await stopped;
}

async function closeServices(services: Services): Promise<void> {
  services.events.close();
  await services.lambda.close();
  await services.sagemaker.close();
  for (const service of [services.kinesis, services.dynamodb, services.s3, services.iot, services.sqs, services.glue]) {
    service.close();
  }
}

/** @param option of the command line that chooses the port */
async function onPort<Listening>(option: string, port: number, listen: () => Promise<Listening>): Promise<Listening> {
  try {
    return await listen();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new Error(
        `port ${port} is taken by another program: choose another with ${option} N (0 takes any free one)`,
        { cause: error },
      );
    if (code === 'EACCES')
      throw new Error(`port ${port} may not be opened by this user: choose another with ${option} N, above 1023`, {
        cause: error,
      });
    throw new Error(`cannot listen on port ${port}: ${message}`, { cause: error });
  }
}
