import { CredentialRegistry } from '../../../local/gateway/credentials';
import type { ContainerExit, ContainerProcess, ContainerStart } from '../../../local/services/ecs/container-process';
import { EcsService } from '../../../local/services/ecs/ecs-service';
import { answerMetadata, metadataUri } from '../../../local/services/ecs/task-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, settle } from '../gateway/manual-clock';

const caller = new CredentialRegistry('000000000000').root;

/** A process that does what a test says. */
class FakeContainer implements ContainerProcess {
  readonly signals: NodeJS.Signals[] = [];
  readonly exited: Promise<ContainerExit>;
  exit!: (exit: Partial<ContainerExit>) => void;
  constructor(
    readonly pid: number,
    readonly start: ContainerStart,
    private readonly obedient: boolean,
  ) {
    this.exited = new Promise((resolve) => {
      this.exit = ({ exitCode = null, signal = null, error }) => resolve({ exitCode, signal, error });
    });
  }
  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL') this.exit({ signal });
    else if (this.obedient) this.exit({ exitCode: 0 });
  }
}

describe('EcsService', () => {
  let clock: ManualClock;
  let ecs: EcsService;
  let containers: FakeContainer[];
  let lines: string[];
  let obedient: boolean;
  let directory: string;
  const running = () => ecs.runningTasks().filter(({ status }) => status === 'RUNNING');
  const call = (operation: string, input: Record<string, unknown>) =>
    ecs.call(operation, { cluster: 'cluster', ...input }, caller);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ecs-'));
    writeFileSync(
      join(directory, 'Dockerfile'),
      'FROM a\nWORKDIR /app\nCOPY . /app/\nENV FROM_IMAGE=1 BOTH=image\nENTRYPOINT ["node", "/app/main.js"]\n',
    );
    clock = new ManualClock();
    containers = [];
    lines = [];
    obedient = true;
    ecs = new EcsService({
      clock,
      launch: (start) => {
        const container = new FakeContainer(containers.length + 1, start, obedient);
        containers.push(container);
        return container;
      },
      imageDirectory: () => directory,
      environment: ({ id, definition }, container) => ({
        ROLE: definition.taskRoleArn ?? '',
        METADATA: metadataUri('http://h', id, container),
      }),
      onLine: () => undefined,
      onLog: (line) => lines.push(line),
      accountId: '000000000000',
      region: 'us-east-1',
    });
    await ecs.call('CreateCluster', { clusterName: 'cluster' }, caller);
    await register();
    await call('CreateService', { serviceName: 'consumer', taskDefinition: 'family', desiredCount: 2 });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function register(command: string[] = []): Promise<unknown> {
    return ecs.call(
      'RegisterTaskDefinition',
      {
        family: 'family',
        taskRoleArn: 'arn:role',
        cpu: '512',
        containerDefinitions: [
          {
            name: 'app',
            image: 'repo:tag',
            command,
            essential: true,
            stopTimeout: 120,
            environment: [{ name: 'BOTH', value: 'definition' }],
          },
        ],
      },
      caller,
    );
  }

  test('tasks start when the run begins, as many as desired, with the environment of image, definition and task', async () => {
    expect(containers).toHaveLength(0);
    ecs.begin();
    expect(containers).toHaveLength(2);
    const task = ecs.runningTasks()[0]!;
    expect(containers[0]!.start.environment).toEqual({
      FROM_IMAGE: '1',
      BOTH: 'definition',
      ROLE: 'arn:role',
      METADATA: `http://h/v4/${task.context.id}-app`,
    });
    expect(task.pid).toBe(1);
  });

  test('a task that dies is replaced after a second; others stay', async () => {
    ecs.begin();
    containers[0]!.exit({ signal: 'SIGKILL' });
    await settle();
    expect(running()).toHaveLength(1);
    await clock.advance(999);
    expect(containers).toHaveLength(2);
    await clock.advance(1);
    expect(containers).toHaveLength(3);
    expect(running()).toHaveLength(2);
    expect(containers[1]!.signals).toEqual([]);
    expect(lines.join()).toMatch(/consumer: task [0-9a-f]{32} ended \(SIGKILL\); another starts in 1 s/);
  });

  test('tasks that die young are replaced ever later, one that ran is not counted', async () => {
    ecs.begin();
    await call('UpdateService', { service: 'consumer', desiredCount: 1 });
    await settle();
    const alive = () => containers.find(({ pid }) => running().some((task) => task.pid === pid))!;
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      alive().exit({ exitCode: 1 });
      await settle();
      const before = clock.now();
      const count = containers.length;
      while (containers.length === count && clock.now() - before < 60_000) await clock.advance(500);
      waits.push((clock.now() - before) / 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
    await clock.advance(60_000);
    alive().exit({ exitCode: 1 });
    await settle();
    const count = containers.length;
    await clock.advance(1_000);
    expect(containers).toHaveLength(count + 1);
  });

  test('StopTask is SIGTERM, then SIGKILL after stopTimeout; the service starts another', async () => {
    obedient = false;
    ecs.begin();
    const { taskArns } = (await call('ListTasks', { serviceName: 'consumer' })) as { taskArns: string[] };
    await call('StopTask', { task: taskArns[0], reason: 'test' });
    await settle();
    expect(containers[0]!.signals).toEqual(['SIGTERM']);
    await clock.advance(119_999);
    expect(containers[0]!.signals).toEqual(['SIGTERM']);
    await clock.advance(1);
    expect(containers[0]!.signals).toEqual(['SIGTERM', 'SIGKILL']);
    expect(running()).toHaveLength(2);
    expect(await call('DescribeTasks', { tasks: [taskArns[0], 'nobody'] })).toMatchObject({
      tasks: [{ lastStatus: 'STOPPED', stoppedReason: 'test', containers: [{ name: 'app', exitCode: 137 }] }],
      failures: [{ reason: 'MISSING' }],
    });
  });

  test('the desired count follows UpdateService both ways', async () => {
    ecs.begin();
    await call('UpdateService', { service: 'consumer', desiredCount: 4 });
    expect(running()).toHaveLength(4);
    await call('UpdateService', { service: 'consumer', desiredCount: 1 });
    await settle();
    expect(running()).toHaveLength(1);
    expect(await call('DescribeServices', { services: ['consumer', 'other'] })).toMatchObject({
      services: [{ serviceName: 'consumer', desiredCount: 1, runningCount: 1 }],
      failures: [{ reason: 'MISSING' }],
    });
  });

  test('a new task definition starts new tasks before it stops the old ones', async () => {
    obedient = false;
    ecs.begin();
    await register(['newer']);
    await call('UpdateService', { service: 'consumer', taskDefinition: 'family' });
    expect(containers).toHaveLength(4);
    expect(containers[3]!.start.command.arguments.at(-1)).toBe('newer');
    expect(containers.map(({ signals }) => signals.length)).toEqual([1, 1, 0, 0]);
    containers[0]!.exit({ exitCode: 0 });
    containers[1]!.exit({ exitCode: 0 });
    await clock.advance(60_000);
    expect(containers).toHaveLength(4);
  });

  test('stopping the run stops every task and starts none', async () => {
    ecs.begin();
    await ecs.close();
    await clock.advance(60_000);
    expect(containers).toHaveLength(2);
    expect(ecs.runningTasks()).toEqual([]);
  });

  test('a process that cannot be started is a task that ended, with the reason', async () => {
    ecs.begin();
    containers[0]!.exit({ error: 'spawn ENOMEM' });
    await settle();
    expect(lines.join()).toContain('spawn ENOMEM');
  });

  test.each([
    ['UpdateService', { service: 'nobody' }, 'ServiceNotFoundException'],
    ['ListTasks', { cluster: 'other', serviceName: 'x' }, undefined],
    ['DescribeServices', { cluster: 'other', services: [] }, 'ClusterNotFoundException'],
    ['CreateService', { serviceName: 'b', taskDefinition: 'unknown' }, 'ClientException'],
    ['StopTask', { task: 'nobody' }, 'InvalidParameterException'],
    ['RunTask', {}, 'InvalidParameterException'],
  ])('%s of %j', async (operation, input, code) => {
    if (code === undefined) expect(await call(operation, input)).toEqual({ taskArns: [] });
    else await expect(call(operation, input)).rejects.toMatchObject({ code });
  });

  test('the metadata endpoint tells the task, and statistics only where the machine has them', async () => {
    ecs.begin();
    const task = ecs.runningTasks()[0]!;
    const options = {
      findTask: (id: string) => ecs.findTask(id),
      clock,
      clusterArn: (name: string) => `arn:cluster/${name}`,
    };
    const ask = (path: string) => answerMetadata(options, `${task.context.id}-app${path}`);
    expect(ask('')).toMatchObject({ Name: 'app', KnownStatus: 'RUNNING' });
    expect(ask('/task')).toMatchObject({
      Cluster: 'arn:cluster/cluster',
      TaskARN: task.context.arn,
      Family: 'family',
      Limits: { CPU: 0.5 },
      Containers: [{ Name: 'app' }],
    });
    expect(ask('/stats')).toHaveProperty('read');
    expect(Object.keys(ask('/task/stats') as object)).toEqual([`${task.context.id}-app`]);
    expect(ask('/other')).toBeUndefined();
    expect(answerMetadata(options, `${'0'.repeat(32)}-app/task`)).toBeUndefined();
  });
});
