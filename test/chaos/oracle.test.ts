/** The judge must be able to find against a round: a sealed partition as it must be, and what can be wrong with it. */
import { compare, expectedOf, type Expected } from '../../chaos/oracle';
import type { Sent } from '../../chaos/publisher';
import { ColumnSeries, computeFeatureRows } from '../../consumer/features/windows';
import { writeParquet } from '../../consumer/lake/parquet';
import { HOUR_MS, manifestKey, partitionOf } from '../../lib/contracts/lake-layout';
import type { Lake } from '../../operations/lake';
import { useCases } from '../../use-cases';
import { publishes } from '../../use-cases/imperfections';

const useCase = useCases[0]!;
const DEVICE = 'machine-1';
const FROM = Date.UTC(2026, 0, 1, 10);
const partition = partitionOf(useCase.name, FROM);
const sealed = [{ partition, generation: 1 }];

const sent: readonly Sent[] = [
  ...publishes({ useCase, device: 0, deviceName: DEVICE, seed: 1, from: FROM, to: FROM + HOUR_MS, batch: 1 }),
].map((publish) => ({ useCase: useCase.name, device: DEVICE, publish }));

interface Row {
  windowStart: number;
  readonly values: number[];
}

/** Feature rows of the readings of one hour, with nothing before it. */
function rowsOf({ devices }: Expected): Row[] {
  const readings = devices.get(DEVICE)!;
  const columns = Object.keys(useCase.schema).map((field, at) => [
    field,
    Float64Array.from(readings, ({ values }) => values[at]!),
  ]);
  const series = ColumnSeries.of(
    Float64Array.from(readings, ({ time }) => time),
    Object.fromEntries(columns) as Record<string, Float64Array>,
  );
  const rows = computeFeatureRows(useCase, DEVICE, series, FROM, FROM + HOUR_MS);
  return Array.from({ length: rows.length }, (_, row) => ({
    windowStart: rows.windowStart[row]!,
    values: [rows.readings[row]!, ...rows.features.map((column) => column[row]!)],
  }));
}

function lakeOf(rows: readonly Row[]): Lake {
  const names = ['readings', ...useCase.features.map(({ name }) => name)];
  const { bytes } = writeParquet([
    { name: 'device', type: 'STRING', nullable: false, data: rows.map(() => DEVICE) },
    {
      name: 'window_start',
      type: 'TIMESTAMP',
      nullable: false,
      data: Float64Array.from(rows, ({ windowStart }) => windowStart),
    },
    ...names.map((name, at) => ({
      name,
      type: 'DOUBLE' as const,
      nullable: true,
      data: Float64Array.from(rows, ({ values }) => values[at]!),
    })),
  ]);
  const manifest = Buffer.from(JSON.stringify({ parts: [{ key: 'part' }] }));
  const stored = new Map<string, Uint8Array>([
    [manifestKey(partition, 1), manifest],
    ['part', bytes],
  ]);
  return { objects: { get: async (key: string) => stored.get(key) } } as unknown as Lake;
}

const judge = (rows: readonly Row[], from: readonly Sent[] = sent): Promise<string[]> =>
  compare(lakeOf(rows), expectedOf(useCase, from), sealed);

test('counts: each reading once, what came again, and what is no reading', () => {
  const ids = sent.flatMap(({ publish }) => publish.messageIds);
  const malformed = sent.reduce((sum, { publish }) => sum + publish.malformed, 0);
  const garbage = { ...sent[0]!, publish: { ...sent[0]!.publish, payload: Buffer.from('no JSON') } };
  const { distinct, duplicates, quarantined } = expectedOf(useCase, [...sent, sent[5]!, garbage]);
  expect(distinct).toBe(new Set(ids).size);
  expect(duplicates).toBe(ids.length - distinct + 1);
  expect(quarantined).toBe(malformed + 1);
});

test('a partition with the features of what was sent passes, bit for bit', async () => {
  const rows = rowsOf(expectedOf(useCase, sent));
  expect(rows.length).toBeGreaterThan(10);
  expect(await judge(rows)).toEqual([]);
});

test('a feature that differs in its last bit', async () => {
  const rows = rowsOf(expectedOf(useCase, sent));
  const values = rows[3]!.values;
  const at = values.findIndex((value, index) => index > 0 && Number.isFinite(value) && value !== 0);
  values[at] = values[at]! * (1 + Number.EPSILON);
  expect(await judge(rows)).toEqual([expect.stringMatching(/window machine-1 \d+ differs$/)]);
});

test('a row that is missing, is there twice, or belongs to no window', async () => {
  const rows = rowsOf(expectedOf(useCase, sent));
  expect(await judge(rows.slice(1))).toEqual([expect.stringMatching(/ is missing$/)]);
  expect(await judge([...rows, rows[0]!])).toEqual([expect.stringMatching(/ is there twice$/)]);
  expect(await judge([...rows, { ...rows[0]!, windowStart: FROM - 1 }])).toEqual([expect.stringMatching(/too much$/)]);
});

test('a reading that was sent and is in no window, and an hour that is not sealed', async () => {
  const rows = rowsOf(expectedOf(useCase, sent.slice(0, -20)));
  expect((await judge(rows)).length).toBeGreaterThan(0);
  const expected = expectedOf(useCase, sent);
  expect(await compare(lakeOf([]), expected, [])).toEqual([
    expect.stringMatching(/holds readings, and is not sealed$/),
  ]);
});
