/** The rows of a lease table: their attributes and types, and comparison of what the two kinds of workers wrote. */
import assert from 'node:assert/strict';
import type { Item } from './application';

/** The types that KCL gives to the attributes of each kind of row. */
const TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LEASE: {
    leaseOwner: 'S',
    leaseCounter: 'N',
    ownerSwitchesSinceCheckpoint: 'N',
    checkpoint: 'S',
    checkpointSubSequenceNumber: 'N',
    pendingCheckpoint: 'S',
    pendingCheckpointSubSequenceNumber: 'N',
    pendingCheckpointState: 'B',
    parentShardId: 'SS',
    childShardIds: 'SS',
    startingHashKey: 'S',
    endingHashKey: 'S',
    throughputKBps: 'N',
    checkpointOwner: 'S',
  },
  WORKER_METRIC_STATS: { lut: 'N', sts: 'M', opr: 'M', properties: 'M', sup: 'N', slu: 'N' },
  LEADER: { ownerName: 'S', leaseDuration: 'S', recordVersionNumber: 'S', isReleased: 'S', data: 'B' },
  CLIENT_VERSION_MIGRATION: { cv: 'S', mb: 'S', mts: 'N', h: 'L' },
  TABLE_MIGRATION: { tm: 'S', mb: 'S', mts: 'N', h: 'L' },
};
const REQUIRED_OF_LEASES = ['leaseCounter', 'checkpoint', 'startingHashKey', 'endingHashKey'];
/** Rows that KCL wrote before 3.5 do not say what they are. */
const KINDS_BY_KEY: Readonly<Record<string, string>> = { Leader: 'LEADER', 'Migration3.0': 'CLIENT_VERSION_MIGRATION' };

export const typeOf = (value: Item[string] | undefined): string => Object.keys(value ?? {})[0] ?? 'absent';

export function kindOfRow(row: Item, keyAttribute = 'leaseKey'): string {
  if (keyAttribute === 'wid') return 'WORKER_METRIC_STATS';
  return row['entityType']?.S ?? KINDS_BY_KEY[row[keyAttribute]?.S ?? ''] ?? 'LEASE';
}

/** @returns what is wrong with a row, whoever wrote it */
export function faultsOf(row: Item, keyAttribute = 'leaseKey'): string[] {
  const kind = kindOfRow(row, keyAttribute);
  const name = `${kind} ${row[keyAttribute]?.S}`;
  const types: Record<string, string> = { [keyAttribute]: 'S', entityType: 'S', ...TYPES[kind] };
  const faults = Object.entries(row)
    .filter(([attribute, value]) => typeOf(value) !== types[attribute])
    .map(([attribute, value]) => `${name} has ${attribute} of type ${typeOf(value)}`);
  const missing = kind === 'LEASE' ? REQUIRED_OF_LEASES.filter((attribute) => !(attribute in row)) : [];
  return [...faults, ...missing.map((attribute) => `${name} has no ${attribute}`)];
}

/** What differs from writer to writer and from moment to moment; for these the type is compared. */
const VARYING = new Set([
  'leaseOwner',
  'leaseCounter',
  'ownerSwitchesSinceCheckpoint',
  'throughputKBps',
  'lut',
  'slu',
  'sts',
  'ownerName',
  'leaseDuration',
  'recordVersionNumber',
  'mb',
  'mts',
  // The states before: Java's passes through CLIENT_VERSION_INIT.
  'h',
]);

const comparable = (row: Item): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row)
      .map(([name, value]) => [name, VARYING.has(name) ? typeOf(value) : sorted(value)] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );

const sorted = (value: Item[string]): unknown => (value.SS ? { SS: [...value.SS].sort() } : value);

/** Rows of two lease tables, attribute by attribute, value by value. @param ignored attributes */
export function assertSameRows(javas: readonly Item[], nodes: readonly Item[], ignored: readonly string[] = []): void {
  const byKey = (rows: readonly Item[]): Map<string, Record<string, unknown>> =>
    new Map(
      rows.map((row) => {
        const rest = Object.fromEntries(Object.entries(row).filter(([name]) => !ignored.includes(name))) as Item;
        return [row['leaseKey']?.S ?? '', comparable(rest)];
      }),
    );
  const [left, right] = [byKey(javas), byKey(nodes)];
  assert.deepEqual([...right.keys()].sort(), [...left.keys()].sort(), 'the keys of the rows');
  for (const [key, row] of left) assert.deepEqual(right.get(key), row, `row ${key}: Node’s against Java’s`);
}
