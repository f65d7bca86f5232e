import type { FoldOutcome } from '../../consumer/lake/fold/runner';
import { claimTimeout, FoldTaskWorker, newTask, taskKey, type TaskItem } from '../../consumer/lake/fold/tasks';
import { inputsKey } from '../../lib/contracts/lake-layout';
import { PARTITION_SK } from '../../lib/contracts/registry';
import { partitionAt } from '../../consumer/lake/registry-items';
import { MemoryObjects, MemoryRegistry, RequestLost, type FaultHook } from './support/memory-stores';
import { VirtualClock } from './support/simulation';

const inputs = {
  useCase: 'test-case',
  hour: '2026-03-04T02',
  generation: 1,
  codeVersion: 'build-1',
  buckets: 2,
  segments: [],
  tailSegments: [],
};
const outcome: FoldOutcome = { registered: 1, folded: 1, duplicates: 0, quality: {} };
const MINUTE = 60_000;
const never = new Promise<never>(() => undefined);

class Bench {
  readonly clock = new VirtualClock();
  readonly registry = new MemoryRegistry();
  readonly objects = new MemoryObjects();
  readonly alarms: string[] = [];

  constructor() {
    const task = newTask(inputs, 0, true);
    this.registry.table.set(task, task);
    const body = Buffer.from(JSON.stringify(inputs));
    this.objects.objects.set(inputsKey(partitionAt(inputs.useCase, inputs.hour), 1), { body, metadata: {} });
  }

  worker(workerId: string, run: () => Promise<FoldOutcome>, fault?: FaultHook): FoldTaskWorker {
    return new FoldTaskWorker({
      registry: new MemoryRegistry(this.registry.table, fault),
      objects: this.objects,
      runner: { run, close: async () => undefined },
      clock: this.clock,
      log: () => undefined,
      metrics: (name) => this.alarms.push(name),
      workerId,
      codeVersion: 'build-1',
    });
  }

  get task(): TaskItem {
    return this.registry.table.get(taskKey(inputs, 0)) as unknown as TaskItem;
  }
}

test('a task whose workers die is begun ever more rarely, with an alarm, and is done as soon as one lives', async () => {
  const bench = new Bench();
  for (let death = 0; death < 14; death++) {
    let began = false;
    // Once it began nothing is heard of it any more.
    const silent: FaultHook = () => (began ? never : undefined);
    const dying = bench.worker(`w${death}`, () => never, silent);
    const look = async (): Promise<void> => {
      while (!began) {
        void dying.runOne();
        await bench.clock.sleep(5_000);
        began = bench.task.owner === `w${death}`;
      }
    };
    const from = bench.clock.now();
    void look();
    await bench.clock.runUntil(from + claimTimeout(bench.task.attempts) + 20_000);
    expect(bench.task).toMatchObject({ state: 'open', owner: `w${death}`, attempts: death + 1 });
  }
  expect([9, 10, 11, 14, 40].map(claimTimeout)).toEqual([1, 2, 4, 32, 60].map((minutes) => minutes * MINUTE));
  expect(bench.alarms).toEqual(['FoldTasksParked', 'FoldTasksParked', 'FoldTasksParked', 'FoldTasksParked']);
  const living = bench.worker('w', async () => outcome);
  await living.runOne();
  await bench.clock.runUntil(bench.clock.now() + claimTimeout(14));
  await living.runOne();
  expect(bench.task).toMatchObject({ state: 'done', outcome });
});

test('the outcome of a task is kept where the answer to a heartbeat was lost', async () => {
  const bench = new Bench();
  let writes = 0;
  const slow = async (): Promise<FoldOutcome> => {
    await bench.clock.sleep(40_000);
    return outcome;
  };
  const worker = bench.worker('w', slow, (operation, moment) => {
    // The claim, then the first heartbeat.
    if (operation === 'registry.write' && moment === 'after' && ++writes === 2) throw new RequestLost('answer lost');
  });
  void worker.runOne();
  await bench.clock.runUntil(bench.clock.now() + 60_000);
  expect(bench.task).toMatchObject({ state: 'done', outcome, counter: 2 });
});

test('a task that a late coordinator made of a generation that is sealed is removed and not run', async () => {
  const bench = new Bench();
  const partition = { pk: bench.task.pk, sk: PARTITION_SK };
  bench.registry.table.set(partition, { ...partition, generation: 1 });
  const worker = bench.worker('w', () => {
    throw new Error('was run');
  });
  expect(await worker.runOne()).toBe(false);
  expect(bench.task).toBeUndefined();
  expect(bench.registry.table.unfolded.size).toBe(0);
});
