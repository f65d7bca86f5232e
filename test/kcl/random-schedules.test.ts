/**
 * 600 random schedules; with those of coordinator/random-schedules.test.ts 1,000 in all. The observer in support/cluster.ts reports what must
 * never happen; the schedule itself what must happen in the end.
 */
import { failedSchedules, firstSeeds } from './support/schedule';

test.each(firstSeeds(600))(
  'random schedules from seed %i: no checkpoint goes back, none is lost or repeated, all is read',
  async (first) => {
    expect(await failedSchedules(first, () => ({}))).toEqual([]);
  },
);
