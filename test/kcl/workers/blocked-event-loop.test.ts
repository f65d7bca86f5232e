/** The times of test/long/blocked-event-loop.test.ts, scaled down. */
import { BlockedEventLoop, blockWithinAndBeyond } from '../support/blocked-event-loop';

const bench = new BlockedEventLoop();
afterAll(() => bench.stop());

test('user code blocks the event loop: beyond the failover time no lease is lost, beyond the liveness timeout nothing is committed', () =>
  blockWithinAndBeyond(bench, { failover: 1_800, liveness: 3_600, within: 2_800, beyond: 8_000 }));
