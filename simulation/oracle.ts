/**
 * The oracle: a batch computation over everything that was published, compared with what the consumer left behind
 * once it came to rest.
 */
import { ColumnSeries, computeFeatureRows } from '../consumer/features/windows';
import { paddedPosition } from '../consumer/lake/position';
import { readParquet } from '../consumer/lake/parquet';
import { readSegment } from '../consumer/lake/segment-file';
import { CONTENT_HASH } from '../consumer/lake/stores/object-store';
import type { PartitionManifest, QuarantineEntry } from '../lib/contracts/documents';
import { generationPrefix } from '../lib/contracts/lake-layout';
import type { LedgerItem, PartitionItem } from '../lib/contracts/registry';
import { partitionAt, type SegmentItem } from '../consumer/lake/registry-items';
import { objectName, type Observer } from './observer';
import type { Elements, PublishedReading } from './publisher';
import type { Bucket } from './services/bucket';
import type { Row } from './services/database';
import type { Stream } from './services/stream';
import { builds, HOUR, schemaOf, USE_CASE, type Build } from './use-case';

export interface AtRest {
  readonly stream: Stream<Elements>;
  readonly bucket: Bucket;
  readonly registry: readonly Row[];
  readonly observer: Observer;
}

/** How rows came out: what the rivals' table counts too. */
export interface Totals {
  elements: number;
  /** Elements that the stream trimmed before any worker could read them. */
  trimmed: number;
  lost: number;
  duplicated: number;
  partitions: number;
  generations: number;
  features: number;
}

interface Registered {
  readonly reading: PublishedReading;
  readonly arrival: number;
  readonly shardId: string;
  readonly sequence: string;
  readonly sub: number;
  readonly element: number;
}

const toBuffer = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

function rowsOf<Kind>(rows: readonly Row[], test: (row: { pk: string; sk: string }) => boolean): Kind[] {
  return rows.filter((row) => test(row as never)) as unknown as Kind[];
}

/** Every element of the stream ended in exactly one place. @returns the readings that did in a segment */
async function checkElements(rest: AtRest, totals: Totals): Promise<Registered[]> {
  const { stream, bucket, registry, observer } = rest;
  /** `<shard>/<sequence>.<sub>.<element>` → builds that made it a reading, and that quarantined it. */
  const found = new Map<string, { readings: string[]; quarantined: string[] }>();
  const of = (place: string) => {
    const known = found.get(place) ?? { readings: [], quarantined: [] };
    found.set(place, known);
    return known;
  };
  const segments = rowsOf<SegmentItem>(registry, ({ sk }) => sk.startsWith('SEGMENT#'));
  for (const { key, contentHash, rows } of segments) {
    const object = bucket.objects.get(key);
    if (object?.metadata[CONTENT_HASH] !== contentHash) {
      observer.violate(`I3 ${key} is registered, and not what stands in the bucket`);
      continue;
    }
    const segment = await readSegment(toBuffer(object.body), schemaOf('build-1').get(USE_CASE)!);
    if (segment.rows !== rows) observer.violate(`I1 ${key} has ${segment.rows} rows, registered are ${rows}`);
    const { shardId } = objectName(key);
    const build = object.metadata['code-version']!;
    segment.sequence.forEach((sequence, row) =>
      of(`${shardId}/${sequence}.${segment.sub[row]}.${segment.element[row]}`).readings.push(build),
    );
  }
  const registered = new Set(segments.map(({ key }) => key));
  for (const key of bucket.keys('quarantine/')) {
    const { body, metadata } = bucket.objects.get(key)!;
    if (!observer.committed.has(objectName(key).id)) continue;
    for (const line of Buffer.from(body).toString('utf8').trimEnd().split('\n')) {
      const entry = JSON.parse(line) as QuarantineEntry;
      of(`${entry.shardId}/${entry.sequenceNumber}.${entry.subSequenceNumber}.${entry.element}`).quarantined.push(
        metadata['code-version']!,
      );
    }
  }
  for (const key of [...bucket.keys('readings/'), ...bucket.keys('quarantine/')]) {
    const { id } = objectName(key);
    if (registered.has(key) || (key.startsWith('quarantine/') && observer.committed.has(id))) continue;
    if (!observer.abandoned.has(id)) observer.violate(`I9 ${key} is an orphan`);
  }
  const readings: Registered[] = [];
  for (const { shardId, records } of stream.shards.values()) {
    for (const { sequenceNumber: sequence, arrival, content } of records) {
      content.forEach((expected) => {
        totals.elements++;
        const { sub, index: element } = expected;
        const place = `${shardId}/${sequence}.${sub}.${element}`;
        const { readings: taken, quarantined } = found.get(place) ?? { readings: [], quarantined: [] };
        found.delete(place);
        const times = taken.length + quarantined.length;
        if (times === 0 && stream.isTrimmed(arrival)) totals.trimmed++;
        else if (times === 0) totals.lost++;
        else if (times > 1) totals.duplicated++;
        if (times !== 1) return;
        const build = (taken[0] ?? quarantined[0]) as Build;
        const isReading = expected.expect === 'reading' || (expected.expect === 'by-build' && build === 'build-2');
        if (isReading !== (taken.length === 1))
          observer.violate(`I1 ${place} by ${build} should be ${expected.expect}`);
        if (taken.length === 1 && expected.expect !== 'quarantine') {
          readings.push({ reading: expected.reading, arrival, shardId, sequence, sub, element });
        }
      });
    }
  }
  if (totals.lost > 0) observer.violate(`I1 ${totals.lost} elements are lost`);
  if (totals.duplicated > 0) observer.violate(`I1 ${totals.duplicated} elements are duplicated`);
  for (const place of found.keys()) observer.violate(`I1 ${place} was never published`);
  return readings;
}

