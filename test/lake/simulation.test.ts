import { hashColumns } from '../../consumer/lake/segment-file';
import { readParquet } from '../../consumer/lake/parquet';
import { partitionOf } from '../../lib/contracts/lake-layout';
import { partitionHour, type LedgerItem, type PartitionItem } from '../../lib/contracts/registry';
import type { GenerationInputs, PartitionManifest } from '../../lib/contracts/documents';
import { paddedPosition } from '../../consumer/lake/position';
import { readSegment } from '../../consumer/lake/segment-file';
import { Simulation, type PublishedReading } from './support/simulation';
import { HOUR, schemas, testUseCase } from './support/telemetry';

const WINDOW = testUseCase.windows.sizeMs;
const buffer = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

/** Distinct readings: what a batch job over everything that was published would keep. */
function distinct(published: readonly PublishedReading[]): PublishedReading[] {
  const seen = new Map<string, PublishedReading>();
  for (const reading of published) {
    seen.set(reading.messageId ?? `${reading.device}/${reading.time}/${reading.temperature}`, reading);
  }
  return [...seen.values()];
}

/** `device/window start` → [readings, sum, sum over the lookback]. */
function oracle(published: readonly PublishedReading[]): Map<string, number[]> {
  const windows = new Map<string, number[]>();
  const readings = distinct(published);
  for (const { device, time } of readings) {
    const start = Math.floor(time / WINDOW) * WINDOW;
    const key = `${device}/${start}`;
    if (windows.has(key)) continue;
    const of = (from: number): PublishedReading[] =>
      readings.filter((other) => other.device === device && other.time >= from && other.time < start + WINDOW);
    const sum = (list: PublishedReading[]): number => list.reduce((total, { temperature }) => total + temperature, 0);
    windows.set(key, [of(start).length, sum(of(start)), sum(of(start + WINDOW - testUseCase.windows.lookbackMs))]);
  }
  return windows;
}

