/** Designs beside this one: the same faults cost them readings or double them, as their names say. */
import { simulate } from '../../simulation/run';
import { Comparison, damageTable, THIS_DESIGN } from '../../simulation/rivals/compare';
import { rivals } from '../../simulation/rivals/rival';

test('a name that is used once doubles readings; a start-offset name loses them; this design does neither', async () => {
  const comparison = new Comparison();
  const [unique, overwriting, creating, ours] = comparison.damages;
  const isShown = (): boolean => unique!.duplicated > 0 && overwriting!.lost > 0 && creating!.lost > 0;
  for (let seed = 1; seed <= 12 && !isShown(); seed++) await comparison.run(seed, 0.02);
  expect(isShown()).toBe(true);
  expect(unique!.lost).toBe(0);
  expect(ours).toMatchObject({ design: THIS_DESIGN, lost: 0, duplicated: 0, stuck: 0 });
  expect(ours!.readings).toBe(unique!.readings);
  const table = damageTable(comparison.damages);
  expect(table.map(([design]) => design)).toEqual(['design', ...rivals.map(({ name }) => name), THIS_DESIGN]);
});

test.each(rivals.map((rival) => [rival.name, rival] as const))(
  'without faults, %s is exact too',
  async (_name, rival) => {
    const { totals, violations } = await simulate({ seed: 1, faultRate: 0, faults: [], rival });
    expect(totals!.elements).toBeGreaterThan(20);
    expect(totals).toMatchObject({ lost: 0, duplicated: 0, trimmed: 0 });
    expect(violations.filter((violation) => violation.startsWith('I8 stuck'))).toEqual([]);
  },
);
