/** Mirrors KCL's LeaseAssignmentManagerTest, VarianceBasedLeaseAssignmentDeciderTest and LeaseCountBasedLeaseAssignmentDeciderTest. */
import { decideAssignments, type AssignmentSnapshot } from '../../../consumer/kcl/coordinator/lease-assignment';
import { VARIANCE_DEFAULTS } from '../../../consumer/kcl/coordinator/variance-decider';
import {
  isFailing,
  movingAverage,
  type WorkerMetricStats,
} from '../../../consumer/kcl/coordinator/worker-metric-stats';
import type { ObservedLease } from '../../../consumer/kcl/leases/lease-taking';
import { FAILOVER, lease } from '../support/leases';
import { seededRandom } from '../support/virtual-time';

const NOW = 1_700_000_000_000;

/** @param cpu percentages, oldest first; none: a worker without metrics */
function worker(workerId: string, cpu: number[] = [], members: Partial<WorkerMetricStats> = {}): WorkerMetricStats {
  const measured = cpu.length > 0;
  return {
    workerId,
    lastUpdateTime: NOW / 1_000,
    metricStats: measured ? { C: cpu } : {},
    operatingRange: measured ? { C: [100] } : {},
    ...members,
  };
}

const owned = (owner: string | undefined, count: number, throughputKBps?: number, idle = 0): ObservedLease[] =>
  Array.from({ length: count }, (_, i) => ({
    lease: lease(`${owner ?? 'free'}-${i}`, { leaseOwner: owner, throughputKBps }),
    idle,
  }));

function decide(leases: ObservedLease[], workers: WorkerMetricStats[], members: Partial<AssignmentSnapshot> = {}) {
  return decideAssignments({
    leases,
    workers,
    suspects: new Set(),
    unmeasured: new Set(),
    unbegun: new Set(),
    now: NOW,
    failoverTime: FAILOVER,
    handoffAges: new Map(),
    handoffTimeout: 40_000,
    strategy: 'WORKER_UTILIZATION_AWARE',
    balance: true,
    limits: { maxLeasesForWorker: Number.MAX_SAFE_INTEGER, maxThroughputPerHostKBps: Number.MAX_SAFE_INTEGER },
    variance: VARIANCE_DEFAULTS,
    random: seededRandom(1),
    ...members,
  });
}

const perWorker = (moves: readonly { to: string }[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { to } of moves) counts[to] = (counts[to] ?? 0) + 1;
  return counts;
};

describe('LeaseAssignmentManager (LeaseAssignmentManagerTest)', () => {
  test('10 leases at 0 KB/s, a hot and a cool worker: exactly 1 moves', () => {
    const { handOff, assign } = decide(owned('hot', 10, 0), [worker('hot', [90]), worker('cool', [10])]);
    expect(perWorker(handOff)).toEqual({ cool: 1 });
    expect(assign).toEqual([]);
  });

  test('a worker whose last measurement failed, or that has not reported for more than 60 s, gets nothing', () => {
    const failing = worker('failing', [1, -1]);
    const silent = worker('silent', [1], { lastUpdateTime: NOW / 1_000 - 61 });
    const suspected = worker('suspected', [1]);
    const workers = [worker('good', [90]), failing, silent, suspected];
    const decision = decide(owned(undefined, 6, undefined, Infinity), workers, { suspects: new Set(['suspected']) });
    expect(perWorker(decision.assign)).toEqual({ good: 6 });
    expect(decision.counts).toMatchObject({ numWorkers: 1, failingWorkers: 1, expiredLeases: 6, leaseSpillover: 0 });
    expect(isFailing(worker('recovered', [-1, 5]))).toBe(false);
  });

  test('suspects are given leases where there is nobody else', () => {
    const { assign } = decide(owned('a', 2, 1, FAILOVER + 1), [worker('a')], { suspects: new Set(['a']) });
    expect(perWorker(assign)).toEqual({ a: 2 });
  });

  test('a row without a range, or with a range of zero, is not a worker', () => {
    const workers = [worker('a', [1], { operatingRange: {} }), worker('b', [1], { operatingRange: { C: [0] } })];
    const decision = decide(owned(undefined, 1, undefined, Infinity), workers);
    expect(decision.assign).toEqual([]);
    expect(decision.counts).toMatchObject({ leaseSpillover: 1, invalidWorkers: 2 });
  });

  test('what is free is placed in every run, the longest idle first, on condition of its counter where it is owned', () => {
    const leases = [
      { lease: lease('new'), idle: Infinity },
      { lease: lease('old', { leaseOwner: 'dead' }), idle: FAILOVER + 5 },
      { lease: lease('older', { leaseOwner: 'dead' }), idle: FAILOVER + 9 },
      { lease: lease('just', { leaseOwner: 'dead' }), idle: FAILOVER },
    ];
    const { assign, handOff } = decide(leases, [worker('a')], { balance: false });
    expect(assign.map((one) => [one.lease.leaseKey, one.to, one.idle])).toEqual([
      ['new', 'a', false],
      ['older', 'a', true],
      ['old', 'a', true],
    ]);
    expect(handOff).toEqual([]);
  });

  test('the average ignores failed measurements and weighs the newer value by a half', () => {
    expect(movingAverage([10, -1, 20, -1])).toBe(15);
    expect(movingAverage([-1])).toBe(0);
  });

  test('limits: a worker at maxLeasesForWorker or above maxThroughputPerHostKBps gets no more; the rest spills over', () => {
    const leases = [...owned('a', 2, 10), ...owned('b', 1, 500), ...owned(undefined, 5, 10, Infinity)];
    const limits = { maxLeasesForWorker: 4, maxThroughputPerHostKBps: 400 };
    const decision = decide(leases, [worker('a'), worker('b')], { limits, balance: false });
    expect(perWorker(decision.assign)).toEqual({ a: 2 });
    expect(decision.counts.leaseSpillover).toBe(3);
  });

  test('a handoff is left alone until the leader’s timeout, then ended for the worker it was meant for', () => {
    const row = { lease: lease('1', { leaseOwner: 'new', checkpointOwner: 'old' }), idle: 0 };
    const workers = [worker('old', [90]), worker('new', [1])];
    const at = (age: number) => decide([row], workers, { handoffAges: new Map([['1', age]]) });
    expect(at(40_000)).toMatchObject({ assign: [], handOff: [] });
    expect(at(40_001).assign).toEqual([{ lease: row.lease, to: 'new', idle: false }]);
    // Its old owner died: like any expired lease.
    expect(decide([{ ...row, idle: FAILOVER + 1 }], workers).assign).toMatchObject([{ to: 'new', idle: true }]);
  });

  test('rows of finished shards are held by somebody, and are no load', () => {
    const end = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 };
    const finished = ['x', 'y'].map((key) => ({ lease: lease(key, { checkpoint: end }), idle: Infinity }));
    const decision = decide([...owned('a', 1, 1), ...owned('b', 1, 1), ...finished], [worker('a'), worker('b')]);
    expect(perWorker(decision.assign)).toEqual({ a: 1, b: 1 });
    expect(decision.handOff).toEqual([]);
  });
});

