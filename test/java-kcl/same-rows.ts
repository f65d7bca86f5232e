/**
 * Two applications on one stream, one of Java workers and one of Node workers, go through the same; then the rows that they
 * wrote are compared, attribute by attribute. Afterwards each kind goes on with the other's table.
 */
import assert from 'node:assert/strict';
import type { Application, Item } from './application';
import { checkpointsOf, checkStarts } from './deliveries';
import { assertSameRows } from './rows';
import { deployInfrastructure, type Stage } from './scenario';
import type { WorkerProcess } from './worker-process';

export async function sameRows({ application: javas, second, say }: Stage): Promise<void> {
  const { stream } = javas;
  const nodes = second(`${javas.name}-node`);
  const both = [javas, nodes] as const;
  await Promise.all(both.map((application) => deployInfrastructure(application)));
  const process = async (count: number, prefix?: string): Promise<void> => {
    await stream.write(count, prefix);
    await Promise.all(both.map((application) => application.untilProcessed()));
  };
  // The same ids, so that rows named after workers have the same keys.
  const java = javas.startWorker('java', 1);
  const node = nodes.startWorker('node', 1);
  await process(60);
  await compare(javas, nodes, 'after the start');
  say('leases, worker metrics, leader and migration rows are the same after the start');

  await stream.split((await stream.openShards())[0]?.ShardId as string);
  await process(60);
  const [left, right] = (await stream.openShards()).slice(-2).map(({ ShardId }) => ShardId as string);
  await stream.merge(left as string, right as string);
  await process(60);
  await compare(javas, nodes, 'after a split and a merge');
  say('the rows are the same after a split and a merge: ended parents, children');

  await process(24, 'prepare-');
  await untilPrepared(javas, nodes);
  await compare(javas, nodes, 'with prepared checkpoints');
  say('the rows are the same with prepared checkpoints');

  await Promise.all([java.stop('SIGTERM'), node.stop('SIGTERM')]);
  const owned = async (application: Application): Promise<number> =>
    (await application.leases()).filter(({ leaseOwner }) => leaseOwner !== undefined).length;
  assert.ok((await owned(javas)) > 0, 'Java leaves its leases to expire');
  assert.equal(await owned(nodes), 0, 'Node gives its leases up');

  // Each on the other's table.
  const [ofJava, ofNode] = [await checkpointsOf(javas), await checkpointsOf(nodes)];
  const pending = pendingOf(await javas.leases());
  const nodeOnJavas = javas.startWorker('node', 2);
  const javaOnNodes = nodes.startWorker('java', 2);
  await process(60);
  checkStarts(nodeOnJavas.notes, ofJava);
  checkStarts(javaOnNodes.notes, ofNode);
  for (const worker of [nodeOnJavas, javaOnNodes]) checkPending(worker, pending);
  say('each went on with the other’s table, and was told the other’s prepared checkpoints');
  await compare(javas, nodes, 'each with the other’s table');
  say('the rows are the same, prepared checkpoints gone');
  await Promise.all([nodeOnJavas.stop('SIGTERM'), javaOnNodes.stop('SIGTERM')]);
}

const SETTLE_SECONDS = 45;

/** Both tables at rest: a checkpoint, a report or the counting of throughput may be a moment away. */
async function compare(javas: Application, nodes: Application, when: string): Promise<void> {
  let failure: unknown;
  try {
    await javas.until(
      `the rows are the same ${when}`,
      async () => {
        try {
          assertSameRows(await namedAlike(javas), await namedAlike(nodes), DIFFERENT);
          return true;
        } catch (error) {
          failure = error;
          return false;
        }
      },
      SETTLE_SECONDS,
    );
  } catch {
    throw failure;
  }
}

/** What Java's rows have and Node's need not, or the other way round. */
const DIFFERENT: string[] = [];

/** Rows under workers' ids are put under one name. */
async function namedAlike(application: Application): Promise<Item[]> {
  return (await application.rows()).map((row) =>
    row['entityType']?.S === 'WORKER_METRIC_STATS' ? { ...row, leaseKey: { S: 'a worker' } } : row,
  );
}

/** Prepared checkpoints by shard, as a processor is told. */
function pendingOf(leases: readonly Item[]): Map<string, string> {
  return new Map(
    leases
      .filter(({ pendingCheckpoint }) => pendingCheckpoint !== undefined)
      .map(({ leaseKey, pendingCheckpoint, pendingCheckpointState }) => [
        leaseKey?.S ?? '',
        `${pendingCheckpoint?.S}/${Buffer.from(pendingCheckpointState?.B ?? []).toString('utf8')}`,
      ]),
  );
}

async function untilPrepared(...applications: readonly Application[]): Promise<void> {
  for (const application of applications) {
    const open = (await application.stream.openShards()).length;
    await application.until('every open shard has a prepared checkpoint', async () => {
      return pendingOf(await application.leases()).size === open;
    });
  }
}

function checkPending(worker: WorkerProcess, pending: ReadonlyMap<string, string>): void {
  const told = worker.notes.filter(({ event, detail }) => event === 'initialize' && detail !== '-');
  assert.deepEqual(new Map(told.map(({ shardId, detail }) => [shardId, detail])), pending, `${worker.id} was told`);
}
