/** Lease assignment of a large fleet in virtual time: what it asks of DynamoDB, and how soon it finds its balance again. */
import { table } from '../../bin/support/terminal';
import type { Section } from '../section';
import type { FleetSize, SimulatedFleet } from './fleet';
import { Kcl2Fleet } from './kcl2-fleet';
import { Kcl3Fleet } from './kcl3-fleet';
import { OwnFleet } from './own-fleet';
import { Scenario, type Change, type Rates, type Report } from './scenario';

interface Contender {
  readonly name: string;
  readonly make: (size: FleetSize) => SimulatedFleet;
}

const CONTENDERS: readonly Contender[] = [
  { name: 'KCL 2.x (model)', make: (size) => new Kcl2Fleet(size) },
  {
    name: 'consumer/kcl, COMPATIBLE_WITH_2X',
    make: (size) => new OwnFleet('CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X', size),
  },
  { name: 'KCL 3 (model)', make: (size) => new Kcl3Fleet(size) },
  { name: 'consumer/kcl, 3X', make: (size) => new OwnFleet('CLIENT_VERSION_CONFIG_3X', size) },
];

interface Result extends Report {
  readonly name: string;
}

const whole = (value: number): string => value.toFixed(0);
const seconds = (value: number | undefined): string => (value === undefined ? 'not in 900' : value.toFixed(1));

const perSecond = ({ requests, readUnits, writeUnits, scanPages }: Rates): string[] => [
  whole(requests),
  whole(readUnits),
  whole(writeUnits),
  scanPages.toFixed(1),
];

const changed = (change: Change): string[] => [
  seconds(change.allReadSeconds),
  seconds(change.balancedSeconds),
  String(change.moved),
  ...perSecond(change.rates),
];

function lines(results: readonly Result[], { workers }: FleetSize): string[] {
  const fifth = Math.max(1, Math.floor(workers / 5));
  const rates = ['requests/s', 'read units/s', 'write units/s', 'scan pages/s'];
  const change = ['all read, s', 'balanced, s', 'moved', ...rates];
  const part = (title: string, header: readonly string[], row: (result: Result) => readonly string[]): string[] => [
    `  ${title}`,
    ...table([['', ...header], ...results.map((result) => [result.name, ...row(result)])]).map((line) => `    ${line}`),
  ];
  return [
    ...part('At rest', rates, ({ steady }) => perSecond(steady)),
    ...part(`Start of ${workers} workers within 30 s`, change, ({ start }) => changed(start)),
    ...part(`${fifth} workers added`, change, ({ added }) => changed(added)),
    ...part(`kill -9 of ${fifth} workers, none of them the leader`, change, ({ killed }) => changed(killed)),
    '  All read: no lease in the hands of a worker that is gone. Balanced: every worker has the mean to within a fifth. Rates until then.',
    '  Failover time 10 s, all shards alike, CPU metric proportional to the leases. consumer/kcl runs its own code over a table in memory;',
    '  the fleets of KCL are models of its algorithms with its default timers, which write and read nothing that these do not need.',
  ];
}

export const leasesSection: Section = {
  name: 'leases',
  run: async ({ shards, workers, signal, progress }) => {
    const size = { shards, workers };
    const results: Result[] = [];
    for (const { name, make } of CONTENDERS) {
      progress(name);
      const report = await new Scenario(make(size), signal, (line) => progress(`${name}: ${line}`)).run(size);
      results.push({ name, ...report });
    }
    return {
      title: `Lease assignment in virtual time: ${shards} shards, ${workers} workers`,
      lines: lines(results, size),
      results,
    };
  },
};
