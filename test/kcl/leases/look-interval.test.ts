import { lookInterval } from '../../../consumer/kcl/leases/lease-taker-loop';

const F = 10_000;
const KCL = 2 * (F + 25);

test.each([
  ['a small table: often enough for failover + 2 s', 4, 2, 800],
  ['a short failover time: a tenth of it', 4, 2, 200, 2_000],
  ['a large table: at most 1,000 rows a second', 5_000, 10, 5_000],
  ['a large fleet: all together at most 100,000 rows a second', 1_000, 500, 5_000],
  ['both: as rarely as KCL', 10_000, 500, KCL],
])('%s', (_name, rows, workers, expected, failoverTime = F) => {
  expect(lookInterval({ rows, workers, failoverTime, epsilon: 25 })).toBe(expected);
});
