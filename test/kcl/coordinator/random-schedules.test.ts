/** 400 of the random schedules of ../random-schedules.test.ts in a fleet with a leader. */
import { failedSchedules, firstSeeds } from '../support/schedule';

test.each(firstSeeds(400))(
  'random schedules under a leader from seed %i: no checkpoint goes back, none is lost or repeated, all is read',
  async (first) => {
    const failures = await failedSchedules(first, (seed) => ({
      clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X',
      leaseAssignmentStrategy: seed % 2 === 0 ? 'LEASE_COUNT_BASED' : 'WORKER_UTILIZATION_AWARE',
      gracefulLeaseHandoffTimeoutMillis: 5_000,
    }));
    expect(failures).toEqual([]);
  },
);
