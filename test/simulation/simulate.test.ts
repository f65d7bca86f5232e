/** The production consumer under the simulator: a few seeds here, as many as wanted by `npm run simulate`. */
import { simulate } from '../../simulation/run';

// The partition trigger writes its log to stdout, as a function does.
beforeAll(() => void jest.spyOn(console, 'log').mockImplementation(() => undefined));
afterAll(() => jest.restoreAllMocks());

// 263: a manifest was published past another build's generation, and its worker died before the registry knew of it.
// 7950: the records of an intent were trimmed, and the request to replace it was lost.
// 21406: a task crashed after it had ended, and a second one was started in its place.
// 55456: records were trimmed after the range that another worker committed meanwhile, and no gap said so.
// 55465: a request met a pause before the end of all faults, and was answered after it; the run never ended.
// 34357: a seal that was sent before another worker made fold tasks landed after them, and nobody took them away.
test.each([1, 2, 4, 8, 263, 7950, 21406, 34357, 55456, 55465])(
  'seed %i: nothing lost, nothing twice, nothing stuck',
  async (seed) => {
    const result = await simulate({ seed });
    expect(result.violations).toEqual([]);
    expect(result.commits).toBeGreaterThan(0);
    expect(result.seals).toBeGreaterThan(0);
    expect(result.executions).toBeGreaterThan(0);
  },
);

test('one seed, one history', async () => {
  const [first, second] = [await simulate({ seed: 8 }), await simulate({ seed: 8 })];
  expect(second.history).toBe(first.history);
  expect((await simulate({ seed: 9 })).history).not.toBe(first.history);
});
