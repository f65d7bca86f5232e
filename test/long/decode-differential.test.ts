/** The same comparison as test/readings/differential, on many more records. */
import fc from 'fast-check';
import { limits, schemas } from '../lake/support/telemetry';
import { BothPaths } from '../readings/support/both-paths';
import { RECORD } from '../readings/support/records';

test.each([101, 102, 103, 104])('100,000 records of seed %i', (seed) => {
  const paths = new BothPaths(schemas, limits);
  fc.assert(
    fc.property(RECORD, fc.nat(3), fc.oneof(fc.constant(Infinity), fc.nat(3)), (record, from, room) => {
      expect(paths.compare(record, from, room).difference).toBeUndefined();
    }),
    { seed, numRuns: 100_000 },
  );
});
