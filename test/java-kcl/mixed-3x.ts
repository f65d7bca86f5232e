/**
 * Both kinds of workers at once under a leader: Java's, until it is killed, then Node's. The leader goes by the CPU utilisation
 * that the workers report, and moves leases by graceful handoffs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deployInfrastructure, reshardAcross, type Stage } from './scenario';
import type { WorkerProcess } from './worker-process';

/** @param tableBy who makes the tables: Java of KCL 3.4 makes three */
export function mixed3x(tableBy: 'java' | 'infrastructure') {
  return async (stage: Stage): Promise<void> => {
    const { application, watch, say } = stage;
    if (tableBy === 'infrastructure') await deployInfrastructure(application);
    const java1 = application.startWorker('java', 1);
    await application.stream.write(24);
    await application.untilProcessed();
    const stopTraffic = application.stream.startTraffic();
    try {
      await application.until('the Java worker is the leader', () => watch.movements.leaders.at(-1) === java1.id);
      say('Java holds every lease and is the leader');

      const node1 = application.startWorker('node', 1);
      await handOver(stage, java1, node1);
      say('Java’s leader had leases handed over to Node, which is less busy');
      await handOver(stage, node1, java1);
      say('Java’s leader had leases handed back to Java');
      await whileBothHold(stage, [java1, node1], () => reshardAcross(application));
      say('both followed splits and a merge across them');

      await java1.stop('SIGKILL');
      await application.until('the Node worker is the leader', () => watch.movements.leaders.at(-1) === node1.id);
      await application.untilHoldsAll(node1);
      say('Java’s leader was killed; Node is the leader and holds every lease');

      const java2 = application.startWorker('java', 2);
      await handOver(stage, node1, java2);
      say('Node’s leader had leases handed over to Java, which is less busy');
      await handOver(stage, java2, node1);
      say('Node’s leader had leases handed back to Node');
      await whileBothHold(stage, [java2, node1], () => reshardAcross(application));
      say('both followed splits and a merge across them');

      await node1.stop('SIGTERM');
      await application.until('the Java worker is the leader', () => watch.movements.leaders.at(-1) === java2.id);
      await application.untilHoldsAll(java2);
      say('Node’s leader stopped; Java is the leader and holds every lease');
    } finally {
      await stopTraffic();
    }
    await application.untilProcessed();
    await Promise.all(application.workers.map((worker) => worker.stop('SIGTERM')));
  };
}

/** The one gets busy and the other idle, until the leader has moved two leases by handoffs that went through. */
async function handOver({ application }: Stage, from: WorkerProcess, to: WorkerProcess): Promise<void> {
  const before = new Set(await application.openLeasesOf(to));
  from.reportCpu(80);
  to.reportCpu(10);
  await application.until(`two leases are handed over from ${from.id} to ${to.id}`, async () => {
    const now = await application.openLeasesOf(to);
    return now.filter((shardId) => !before.has(shardId)).length >= 2;
  });
}

/**
 * Whoever holds fewer leases is less busy meanwhile. The leader sees it late, by averages over reports that come every 30 s; so it
 * may move a worker's last lease, and give it another one later.
 */
async function whileBothHold(
  { application }: Stage,
  workers: readonly [WorkerProcess, WorkerProcess],
  run: () => Promise<void>,
): Promise<void> {
  let running = true;
  const steering = (async () => {
    while (running) {
      const [left, right] = await Promise.all(workers.map((worker) => application.openLeasesOf(worker)));
      const more = Math.sign((left?.length ?? 0) - (right?.length ?? 0));
      workers[0].reportCpu(45 + 35 * more);
      workers[1].reportCpu(45 - 35 * more);
      await sleep(1_000);
    }
  })();
  try {
    await run();
  } finally {
    running = false;
    await steering;
  }
}