describe('WORKER_UTILIZATION_AWARE (VarianceBasedLeaseAssignmentDeciderTest)', () => {
  test('60 % of the surplus moves in one run: 20 of 100 KB/s leases at 80 % against 40 %', () => {
    // Average 60: a quarter of 20 × 100 KB/s is too much; 60 % of it is 300 KB/s, of which 2 leases stay below.
    const leases = [...owned('hot', 20, 100), ...owned('cool', 20, 100)];
    const { handOff } = decide(leases, [worker('hot', [80]), worker('cool', [40])]);
    expect(perWorker(handOff)).toEqual({ cool: 2 });
  });

  test('within 10 % of the average nothing moves', () => {
    const leases = [...owned('a', 10, 100), ...owned('b', 2, 100)];
    expect(decide(leases, [worker('a', [54]), worker('b', [46])]).handOff).toEqual([]);
  });

  test('above its operating range a worker gives leases away even where the fleet is even', () => {
    const leases = [...owned('a', 20, 100), ...owned('b', 20, 100)];
    expect(decide(leases, [worker('a', [52]), worker('b', [44])]).handOff).toEqual([]);
    const narrow = worker('a', [52], { operatingRange: { C: [50] } });
    expect(perWorker(decide(leases, [narrow, worker('b', [44])]).handOff)).toEqual({ b: 1 });
  });

  test('the receiver takes no more than brings it to the average', () => {
    const leases = [...owned('hot', 10, 100), ...owned('cool', 1, 100)];
    const { handOff } = decide(leases, [worker('hot', [100]), worker('cool', [50])]);
    // One lease is worth 75 × 100 / 550 = 13.6 points: one brings it to 63.6, two would pass 75.
    expect(perWorker(handOff)).toEqual({ cool: 1 });
  });

  test('of several metrics the one whose outliers carry the most throughput decides', () => {
    const both = (C: number, NI: number) => ({
      metricStats: { C: [C], NI: [NI] },
      operatingRange: { C: [100], NI: [100] },
    });
    const leases = [...owned('cpu', 10, 100), ...owned('net', 10, 100), ...owned('idle', 10, 100)];
    const workers = [worker('cpu', [], both(70, 10)), worker('net', [], both(50, 80)), worker('idle', [], both(45, 8))];
    const { handOff } = decide(leases, workers);
    expect(new Set(handOff.map(({ lease: { leaseOwner } }) => leaseOwner))).toEqual(new Set(['net']));
  });

  test('where no lease is small enough the smallest moves; without overshoot none', () => {
    const leases = [...owned('hot', 2, 1_000), ...owned('cool', 2, 400)];
    const workers = [worker('hot', [60]), worker('cool', [30])];
    expect(decide(leases, workers).handOff).toHaveLength(0);
    const small = [...owned('hot', 4, 300), ...owned('cool', 4, 300)];
    expect(decide(small, workers).handOff).toHaveLength(1);
    const variance = { ...VARIANCE_DEFAULTS, allowThroughputOvershoot: false };
    expect(decide(small, workers, { variance }).handOff).toHaveLength(0);
  });

  test('workers without metrics are levelled by what they read, at once; an idle fleet by numbers', () => {
    const workers = ['a', 'b', 'c'].map((id) => worker(id));
    expect(decide(owned('a', 30, 0), workers).handOff.length).toBeGreaterThanOrEqual(18);
    expect(perWorker(decide(owned(undefined, 30, undefined, Infinity), workers).assign)).toEqual({
      a: 10,
      b: 10,
      c: 10,
    });
    const unequal = [...owned('a', 2, 500), ...owned('b', 20, 50), ...owned('c', 20, 50)];
    expect(decide(unequal, workers).handOff).toEqual([]);
  });

  test('the metric that is missing from some workers is averaged over those that have it', () => {
    const leases = [...owned('a', 10, 100), ...owned('b', 10, 100), ...owned('c', 10, 100)];
    expect(decide(leases, [worker('a', [50]), worker('b', [50]), worker('c')]).handOff).toEqual([]);
  });

  test('random fleets: repeated runs come to rest, and nobody passes its limits', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed);
      const ids = Array.from({ length: 2 + Math.floor(random() * 8) }, (_, i) => `w${i}`);
      let rows = Array.from({ length: 200 }, (_, i) =>
        lease(`l${i}`, { leaseOwner: 'w0', throughputKBps: 50 + 50 * random() }),
      );
      for (let run = 0; run < 30; run++) {
        const decision = decide(
          rows.map((row) => ({ lease: row, idle: 0 })),
          ids.map((id) => worker(id)),
          { random },
        );
        const to = new Map(decision.handOff.map((move) => [move.lease.leaseKey, move.to]));
        rows = rows.map((row) => ({ ...row, leaseOwner: to.get(row.leaseKey) ?? row.leaseOwner! }));
      }
      const loads = ids.map((id) =>
        rows.filter((row) => row.leaseOwner === id).reduce((sum, row) => sum + row.throughputKBps!, 0),
      );
      const average = loads.reduce((a, b) => a + b, 0) / ids.length;
      expect(Math.max(...loads)).toBeLessThan(average * 1.15 + 100);
    }
  });
});

