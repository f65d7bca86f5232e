/** The good readings among a corpus: what they are, and that the fold made of them what a batch computation makes. */
import { ColumnSeries, computeFeatureRows } from '../../consumer/features/windows';
import type { Clock } from '../../consumer/lake/clock';
import { FoldCoordinator } from '../../consumer/lake/fold/coordinator';
import { LeaderLock } from '../../consumer/lake/fold/leader-lock';
import { InProcessFoldRunner } from '../../consumer/lake/fold/runner';
import { FoldTaskWorker } from '../../consumer/lake/fold/tasks';
import { readParquet } from '../../consumer/lake/parquet';
import type { PartitionManifest } from '../../lib/contracts/documents';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import { PARTITION_SK, type PartitionItem } from '../../lib/contracts/registry';
import type { MemoryObjects, MemoryRegistry } from '../../test/lake/support/memory-stores';
import { HOUR_START, USE_CASE } from './corpus-item';

/** A prime: the readings come out of order, each at its own millisecond. */
const STEP_MS = 7_919;

const timeOf = (index: number): number => HOUR_START + ((index * STEP_MS) % HOUR_MS);
const temperatureOf = (index: number): number => 20 + (index % 101) / 8;

/** JSON texts of a good reading's members, by its number from 0. */
export function neighbourReading(index: number): Record<string, string> {
  return {
    timestamp: String(timeOf(index)),
    temperature: String(temperatureOf(index)),
    messageId: `"good-${index}"`,
  };
}

interface Lake {
  readonly registry: MemoryRegistry;
  readonly objects: MemoryObjects;
  readonly clock: Clock;
}

async function foldAll({ registry, objects, clock }: Lake, failures: string[]): Promise<void> {
  const runner = new InProcessFoldRunner(objects, new Map([[USE_CASE.name, USE_CASE]]));
  const shared = {
    registry,
    objects,
    clock,
    runner,
    metrics: () => undefined,
    codeVersion: 'corpus',
    workerId: 'corpus',
    log: (level: string, event: string) => {
      if (level === 'error') failures.push(`the fold logged an error: ${event}`);
    },
  };
  const lock = new LeaderLock(registry, clock, 'corpus', 60_000);
  const coordinator = new FoldCoordinator({ ...shared, lock, useCases: [USE_CASE] });
  const tasks = new FoldTaskWorker(shared);
  while ((await coordinator.tick()) || (await tasks.runOne()));
}

/** Feature rows of a batch computation over `count` neighbours: `<window start>` → values. */
function expectedWindows(count: number): Map<number, number[]> {
  const order = Array.from({ length: count }, (_, index) => index).sort((a, b) => timeOf(a) - timeOf(b));
  const missing = new Float64Array(count).fill(NaN);
  const series = ColumnSeries.of(Float64Array.from(order, timeOf), {
    temperature: Float64Array.from(order, temperatureOf),
    humidity: missing,
    pressure: missing,
  });
  const rows = computeFeatureRows(USE_CASE, 'neighbour', series, HOUR_START, HOUR_START + HOUR_MS);
  return new Map(
    Array.from(rows.windowStart, (start, row) => [
      start,
      [rows.readings[row]!, ...rows.features.map((column) => column[row]!)],
    ]),
  );
}

/**
 * Folds and seals every partition, then holds the neighbours' features against the batch computation, bit for bit, and the
 * rows that were folded or dropped as duplicates against those that came in.
 */
export async function checkNeighbours(
  lake: Lake,
  neighbours: number,
  otherRows: number,
): Promise<{ windows: number; failures: string[] }> {
  const failures: string[] = [];
  await foldAll(lake, failures);
  const names = USE_CASE.features.map(({ name }) => name);
  const expected = expectedWindows(neighbours);
  const windows = expected.size;
  let registered = 0;
  const partitions = lake.registry.table.all().filter(({ sk }) => sk === PARTITION_SK) as unknown as PartitionItem[];
  for (const { manifestKey } of partitions) {
    if (manifestKey === undefined) continue;
    const manifest = lake.objects.json<PartitionManifest>(manifestKey);
    registered += manifest.counts.registered;
    for (const { key } of manifest.parts) {
      const file = lake.objects.objects.get(key)!.body.slice().buffer as ArrayBuffer;
      const columns = await readParquet(file, ['device', 'window_start', 'readings', ...names]);
      columns.get('device')!.forEach((device, row) => {
        if (device !== 'neighbour') return;
        const start = columns.get('window_start')![row] as number;
        const values = ['readings', ...names].map((name) => (columns.get(name)![row] as number | null) ?? NaN);
        const batch = expected.get(start);
        expected.delete(start);
        if (batch === undefined || !values.every((value, at) => Object.is(value, batch[at]))) {
          failures.push(`the neighbours' window at ${new Date(start).toISOString()} is not the batch computation's`);
        }
      });
    }
  }
  if (expected.size > 0) failures.push(`${expected.size} of the neighbours' windows are missing`);
  if (registered !== neighbours + otherRows) {
    failures.push(`${registered} rows were folded or dropped as duplicates, ${neighbours + otherRows} came in`);
  }
  return { windows, failures };
}
