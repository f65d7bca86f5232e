/** Records and a use case for tests. */
import type { KinesisClientRecord } from '../../../consumer/kcl/processor';
import { readingSchema } from '../../../consumer/readings/schema';
import { RecordDecoder } from '../../../consumer/readings/decode';
import { telemetryTopic } from '../../../lib/contracts/topics';
import type { UseCase } from '../../../use-cases/define-use-case';

export const HOUR = 3_600_000;
export const BASE = Date.parse('2026-03-04T00:00:00Z');

const sum = (values: Float64Array): number =>
  values.reduce((total, value) => total + (Number.isNaN(value) ? 0 : value), 0);

export const testUseCase: UseCase = {
  name: 'test-case',
  title: 'Test',
  description: 'Two fields, four windows an hour, a lookback of two windows',
  schema: {
    temperature: { unit: 'degC', description: 'Temperature', minimum: -50, maximum: 150, required: true },
    humidity: { unit: '%', description: 'Humidity', minimum: 0, maximum: 100, required: false },
    state: { unit: 'code', description: 'State', minimum: 0, maximum: 10, required: false, type: 'integer' },
  },
  partition: { latenessMs: 60_000 },
  windows: { sizeMs: HOUR / 4, lookbackMs: HOUR / 2 },
  features: [
    {
      name: 'temperature_sum',
      unit: 'degC',
      description: 'Sum',
      compute: ({ readings }) => sum(readings.column('temperature')),
    },
    {
      name: 'lookback_sum',
      unit: 'degC',
      description: 'Sum over the lookback',
      compute: ({ lookback }) => sum(lookback.column('temperature')),
    },
    {
      name: 'humidity_sum',
      unit: '%',
      description: 'Sum',
      compute: ({ readings }) => sum(readings.column('humidity')),
    },
  ],
  training: {
    label: { kind: 'next-window', feature: 'temperature_sum' },
    split: 'time',
    hyperparameters: {},
    gate: { metric: 'rmse', atMost: 1 },
    trigger: { newPartitions: 1, minimumRows: 1, cooldown: 0, datasetHours: 24 },
  },
  simulator: { devices: 1, intervalMs: 1000, batch: 1, readings: () => [] },
};

export const schemas = new Map([[testUseCase.name, readingSchema(testUseCase)]]);
export const limits = { maximumAge: 10 * 365 * 24 * HOUR, maximumAhead: 300_000 };

export function decoder(shardId = 'shardId-000000000000'): RecordDecoder {
  return new RecordDecoder(schemas, limits, shardId);
}

export interface RecordOptions {
  sequence?: number | bigint;
  sub?: number;
  arrival?: number;
  device?: string;
  received?: number;
}

/** A record with the envelope that the rule would write around `payload`. */
export function enveloped(payload: Uint8Array | string | object, options: RecordOptions = {}): KinesisClientRecord {
  const { device = 'sensor-1', arrival = BASE + 1000, received = arrival } = options;
  const bytes =
    typeof payload === 'string' || payload instanceof Uint8Array
      ? Buffer.from(payload as string)
      : Buffer.from(JSON.stringify(payload));
  return raw(
    JSON.stringify({ payload: bytes.toString('base64'), topic: telemetryTopic('test-case', device), device, received }),
    options,
  );
}

export function raw(data: string | Uint8Array, options: RecordOptions = {}): KinesisClientRecord {
  const { sequence = 1, sub = 0, arrival = BASE + 1000, device = 'sensor-1' } = options;
  return {
    sequenceNumber: String(49_000_000_000_000_000_000n + BigInt(sequence)),
    subSequenceNumber: sub,
    aggregated: sub > 0,
    partitionKey: device,
    approximateArrivalTimestamp: arrival,
    data: Buffer.from(data as string),
  };
}
