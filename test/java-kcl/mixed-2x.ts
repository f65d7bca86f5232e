/** Both kinds of workers at once, each taking its share: leases move both ways, through crashes, stops and reshards. */
import { deployInfrastructure, reshardAcross, type Stage } from './scenario';

export async function mixed2x({ application, say }: Stage): Promise<void> {
  const { stream } = application;
  const process = async (): Promise<void> => {
    await stream.write(60);
    await application.untilProcessed();
  };
  await deployInfrastructure(application);
  const node1 = application.startWorker('node', 1);
  await application.untilHoldsAll(node1);
  await process();
  say('Node holds every lease');

  const java1 = application.startWorker('java', 1);
  await application.untilHolds(java1, 2);
  await process();
  say('Java has its share of Node’s leases');
  await reshardAcross(application);
  await process();
  say('both followed splits and a merge across them');

  await node1.stop('SIGKILL');
  await process();
  await application.untilHoldsAll(java1);
  say('Java took over what the killed Node worker held');

  const node2 = application.startWorker('node', 2);
  await application.untilHolds(node2, 2);
  await process();
  say('Node has its share of Java’s leases');
  await reshardAcross(application);
  await process();
  say('both followed splits and a merge across them');

  await java1.stop('SIGKILL');
  await process();
  await application.untilHoldsAll(node2);
  say('Node took over what the killed Java worker held');

  const java2 = application.startWorker('java', 2);
  await application.untilHolds(java2, 2);
  await process();
  await node2.stop('SIGTERM');
  await process();
  await application.untilHoldsAll(java2);
  say('Java has its share, and then what the stopped Node worker gave up');

  const node3 = application.startWorker('node', 3);
  await application.untilHolds(node3, 2);
  await java2.stop('SIGTERM');
  await process();
  await application.untilHoldsAll(node3);
  say('Node has its share, and then what the stopped Java worker left');
  await node3.stop('SIGTERM');
}
