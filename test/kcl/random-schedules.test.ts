/**
 * The observer in support/cluster.ts reports what must never happen; the schedule itself what must happen in the end. With those of
 * coordinator/random-schedules.test.ts 1,000 in all.
 */
import { schedule } from './support/schedule';

const SEEDS = 600;

test(`${SEEDS} random schedules: no checkpoint goes back, none is lost or repeated, all is read`, async () => {
  const failures: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = await schedule(seed);
    if (cluster.violations.length > 0) failures.push(`seed ${seed}: ${cluster.violations.slice(0, 3).join('; ')}`);
  }
  expect(failures).toEqual([]);
});