/** The ledger of each shard has no hole and no overlap, and counts what came in; a gap stands where data was trimmed. */
function checkLedger({ stream, registry, observer }: AtRest): void {
  const shards = [...stream.shards.values()];
  // After an outage that long a gap says what may be, even where there was no record to trim.
  const mayBeTrimmed = stream.isTrimmed(stream.created);
  const ledgerOf = (shardId: string): LedgerItem[] =>
    rowsOf<LedgerItem>(registry, ({ pk }) => pk === `LEDGER#${shardId}`).sort((a, b) => (a.sk < b.sk ? -1 : 1));
  const hasGap = (shardId: string): boolean => ledgerOf(shardId).some((row) => row.gap === true);
  // The stream can forget a shard before anybody opened it; then the gap of a child stands for it too.
  const isExplained = (shardId: string): boolean =>
    hasGap(shardId) ||
    (!observer.heads.has(shardId) &&
      shards.some((shard) => shard.parents.includes(shardId) && isExplained(shard.shardId)));
  for (const { shardId, records } of shards) {
    let end = 'TRIM_HORIZON';
    let counted = 0;
    for (const row of ledgerOf(shardId)) {
      counted += row.readings + row.quarantined;
      if (row.sk.endsWith('#gap')) continue;
      if (row.start !== end || row.sk !== paddedPosition(end)) {
        observer.violate(`I1 ledger of ${shardId}: ${row.start} follows ${end}`);
      }
      end = row.end;
    }
    if (hasGap(shardId) && !mayBeTrimmed)
      observer.violate(`I1 ledger of ${shardId} has a gap, and nothing can be trimmed`);
    const put = records.reduce((sum, { content }) => sum + content.length, 0);
    if (counted > put || (counted < put && !isExplained(shardId))) {
      observer.violate(`I1 ledger of ${shardId} counts ${counted} of ${put} elements, gap ${hasGap(shardId)}`);
    }
  }
}

const before = (a: Registered, b: Registered): number =>
  a.arrival - b.arrival ||
  (a.shardId < b.shardId ? -1 : a.shardId > b.shardId ? 1 : 0) ||
  (a.sequence < b.sequence ? -1 : a.sequence > b.sequence ? 1 : 0) ||
  a.sub - b.sub ||
  a.element - b.element;

/** Each reading once, by device and time. */
export function distinct(readings: readonly Registered[]): Registered[] {
  const seen = new Map<string, Registered>();
  for (const candidate of [...readings].sort(before)) {
    const { device, time, temperature, humidity, messageId } = candidate.reading;
    const identity = messageId ?? JSON.stringify([device, time, temperature, humidity]);
    if (!seen.has(`${device}/${identity}`)) seen.set(`${device}/${identity}`, candidate);
  }
  return [...seen.values()].sort((a, b) => {
    const [left, right] = [a.reading, b.reading];
    if (left.device !== right.device) return left.device < right.device ? -1 : 1;
    return left.time - right.time || before(a, b);
  });
}

