/** What the lake must hold: a plain batch computation over everything that was sent, and the comparison with it. */
import { ColumnSeries, computeFeatureRows } from '../consumer/features/windows';
import { tailLength } from '../consumer/lake/fold/freeze';
import { readParquet } from '../consumer/lake/parquet';
import { RecordDecoder } from '../consumer/readings/decode';
import { readingSchema, type ReadingSchema } from '../consumer/readings/schema';
import type { PartitionManifest } from '../lib/contracts/documents';
import { HOUR_MS, manifestKey, partitionOf, partitionStart, type Partition } from '../lib/contracts/lake-layout';
import { partitionHour } from '../lib/contracts/registry';
import { telemetryTopic } from '../lib/contracts/topics';
import { readJson, type Lake } from '../operations/lake';
import type { UseCase } from '../use-cases/define-use-case';
import type { Sent } from './publisher';

interface Reading {
  readonly device: string;
  readonly time: number;
  readonly values: Float64Array;
}

export interface Expected {
  readonly useCase: UseCase;
  /** Each reading once, by device, in order of time. */
  readonly devices: ReadonlyMap<string, readonly Reading[]>;
  readonly distinct: number;
  readonly duplicates: number;
  readonly quarantined: number;
}

/** No limit of age: a backlog is old by nature. */
const LIMITS = { maximumAge: Infinity, maximumAhead: Infinity };

export function expectedOf(useCase: UseCase, sent: readonly Sent[]): Expected {
  const schema: ReadingSchema = readingSchema(useCase);
  const decoder = new RecordDecoder(new Map([[useCase.name, schema]]), LIMITS, 'oracle');
  const readings = new Map<string, Reading>();
  let good = 0;
  let quarantined = 0;
  for (const { device, publish } of sent) {
    const envelope = {
      payload: publish.payload.toString('base64'),
      topic: telemetryTopic(useCase.name, device),
      device,
      received: publish.timestamp,
    };
    const record = {
      sequenceNumber: '0',
      subSequenceNumber: 0,
      aggregated: false,
      partitionKey: device,
      approximateArrivalTimestamp: publish.timestamp,
      data: Buffer.from(JSON.stringify(envelope)),
    };
    decoder.decode(record, {
      reading: ({ eventTime, messageId, values }) => {
        good++;
        const identity = messageId ?? JSON.stringify([eventTime, ...values]);
        readings.set(`${device} ${identity}`, { device, time: eventTime, values: Float64Array.from(values) });
        return true;
      },
      quarantine: () => void quarantined++,
    });
  }
  const devices = new Map<string, Reading[]>();
  for (const reading of readings.values()) {
    const list = devices.get(reading.device) ?? [];
    list.push(reading);
    devices.set(reading.device, list);
  }
  for (const list of devices.values()) list.sort((a, b) => a.time - b.time);
  return { useCase, devices, distinct: readings.size, duplicates: good - readings.size, quarantined };
}

export interface Sealed {
  readonly partition: Partition;
  readonly generation: number;
}

/** What of the sealed features is not as the batch computes it; empty = all of them are, bit for bit. */
export async function compare(lake: Lake, expected: Expected, sealed: readonly Sealed[]): Promise<string[]> {
  const { useCase, devices } = expected;
  const problems: string[] = [];
  const hours = new Set(sealed.map(({ partition }) => partitionHour(partition)));
  for (const list of devices.values()) {
    for (const { time } of list) {
      const hour = partitionHour(partitionOf(useCase.name, time));
      if (!hours.has(hour)) {
        problems.push(`${useCase.name} ${hour} holds readings, and is not sealed`);
        hours.add(hour);
      }
    }
  }
  for (const { partition, generation } of sealed) {
    const hour = `${useCase.name} ${partitionHour(partition)}`;
    const wanted = windowsOf(expected, partitionStart(partition));
    const found = new Map<string, number[]>();
    for (const [window, values] of await sealedWindows(lake, useCase, partition, generation)) {
      if (found.has(window)) problems.push(`${hour}: window ${window} is there twice`);
      found.set(window, values);
    }
    for (const [window, values] of wanted) {
      const got = found.get(window);
      if (got === undefined) problems.push(`${hour}: window ${window} is missing`);
      else if (values.some((value, at) => !Object.is(value, got[at])))
        problems.push(`${hour}: window ${window} differs`);
    }
    for (const window of found.keys()) if (!wanted.has(window)) problems.push(`${hour}: window ${window} is too much`);
  }
  return problems;
}

/** `<device> <window start>` → number of readings, then features. */
function windowsOf({ useCase, devices }: Expected, hourStart: number): Map<string, number[]> {
  const windows = new Map<string, number[]>();
  const from = hourStart - tailLength(useCase.windows);
  for (const [device, all] of devices) {
    const readings = all.filter(({ time }) => time >= from && time < hourStart + HOUR_MS);
    if (readings.length === 0) continue;
    const columns = Object.fromEntries(
      Object.keys(useCase.schema).map((field, at) => [field, Float64Array.from(readings, ({ values }) => values[at]!)]),
    );
    const series = ColumnSeries.of(
      Float64Array.from(readings, ({ time }) => time),
      columns,
    );
    const rows = computeFeatureRows(useCase, device, series, hourStart, hourStart + HOUR_MS);
    for (let row = 0; row < rows.length; row++) {
      const values = [rows.readings[row]!, ...rows.features.map((column) => column[row]!)];
      windows.set(`${device} ${rows.windowStart[row]}`, values);
    }
  }
  return windows;
}

/** As `windowsOf`, in the order of the rows. */
async function sealedWindows(
  lake: Lake,
  useCase: UseCase,
  partition: Partition,
  generation: number,
): Promise<[string, number[]][]> {
  const windows: [string, number[]][] = [];
  const names = ['readings', ...useCase.features.map(({ name }) => name)];
  const manifest = await readJson<PartitionManifest>(lake.objects, manifestKey(partition, generation));
  for (const { key } of manifest?.parts ?? []) {
    const bytes = await lake.objects.get(key);
    const columns = await readParquet(bytes!.slice().buffer as ArrayBuffer, ['device', 'window_start', ...names]);
    columns.get('device')!.forEach((device, row) => {
      const values = names.map((name) => (columns.get(name)![row] as number | null) ?? NaN);
      windows.push([`${String(device)} ${String(columns.get('window_start')![row])}`, values]);
    });
  }
  return windows;
}
