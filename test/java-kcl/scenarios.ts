/** What the two kinds of workers go through together. */
import assert from 'node:assert/strict';
import { checkLeases, checkLogs, checkNoneTwice, checkRecords } from './checks';
import type { Application, ApplicationSettings, WorkerProcess } from './harness';

type Say = (text: string) => void;

interface Scenario extends Omit<ApplicationSettings, 'name'> {
  run(application: Application, say: Say): Promise<void>;
}

/** Checkpoints of unfinished leases by shard. */
async function checkpoints(application: Application): Promise<Map<string, string>> {
  const leases = await application.leases();
  return new Map(
    leases
      .map((lease) => [lease['leaseKey']?.S ?? '', lease['checkpoint']?.S ?? ''] as const)
      .filter(([, checkpoint]) => checkpoint !== 'SHARD_END'),
  );
}

/** The worker went on where the lease table said, shard by shard. */
function checkStarts(worker: WorkerProcess, expected: ReadonlyMap<string, string>): void {
  const starts = new Map<string, string>();
  for (const { event, shardId, detail } of worker.notes) {
    if (event === 'initialize' && !starts.has(shardId)) starts.set(shardId, detail);
  }
  for (const [shardId, checkpoint] of expected) assert.equal(starts.get(shardId), checkpoint, `start of ${shardId}`);
}

async function checkAll(application: Application): Promise<void> {
  checkRecords(application);
  checkLeases(await application.leases());
  checkLogs(application);
}

/** One kind of worker at a time; each goes on from the other's rows. */
async function coldMigration(application: Application, say: Say): Promise<void> {
  await application.write(60);
  const first = application.startWorker('java', 'java-1');
  await application.untilProcessed();
  await first.stop('SIGTERM');
  say('Java made the lease table, processed and stopped');

  const javas = await checkpoints(application);
  await application.write(60);
  const node = application.startWorker('node', 'node-1');
  await application.untilProcessed();
  checkStarts(node, javas);
  say('Node went on from Java’s checkpoints');
  await application.split();
  await application.write(60);
  await application.untilProcessed();
  await application.merge();
  await application.write(60);
  await application.untilProcessed();
  await node.stop('SIGTERM');
  say('Node followed a split and a merge and stopped');

  const nodes = await checkpoints(application);
  checkLeases(await application.leases());
  await application.write(60);
  const last = application.startWorker('java', 'java-2');
  await application.untilProcessed();
  checkStarts(last, nodes);
  say('Java went on from Node’s checkpoints');
  await application.split();
  await application.merge();
  await application.write(60);
  await application.untilProcessed();
  await last.stop('SIGTERM');
  say('Java followed a split and a merge and stopped');

  const again = application.startWorker('node', 'node-2');
  await application.write(60);
  await application.untilProcessed();
  await again.stop('SIGTERM');
  checkNoneTwice(application);
  await checkAll(application);
}

/** Both kinds of workers at once: leases are shared out, move both ways, survive crashes and reshards. */
async function mixedFleet(application: Application, say: Say): Promise<void> {
  await application.write(60);
  const java = application.startWorker('java', 'java-1');
  await application.untilHolds(java, 4);
  await application.untilProcessed();
  say('Java holds every lease');

  const node = application.startWorker('node', 'node-1');
  await application.untilHolds(node, 2);
  await application.write(60);
  await application.untilProcessed();
  say('Node has its share of Java’s leases');
  await application.split();
  await application.write(60);
  await application.untilProcessed();
  await application.merge();
  await application.write(60);
  await application.untilProcessed();
  say('both followed a split and a merge');

  await java.stop('SIGKILL');
  await application.untilHolds(node, (await application.openShards()).length);
  await application.write(60);
  await application.untilProcessed();
  say('Node took over what the killed Java worker held');

  const next = application.startWorker('java', 'java-2');
  await application.untilHolds(next, 2);
  await application.write(60);
  await application.untilProcessed();
  say('Java has its share of Node’s leases');
  await application.split();
  await application.merge();
  await node.stop('SIGTERM');
  await application.untilHolds(next, (await application.openShards()).length);
  await application.write(60);
  await application.untilProcessed();
  say('Java took over what Node gave up');
  await next.stop('SIGTERM');
  await checkAll(application);
}

const COMPATIBLE = 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X';

export const scenarios: Readonly<Record<string, Scenario>> = {
  'cold-migration': { shards: 2, clientVersionConfig: COMPATIBLE, retrieval: 'POLLING', run: coldMigration },
  'mixed-2x': { shards: 4, clientVersionConfig: COMPATIBLE, retrieval: 'POLLING', run: mixedFleet },
  'mixed-2x-fan-out': { shards: 4, clientVersionConfig: COMPATIBLE, retrieval: 'FAN_OUT', run: mixedFleet },
};