/** `<device>/<window start>` → readings and features, of one hour by one build. */
function expectedFeatures(readings: readonly Registered[], hourStart: number, build: Build): Map<string, number[]> {
  const windows = new Map<string, number[]>();
  const devices = new Set(readings.map(({ reading }) => reading.device));
  for (const device of devices) {
    const mine = readings.filter(({ reading }) => reading.device === device).map(({ reading }) => reading);
    const series = ColumnSeries.of(
      Float64Array.from(mine, ({ time }) => time),
      {
        temperature: Float64Array.from(mine, ({ temperature }) => temperature),
        humidity: Float64Array.from(mine, ({ humidity }) => humidity ?? NaN),
      },
    );
    const rows = computeFeatureRows(builds[build], device, series, hourStart, hourStart + HOUR);
    for (let row = 0; row < rows.length; row++) {
      const values = [rows.readings[row]!, ...rows.features.map((column) => column[row]!)];
      windows.set(`${device}/${rows.windowStart[row]}`, values);
    }
  }
  return windows;
}

async function sealedFeatures(bucket: Bucket, manifest: PartitionManifest, observer: Observer) {
  const found = new Map<string, number[]>();
  const names = builds['build-1'].features.map(({ name }) => name);
  for (const { key } of manifest.parts) {
    const object = bucket.objects.get(key);
    if (object === undefined) continue;
    const columns = await readParquet(toBuffer(object.body), ['device', 'window_start', 'readings', ...names]);
    columns.get('device')!.forEach((device, row) => {
      const window = `${device}/${columns.get('window_start')![row]}`;
      if (found.has(window)) observer.violate(`I2 ${window} stands twice in ${key}`);
      found.set(
        window,
        ['readings', ...names].map((name) => (columns.get(name)![row] as number | null) ?? NaN),
      );
    });
  }
  return found;
}

async function checkPartitions(rest: AtRest, readings: readonly Registered[], totals: Totals): Promise<void> {
  const { registry, bucket, observer } = rest;
  const once = distinct(readings);
  const partitions = rowsOf<PartitionItem>(registry, ({ sk }) => sk === 'PARTITION');
  const sealed = new Set(partitions.map(({ hour }) => Date.parse(`${hour}:00:00Z`)));
  const open = new Set(
    rowsOf<SegmentItem>(registry, ({ sk }) => sk.startsWith('SEGMENT#')).flatMap(({ pk, unfolded }) =>
      unfolded === undefined ? [] : [Date.parse(`${pk.split('#')[2]}:00:00Z`)],
    ),
  );
  for (const hour of new Set(once.map(({ reading }) => Math.floor(reading.time / HOUR) * HOUR))) {
    if (!sealed.has(hour) && !open.has(hour)) observer.violate(`I6 hour ${new Date(hour).toISOString()} is not sealed`);
  }
  for (const { hour, generation, manifestKey, folded, registered, pk } of partitions) {
    const hourStart = Date.parse(`${hour}:00:00Z`);
    totals.partitions++;
    totals.generations += generation!;
    // Still open for what came after the last generation: the next one will hold it.
    if (open.has(hourStart)) continue;
    const manifest = bucket.json<PartitionManifest>(manifestKey!)!;
    const inHour = ({ reading }: Registered): boolean => Math.floor(reading.time / HOUR) * HOUR === hourStart;
    const expected = expectedFeatures(once, hourStart, manifest.codeVersion as Build);
    const found = await sealedFeatures(bucket, manifest, observer);
    totals.features += found.size;
    for (const [window, values] of expected) {
      const got = found.get(window);
      if (got === undefined) observer.violate(`I6 ${pk}: window ${window} is missing`);
      else if (values.some((value, at) => !Object.is(value, got[at]))) {
        observer.violate(`I6 ${pk}: window ${window} is ${got.join()}, the batch says ${values.join()}`);
      }
      found.delete(window);
    }
    for (const window of found.keys()) observer.violate(`I6 ${pk}: window ${window} should not be there`);
    if (folded !== once.filter(inHour).length) observer.violate(`I2 ${pk}: folded ${folded}`);
    if (registered !== readings.filter(inHour).length) observer.violate(`I1 ${pk}: registered ${registered}`);
    const prefix = generationPrefix(partitionAt(USE_CASE, hour), generation!);
    const listed = bucket.keys(prefix).filter((key) => !key.split('/').pop()!.startsWith('_'));
    if (
      listed.join() !==
      manifest.parts
        .map(({ key }) => key)
        .sort()
        .join()
    ) {
      observer.violate(`I9 ${prefix}: the listing is not the manifest`);
    }
  }
}

export async function judge(rest: AtRest): Promise<Totals> {
  const totals = { elements: 0, trimmed: 0, lost: 0, duplicated: 0, partitions: 0, generations: 0, features: 0 };
  const readings = await checkElements(rest, totals);
  checkLedger(rest);
  await checkPartitions(rest, readings, totals);
  return totals;
}
