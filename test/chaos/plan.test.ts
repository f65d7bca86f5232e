import { describeFault, planRound, WINDOW_MS } from '../../chaos/plan';

test('a plan is its seed’s, in order of time, and begins within the window', () => {
  for (let seed = 0; seed < 200; seed++) {
    const plan = planRound(seed);
    expect(planRound(seed)).toEqual(plan);
    expect(plan.length).toBeGreaterThanOrEqual(4);
    const times = plan.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.min(...times)).toBeGreaterThan(0);
    expect(Math.max(...times)).toBeLessThan(WINDOW_MS);
  }
});

test('ten rounds in a row meet every kind of fault', () => {
  for (const first of [0, 7, 1234]) {
    const kinds = new Set(
      Array.from({ length: 10 }, (_, round) => planRound(first + round)).flatMap((plan) =>
        plan.map(({ kind }) => kind),
      ),
    );
    expect(kinds.size).toBe(10);
  }
});

test('a fault in words names all of it', () => {
  expect(describeFault({ kind: 'network', at: 1234, for: 2000, service: 's3', mode: 'half-open' })).toBe(
    '1.2 s: network, for 2.0 s, service s3, mode half-open',
  );
});
