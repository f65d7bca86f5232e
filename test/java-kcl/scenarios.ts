/** What the two kinds of workers go through together. */
import type { ApplicationSettings } from './application';
import { coldMigration } from './cold-migration';
import { mixed2x } from './mixed-2x';
import { mixed3x } from './mixed-3x';
import { sameRows } from './same-rows';
import type { Stage } from './scenario';
import type { TableService } from './start-services';

export interface Scenario extends Omit<ApplicationSettings, 'name'> {
  readonly shards: number;
  readonly tables: TableService;
  /** Every worker stopped in its time, so nothing was processed twice. */
  readonly noneTwice?: boolean;
  /** Leases must have moved both ways, from a worker to another that was there with it. */
  readonly isMixed?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

const by2x = {
  kcl: '3.5',
  clientVersionConfig: 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X',
  retrieval: 'POLLING',
  tables: 'LOCAL',
  shards: 4,
} as const;
const by3x = { ...by2x, clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X' } as const;

export const scenarios: Readonly<Record<string, Scenario>> = {
  'same-rows': { ...by3x, run: sameRows },
  'same-rows-dynamodb-local': { ...by3x, tables: 'DYNAMODB_LOCAL', run: sameRows },
  'cold-migration': { ...by2x, noneTwice: true, run: coldMigration('java') },
  'cold-migration-kcl-2': { ...by2x, kcl: '2', noneTwice: true, run: coldMigration('java') },
  'cold-migration-3x': { ...by3x, noneTwice: true, run: coldMigration('infrastructure') },
  'mixed-2x': { ...by2x, isMixed: true, run: mixed2x },
  'mixed-2x-fan-out': { ...by2x, retrieval: 'FAN_OUT', isMixed: true, run: mixed2x },
  'mixed-2x-kcl-2': { ...by2x, kcl: '2', isMixed: true, run: mixed2x },
  'mixed-2x-dynamodb-local': { ...by2x, tables: 'DYNAMODB_LOCAL', isMixed: true, run: mixed2x },
  'mixed-3x': { ...by3x, isMixed: true, run: mixed3x('infrastructure') },
  'mixed-3x-fan-out': { ...by3x, retrieval: 'FAN_OUT', isMixed: true, run: mixed3x('infrastructure') },
  'mixed-3x-three-tables': { ...by3x, kcl: '3.4', isMixed: true, run: mixed3x('java') },
};
