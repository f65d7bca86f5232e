/**
 * Random schedules of crash, pause, steal, shutdown and reshard, with lost requests, lost answers and throttling, in virtual
 * time. The cluster's observer reports what must never happen; here is only what must happen in the end.
 */
import type { SchedulerConfigInput } from '../../../consumer/kcl/config';
import { Cluster, type Worker } from './cluster';

const CONFIG = {
  failoverTimeMillis: 6_000,
  idleTimeBetweenReadsMillis: 1_000,
  parentShardPollIntervalMillis: 2_000,
  gracefulShutdownTimeoutMillis: 10_000,
  completedLeaseCleanupIntervalMillis: 7_000,
  garbageLeaseCleanupIntervalMillis: 13_000,
  leasesRecoveryAuditorExecutionFrequencyMillis: 5_000,
};

function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function reshard(cluster: Cluster): void {
  const open = [...cluster.stream.openShards].sort((a, b) => (a.from < b.from ? -1 : 1));
  if (open.length <= 2 || (open.length < 5 && cluster.random() < 0.6)) {
    cluster.stream.split(pick(open, cluster.random)!.id);
  } else {
    const at = Math.floor(cluster.random() * (open.length - 1));
    cluster.stream.merge(open[at]!.id, open[at + 1]!.id);
  }
}

/** One schedule; `violations` of the cluster say what went wrong. */
export async function schedule(seed: number, config: Partial<SchedulerConfigInput> = {}): Promise<Cluster> {
  const cluster = new Cluster(seed, 1 + (seed % 3), { ...CONFIG, ...config });
  const { random, time } = cluster;
  const faults = { lost: 0.05 * random(), throttled: 0.03 * random(), latency: 5 + 200 * random() };
  const alive: Worker[] = [];
  let names = 0;
  const start = (): void => {
    const worker = cluster.start(`w${names++}`);
    worker.host.faults = faults;
    alive.push(worker);
  };
  start();
  start();
  if (random() < 0.5) start();
  cluster.publish(30);
  // Some batches fail at the first try, some take long.
  cluster.behaviour = {
    onBatch: async (_shard, _records, host) => {
      const fate = random();
      if (fate < 0.05) throw new Error('a bad moment');
      if (fate < 0.1) await host.clock.sleep(random() * 9_000);
    },
  };
  for (let step = 0; step < 12; step++) {
    await time.run(random() * 5_000);
    cluster.publish(10);
    const worker = pick(alive, random);
    const fate = random();
    if (fate < 0.2 && worker && alive.length > 1) {
      alive.splice(alive.indexOf(worker), 1);
      worker.host.crash();
      start();
    } else if (fate < 0.45) worker?.host.pause(random() * 15_000);
    else if (fate < 0.55 && worker && alive.length > 1) {
      alive.splice(alive.indexOf(worker), 1);
      void worker.scheduler.shutdown();
      start();
    } else if (fate < 0.8) reshard(cluster);
    else if (alive.length < 4) start();
  }
  for (const worker of alive) worker.host.faults = { lost: 0, throttled: 0, latency: 5 };
  cluster.behaviour = {};
  if (!(await time.runUntil(() => cluster.complete, 300_000))) cluster.violations.push('not complete after 300 s');
  return cluster;
}

/** Where to begin so that the seeds up to `count` are run by tests of a few seconds each. */
export const SEEDS_IN_TEST = 25;
export const firstSeeds = (count: number): number[] =>
  Array.from({ length: count / SEEDS_IN_TEST }, (_, part) => part * SEEDS_IN_TEST + 1);

/** Runs the schedules of one test. @returns what went wrong, by seed */
export async function failedSchedules(
  first: number,
  configOf: (seed: number) => Partial<SchedulerConfigInput>,
): Promise<string[]> {
  const failures: string[] = [];
  for (let seed = first; seed < first + SEEDS_IN_TEST; seed++) {
    const { violations } = await schedule(seed, configOf(seed));
    if (violations.length > 0) failures.push(`seed ${seed}: ${violations.slice(0, 3).join('; ')}`);
  }
  return failures;
}
