/** The same seeds, so the same publishing and the same faults, under every design. */
import { simulate } from '../run';
import { rivals, type Rival } from './rival';

export interface Damage {
  readonly design: string;
  seeds: number;
  seedsWithLoss: number;
  seedsWithDuplicates: number;
  readings: number;
  lost: number;
  duplicated: number;
  /** Seeds that had not come to rest half an hour after the last fault. */
  stuck: number;
}

export const THIS_DESIGN = 'intent, create-only, commit (this repository)';

interface Contender {
  readonly damage: Damage;
  readonly rival: Rival | undefined;
}

/** Adds up seed by seed. */
export class Comparison {
  private readonly contenders: readonly Contender[] = [...rivals, undefined].map((rival) => ({
    rival,
    damage: {
      design: rival?.name ?? THIS_DESIGN,
      seeds: 0,
      seedsWithLoss: 0,
      seedsWithDuplicates: 0,
      readings: 0,
      lost: 0,
      duplicated: 0,
      stuck: 0,
    },
  }));

  async run(seed: number, faultRate: number): Promise<void> {
    for (const { rival, damage } of this.contenders) {
      const { totals, violations } = await simulate({ seed, faultRate, ...(rival === undefined ? {} : { rival }) });
      const { elements, trimmed, lost, duplicated } = totals!;
      damage.seeds++;
      damage.readings += elements - trimmed;
      damage.lost += lost;
      damage.duplicated += duplicated;
      if (lost > 0) damage.seedsWithLoss++;
      if (duplicated > 0) damage.seedsWithDuplicates++;
      if (violations.some((violation) => violation.startsWith('I8 stuck'))) damage.stuck++;
    }
  }

  get damages(): readonly Damage[] {
    return this.contenders.map(({ damage }) => damage);
  }
}

const share = (part: number, whole: number): string => `${whole === 0 ? 0 : Math.round((1000 * part) / whole) / 10}%`;

/** Rows for a table; the first names the columns. */
export function damageTable(damages: readonly Damage[]): string[][] {
  const head = ['design', 'seeds with loss', 'seeds with duplicates', 'lost', 'duplicated', 'of readings', 'stuck'];
  const number = (value: number): string => value.toLocaleString('en-US');
  return [
    head,
    ...damages.map((damage) => [
      damage.design,
      share(damage.seedsWithLoss, damage.seeds),
      share(damage.seedsWithDuplicates, damage.seeds),
      number(damage.lost),
      number(damage.duplicated),
      number(damage.readings),
      number(damage.stuck),
    ]),
  ];
}
