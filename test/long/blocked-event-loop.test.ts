/** A burst of CPU in user code with KCL's failover time, in real time. */
import { BlockedEventLoop, blockWithinAndBeyond } from '../kcl/support/blocked-event-loop';

const bench = new BlockedEventLoop();
afterAll(() => bench.stop());

test('15 s of CPU in processRecords with a failover time of 10 s: no lease is lost; beyond the deadline nothing is committed', () =>
  blockWithinAndBeyond(bench, { failover: 10_000, liveness: 17_000, within: 15_000, beyond: 40_000 }));
