/** Schedules that single bugs need, as faults of the simulator's own kinds. */
import type { CallEffect, Fault, Service } from '../faults';
import type { Random } from '../random';
import type { RunSize } from '../size';
import { HOUR } from '../use-case';

/** The end of the last hour, as a share of the run's length. */
const HOUR_END = 0.45;

function hit(at: number, service: Service, match: string, effect: CallEffect, ms: number): Fault {
  return { at, kind: 'call', service, match, effect, ms };
}

/**
 * Two workers on one range: the first stands still with its request `match` under way until its lease has passed on,
 * and wakes up while the second one's PUT is slow.
 */
export function sleepers(match: string, service: Service) {
  return (random: Random, { window }: RunSize): Fault[] =>
    [0.05, 0.35, 0.65].flatMap((share) => {
      const at = Math.round(window * (share + random.unit() * 0.1));
      return [
        hit(at, service, match, 'pause-before', 14_000 + random.below(6_000)),
        hit(at + 4_000, 's3', 'PutObject readings/', 'slow', 16_000),
        hit(at + 4_000, 's3', 'PutObject readings/', 'slow', 16_000),
      ];
    });
}

/**
 * Shards are split about the end of the hour, and opening their children takes long, so that records in time stand in
 * shards that nobody has begun to read.
 */
export function reshards(random: Random, { window }: RunSize): Fault[] {
  const end = Math.round(window * HOUR_END);
  return [-4_000, 1_000, 5_000].flatMap((after): Fault[] => {
    const at = Math.max(0, end + after + random.below(2_000));
    const slow = [0, 1, 2].map((n) => hit(at + n, 'dynamodb', 'GetItem registry/HEADS', 'slow', 16_000));
    return [{ at, kind: 'split', pick: random.below(1_000) }, ...slow];
  });
}

/** The registry takes the seal of an hour most of a minute after its sender gave it up, when others have sealed anew. */
export function lateSeals(random: Random, { window }: RunSize): Fault[] {
  return ['T00', 'T01', 'T02'].flatMap((hour) =>
    [0, 0.3, 0.6].map((share) =>
      hit(
        Math.round(window * share),
        'dynamodb',
        `TransactWriteItems registry/PARTITION#simulated-sensors#2026-03-04${hour}/PARTITION`,
        'late',
        45_000 + random.below(18_000),
      ),
    ),
  );
}

/** One late reading, and two workers in a row die as they tell the registry of the seal of its hour. */
export function deadSeals(random: Random, { window }: RunSize): Fault[] {
  const match = 'TransactWriteItems registry/PARTITION#simulated-sensors#2026-03-04T00/PARTITION';
  const at = window + 30_000;
  return [
    { at, kind: 'straggler', age: 2 * HOUR + random.below(HOUR) },
    hit(at, 'dynamodb', match, 'crash-before', 0),
    hit(at, 'dynamodb', match, 'crash-before', 0),
    // The last one of a plan ends the faults.
    { at: at + 300_000, kind: 'straggler', age: random.below(HOUR) },
  ];
}

/** The leader stands still before it reads the heads, when the last hour has just ended. */
export function slowHeads(random: Random, { window }: RunSize): Fault[] {
  const end = Math.round(window * HOUR_END);
  return [6_000, 9_000, 12_000, 18_000, 24_000].map((after) =>
    hit(end + after, 'dynamodb', 'Query registry/HEADS', 'pause-before', 7_000 + random.below(5_000)),
  );
}

/** Two shards are merged while reads are slow, so that one parent is read to its end long before the other. */
export function mergesBehind(random: Random, { window }: RunSize): Fault[] {
  return [0.1, 0.4, 0.7].flatMap((share): Fault[] => {
    const at = Math.round(window * share);
    const merge = at + 4_000 + random.below(3_000);
    const slow = [0, 100, 200].map((after) => hit(merge - 200 + after, 'kinesis', 'GetRecords', 'slow', 11_000));
    return [
      { at, kind: 'split', pick: random.below(1_000) },
      { at: merge, kind: 'merge', pick: random.below(1_000) },
      ...slow,
    ];
  });
}

/** When all has been sealed for a while, readings come in for the end of the hour before the last one. */
export function stragglers(random: Random, { window }: RunSize): Fault[] {
  return [0, 1, 2].map((n) => ({
    at: window + 60_000 + n * 2_000,
    kind: 'straggler',
    age: HOUR + random.below(HOUR / 4),
  }));
}