describe('LEASE_COUNT_BASED (LeaseCountBasedLeaseAssignmentDeciderTest)', () => {
  const strategy = 'LEASE_COUNT_BASED' as const;
  const workers = ['a', 'b', 'c'].map((id) => worker(id));

  test('the least loaded are filled first', () => {
    const leases = [...owned('a', 4, 1), ...owned('b', 1, 900), ...owned(undefined, 4, 1, Infinity)];
    expect(perWorker(decide(leases, workers, { strategy }).assign)).toEqual({ b: 2, c: 2 });
  });

  test('from the fullest to the emptiest, shares differ by one at most, and no lease moves without need', () => {
    const leases = [...owned('a', 8, 1), ...owned('b', 2, 1)];
    expect(perWorker(decide(leases, workers, { strategy }).handOff)).toEqual({ b: 1, c: 3 });
    expect(
      decide([...owned('a', 4, 1), ...owned('b', 3, 1), ...owned('c', 3, 1)], workers, { strategy }).handOff,
    ).toEqual([]);
  });

  test('leases in a handoff count for their new owner and do not move again', () => {
    const moving = owned('b', 3, 1).map(({ lease: row }) => ({ lease: { ...row, checkpointOwner: 'a' }, idle: 0 }));
    const decision = decide([...owned('a', 3, 1), ...moving], workers, { strategy });
    expect(decision.handOff.map(({ lease: { leaseOwner }, to }) => [leaseOwner, to])).toEqual([['a', 'c']]);
  });

  test('maxLeasesForWorker bounds what is placed and what is moved', () => {
    const limits = { maxLeasesForWorker: 2, maxThroughputPerHostKBps: Number.MAX_SAFE_INTEGER };
    const decision = decide([...owned('a', 7, 1), ...owned(undefined, 3, 1, Infinity)], workers, { strategy, limits });
    expect(perWorker(decision.assign)).toEqual({ b: 2, c: 1 });
    expect(perWorker(decision.handOff)).toEqual({ c: 1 });
  });

  test('random fleets: one run evens them out', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const ids = Array.from({ length: 1 + Math.floor(random() * 9) }, (_, i) => `w${i}`);
      const rows = Array.from({ length: Math.floor(random() * 60) }, (_, i) =>
        lease(`l${i}`, { leaseOwner: random() < 0.2 ? undefined : ids[Math.floor(random() ** 2 * ids.length)] }),
      );
      const seen = rows.map((row) => ({ lease: row, idle: row.leaseOwner === undefined ? Infinity : 0 }));
      const decision = decide(
        seen,
        ids.map((id) => worker(id)),
        { strategy },
      );
      const to = new Map([...decision.assign, ...decision.handOff].map((move) => [move.lease.leaseKey, move.to]));
      const counts = ids.map((id) => rows.filter((row) => (to.get(row.leaseKey) ?? row.leaseOwner) === id).length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });
});
