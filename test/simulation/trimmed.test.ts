/**
 * Outages longer than the stream's retention: whatever was trimmed unread is a gap in the ledger, and nothing else is.
 * Each schedule once lost records without a word.
 */
import type { Fault } from '../../simulation/faults';
import { withRegistry } from '../../simulation/mutants/decorate';
import type { Mutant } from '../../simulation/mutants/mutant';
import { simulate } from '../../simulation/run';
import type { Write } from '../../consumer/lake/stores/registry-store';

const HOUR = 3_600_000;

const withoutGap = (write: Write): Write[] => {
  if (!('put' in write) || !write.put.pk.startsWith('LEDGER#')) return [write];
  if (write.put.sk.endsWith('#gap')) return [];
  return [{ ...write, put: { ...write.put, gap: undefined } }];
};

const silent: Mutant = {
  name: 'gap-unsaid',
  bug: 'the ledger does not say that records were trimmed unread',
  inject: (plain) =>
    withRegistry(plain, (registry) => ({ transact: (writes) => registry.transact(writes.flatMap(withoutGap)) })),
};

beforeAll(() => void jest.spyOn(console, 'log').mockImplementation(() => undefined));
afterAll(() => jest.restoreAllMocks());

const schedules: readonly (readonly [string, number, readonly Fault[]])[] = [
  [
    // The first read after it finds nothing, and moved the progress of the idle shard past the gap.
    'an outage, after which shards have nothing left to read',
    4,
    [{ at: 20_000, kind: 'outage', ms: 26 * HOUR }],
  ],
  [
    // The workers were there all the time: it is not their first read.
    'workers that stand still for as long',
    4,
    [
      ...[0, 1, 2].map((slot): Fault => ({ at: 12_000, kind: 'cut', slot, service: 'kinesis', ms: 25_000 })),
      { at: 20_000, kind: 'standstill', ms: 26 * HOUR },
    ],
  ],
  [
    // Its head has no progress of its own that could lie behind.
    'a child that nobody opened before the outage',
    4,
    [
      { at: 19_000, kind: 'split', pick: 0 },
      { at: 20_000, kind: 'outage', ms: 25 * HOUR },
    ],
  ],
  [
    // Nobody has a head of it, nor of any shard before it.
    'a first shard that no worker lived long enough to open',
    9099,
    [
      { at: 118, kind: 'call', service: 'dynamodb', match: 'GetItem registry/HEADS', effect: 'slow', ms: 10_279 },
      { at: 6_421, kind: 'outage', ms: 90_267_581 },
    ],
  ],
  [
    // The stream forgets the shard between the two before it has a lease: only its children can say it.
    'a shard that began and ended before anybody saw it',
    4,
    [
      { at: 12_000, kind: 'split', pick: 0 },
      { at: 19_500, kind: 'split', pick: 0 },
      { at: 20_000, kind: 'outage', ms: 26 * HOUR },
    ],
  ],
  [
    // Forgotten shards end without a read, and so without a time of the service.
    'a shard that ended, and is forgotten before its last records are read',
    8,
    [
      ...[0, 1, 2].map((slot): Fault => ({ at: 14_000, kind: 'cut', slot, service: 's3', ms: 25_000 })),
      { at: 19_500, kind: 'split', pick: 0 },
      { at: 20_000, kind: 'outage', ms: 27 * HOUR },
    ],
  ],
];

test.each(schedules)('%s', async (_name, seed, faults) => {
  const { violations, totals } = await simulate({ seed, faults });
  expect(violations).toEqual([]);
  expect(totals!.trimmed).toBeGreaterThan(0);
  const unsaid = await simulate({ seed, faults, mutant: silent });
  expect(unsaid.violations).toContainEqual(expect.stringMatching(/^I1 ledger of .* gap false$/));
});
