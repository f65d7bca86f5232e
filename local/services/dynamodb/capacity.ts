/** ConsumedCapacity, from the sizes of the items touched. */
import { choice } from './state';
import type { Input } from './state';

const READ_UNIT_BYTES = 4_096;
const WRITE_UNIT_BYTES = 1_024;

/** Half a unit per 4 KiB where the read may be stale; at least one step. */
export function readUnits(bytes: number, consistent: boolean): number {
  return Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES)) * (consistent ? 1 : 0.5);
}

export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / WRITE_UNIT_BYTES));
}

/** `{ConsumedCapacity}` where the request asked for it. @throws AwsError ValidationException */
export function consumed(input: Input, units: ReadonlyMap<string, number>, several = false): Record<string, unknown> {
  const asked = choice(input, 'ReturnConsumedCapacity', ['NONE', 'TOTAL', 'INDEXES'] as const) ?? 'NONE';
  if (asked === 'NONE') return {};
  const capacities = [...units].map(([TableName, CapacityUnits]) => ({
    TableName,
    CapacityUnits,
    ...(asked === 'INDEXES' && { Table: { CapacityUnits } }),
  }));
  return { ConsumedCapacity: several ? capacities : capacities[0] };
}