async function check(simulation: Simulation): Promise<{ generations: number }> {
  const { registry, objects } = simulation;
  const items = registry.table.all();
  expect(simulation.trouble).toEqual([]);
  expect(items.filter(({ unfolded }) => unfolded !== undefined)).toEqual([]);

  // The log of each shard: no hole, no overlap, and everything that was put is in it.
  const heads = items.filter(({ pk }) => pk.startsWith('HEADS#'));
  for (const shard of simulation.shards) {
    const head = heads.find(({ sk }) => sk === shard.shardId)!;
    expect(head['pending']).toBeUndefined();
    expect(head['finished']).toBe(shard.closed);
    const ledger = items.filter(({ pk }) => pk === `LEDGER#${shard.shardId}`) as unknown as LedgerItem[];
    let end = 'TRIM_HORIZON';
    for (const row of ledger) {
      expect([row.start, row.sk]).toEqual([end, paddedPosition(end)]);
      end = row.end;
    }
    expect(head['end']).toBe(end);
    const counted = ledger.reduce((sum, { readings, quarantined }) => sum + readings + quarantined, 0);
    expect(counted).toBe(simulation.elementsIn.get(shard.shardId) ?? 0);
    expect(ledger.reduce((sum, { records }) => sum + records, 0)).toBe(shard.records.length);
  }

  // Segments: every row once, and every object as registered.
  const rows = new Set<string>();
  for (const item of items.filter(({ sk }) => sk.startsWith('SEGMENT#'))) {
    const object = objects.objects.get(item['key'] as string)!;
    expect(object.metadata['content-sha256']).toBe(item['contentHash']);
    const segment = await readSegment(buffer(object.body), schemas.get('test-case')!);
    for (let row = 0; row < segment.rows; row++) {
      const place = `${item.sk.split('-')[1]}/${segment.sequence[row]}.${segment.sub[row]}.${segment.element[row]}`;
      expect(rows.has(place)).toBe(false);
      rows.add(place);
    }
  }

  // Quarantine: as many lines as the ledger says, in committed objects.
  const expected = oracle(simulation.published);
  const found = new Map<string, number[]>();
  let folded = 0;
  let generations = 0;
  for (const item of items.filter(({ sk }) => sk === 'PARTITION')) {
    const partition = item as unknown as PartitionItem;
    generations += partition.generation!;
    const manifest = objects.json<PartitionManifest>(partition.manifestKey!);
    expect(manifest.generation).toBe(partition.generation);
    expect(manifest.counts.registered).toBe(manifest.counts.folded + manifest.counts.duplicates);
    folded += manifest.counts.folded;
    const registered = items.filter(({ pk, sk }) => pk === item.pk && sk.startsWith('SEGMENT#'));
    expect(new Set(manifest.segments.map(({ key }) => key))).toEqual(new Set(registered.map(({ key }) => key)));
    expect(manifest.counts.registered).toBe(registered.reduce((sum, segment) => sum + (segment['rows'] as number), 0));
    expect(partition.registered).toBe(manifest.counts.registered);
    for (const part of manifest.parts) {
      const { body, metadata } = objects.objects.get(part.key)!;
      expect([body.length, metadata['content-sha256']]).toEqual([part.bytes, part.contentHash]);
      const names = ['device', 'window_start', 'readings', 'temperature_sum', 'lookback_sum'];
      const columns = await readParquet(buffer(body), names);
      columns.get('device')!.forEach((device, row) => {
        const [count, sum, lookback] = names.slice(2).map((name) => columns.get(name)![row] as number);
        const key = `${device}/${columns.get('window_start')![row]}`;
        expect(found.has(key)).toBe(false);
        found.set(key, [count!, sum!, lookback!]);
      });
    }
  }
  expect(folded).toBe(distinct(simulation.published).length);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));

  // No generation ever lost a segment of the one before.
  const inputs = objects.keys('features/').filter((key) => key.endsWith('_inputs.json'));
  for (const key of inputs) {
    const { generation, segments } = objects.json<GenerationInputs>(key);
    const before = key.replace(`gen=${generation}/`, `gen=${generation - 1}/`);
    if (generation === 1) continue;
    const keys = new Set(segments.map((segment) => segment.key));
    for (const segment of objects.json<GenerationInputs>(before).segments) expect(keys.has(segment.key)).toBe(true);
  }
  return { generations };
}

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2);
const FIRST = Number(process.env['SIMULATION_FIRST_SEED'] ?? 1);

test(
  'whatever crashes, pauses or is lost: each reading once in the newest generation, nothing lost, nothing changed',
  async () => {
    let crashes = 0;
    let generations = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      // Every second seed folds in shared tasks.
      const rowsPerBucket = seed % 2 === 0 ? 20 : undefined;
      const simulation = new Simulation({ seed, workers: 3, faultRate: 0.01, publishes: 300, rowsPerBucket });
      try {
        await simulation.run();
        generations += (await check(simulation)).generations;
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      crashes += simulation.crashes;
    }
    // The schedule is worth its name: workers died, and partitions were folded again for late readings.
    expect(crashes).toBeGreaterThan(SEEDS);
    expect(generations).toBeGreaterThan(10 * SEEDS);
  },
  60_000 + 60_000 * SEEDS,
);

test('without faults the same, with as many partitions as hours', async () => {
  const simulation = new Simulation({ seed: 5, workers: 2, faultRate: 1e-12, publishes: 200 });
  await simulation.run();
  await check(simulation);
  const hours = new Set(simulation.published.map(({ time }) => partitionHour(partitionOf('test-case', time))));
  expect(simulation.registry.table.all().filter(({ sk }) => sk === 'PARTITION')).toHaveLength(hours.size);
  expect(HOUR).toBe(3_600_000);
  expect(hashColumns([])).toHaveLength(64);
});
