/** One kind of worker at a time: each goes on from the other's rows. */
import { checkpointsOf, checkStarts } from './deliveries';
import { deployInfrastructure, type Stage } from './scenario';
import type { Application } from './application';

/** @param tableBy who makes the lease table */
export function coldMigration(tableBy: 'java' | 'infrastructure') {
  return async ({ application, say }: Stage): Promise<void> => {
    const { stream } = application;
    if (tableBy === 'infrastructure') await deployInfrastructure(application);
    await stream.write(60);
    const first = application.startWorker('java', 1);
    await application.untilProcessed();
    await first.stop('SIGTERM');
    say(`Java ${tableBy === 'java' ? 'made the lease table, ' : ''}processed and stopped`);

    const javas = await checkpointsOf(application);
    await stream.write(60);
    const node = application.startWorker('node', 1);
    await application.untilProcessed();
    checkStarts(node.notes, javas);
    say('Node went on from Java’s checkpoints');
    await reshard(application);
    await node.stop('SIGTERM');
    say('Node followed a split and a merge and stopped');

    const nodes = await checkpointsOf(application);
    await stream.write(60);
    const last = application.startWorker('java', 2);
    await application.untilProcessed();
    checkStarts(last.notes, nodes);
    say('Java went on from Node’s checkpoints');
    await reshard(application);
    await last.stop('SIGTERM');
    say('Java followed a split and a merge and stopped');

    const again = application.startWorker('node', 2);
    await stream.write(60);
    await application.untilProcessed();
    await again.stop('SIGTERM');
    say('Node went on once more');
  };
}

/** Twice, so that the children of the one are the parents of the other. */
async function reshard(application: Application): Promise<void> {
  const { stream } = application;
  await stream.split((await stream.openShards())[0]?.ShardId as string);
  await stream.write(60);
  await application.untilProcessed();
  const [left, right] = (await stream.openShards()).slice(-2).map(({ ShardId }) => ShardId as string);
  await stream.merge(left as string, right as string);
  await stream.write(60);
  await application.untilProcessed();
}
