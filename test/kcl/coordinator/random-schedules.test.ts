/** The random schedules of ../random-schedules.test.ts in a fleet with a leader. */
import { schedule } from '../support/schedule';

const SEEDS = 400;

test(`${SEEDS} random schedules under a leader: no checkpoint goes back, none is lost or repeated, all is read`, async () => {
  const failures: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = await schedule(seed, {
      clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X',
      leaseAssignmentStrategy: seed % 2 === 0 ? 'LEASE_COUNT_BASED' : 'WORKER_UTILIZATION_AWARE',
      gracefulLeaseHandoffTimeoutMillis: 5_000,
    });
    if (cluster.violations.length > 0) failures.push(`seed ${seed}: ${cluster.violations.slice(0, 3).join('; ')}`);
  }
  expect(failures).toEqual([]);
});
