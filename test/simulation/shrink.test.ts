import type { Fault } from '../../simulation/faults';
import type { RunOptions } from '../../simulation/run';
import { invariantOf } from '../../simulation/observer';
import { shortestFaults } from '../../simulation/shrink';

const fault = (at: number): Fault => ({ at, kind: 'split', pick: 0 });
const plan = Array.from({ length: 100 }, (_, at) => fault(at));

async function shrink(fails: (at: ReadonlySet<number>) => string[]): Promise<{ left: number[]; runs: number }> {
  let runs = 0;
  const run = async ({ faults }: RunOptions): Promise<{ violations: string[] }> => {
    runs++;
    return { violations: fails(new Set(faults!.map(({ at }) => at))) };
  };
  const left = await shortestFaults({ seed: 1 }, plan, 'I6', undefined, run);
  return { left: left.map(({ at }) => at), runs };
}

test('leaves the faults without which the run no longer breaks the invariant, in few runs', async () => {
  const { left, runs } = await shrink((at) => (at.has(13) && at.has(77) ? ['I6 broken'] : []));
  expect(left).toEqual([13, 77]);
  expect(runs).toBeLessThan(60);
});

test('another invariant that breaks on the way does not count', async () => {
  expect((await shrink((at) => (at.has(50) ? ['I6 broken'] : ['I8 stuck']))).left).toEqual([50]);
});

test('a run that fails without any fault is said so', async () => {
  expect((await shrink(() => ['I6 always'])).left).toEqual([]);
});

test('gives up in time where every fault is needed', async () => {
  const { left, runs } = await shrink((at) => (at.size === 100 ? ['I6 broken'] : []));
  expect(left).toHaveLength(100);
  expect(runs).toBeLessThanOrEqual(201);
});

test('a list that fails only where a run is given up early is not believed', async () => {
  const left = await shortestFaults({ seed: 1 }, plan, 'I8', undefined, async ({ faults, patience }) => ({
    violations: patience !== undefined || faults!.length > 50 ? ['I8 stuck'] : [],
  }));
  expect(left).toHaveLength(plan.length);
});

test('an invariant is the first word of its violation', () => {
  expect(invariantOf('I6 key was overwritten')).toBe('I6');
});
