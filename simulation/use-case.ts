/** The use case that is simulated, in two builds that differ in a feature and in what they take for a reading. */
import { readingSchema } from '../consumer/readings/schema';
import type { UseCase } from '../use-cases/define-use-case';

export const HOUR = 3_600_000;
export const USE_CASE = 'simulated-sensors';
export const LATENESS_MS = 10_000;
/** Warmer readings are quarantined by build-1, and taken by build-2. */
export const BUILD_1_MAXIMUM = 150;

export type Build = 'build-1' | 'build-2';

/** Order of the readings matters: sums of fractions differ in their last bits by it. */
function decayed(values: Float64Array): number {
  let state = 0;
  for (const value of values) state = state * 0.7 + value / 3;
  return state;
}

function useCase(build: Build): UseCase {
  const scale = build === 'build-1' ? 1 : 2;
  const maximum = build === 'build-1' ? BUILD_1_MAXIMUM : BUILD_1_MAXIMUM + 10;
  return {
    name: USE_CASE,
    title: 'Simulated sensors',
    description: 'Two fields, four windows an hour, a lookback of two windows',
    schema: {
      temperature: { unit: 'degC', description: 'Temperature', minimum: -50, maximum, required: true },
      humidity: { unit: '%', description: 'Humidity', minimum: 0, maximum: 100, required: false },
    },
    partition: { latenessMs: LATENESS_MS },
    windows: { sizeMs: HOUR / 4, lookbackMs: HOUR / 2 },
    features: [
      {
        name: 'temperature_decayed',
        unit: 'degC',
        description: 'Decayed sum, which tells the order of the readings',
        compute: ({ readings }) => scale * decayed(readings.column('temperature')),
      },
      {
        name: 'lookback_decayed',
        unit: 'degC',
        description: 'The same over the lookback',
        compute: ({ lookback }) => decayed(lookback.column('temperature')),
      },
      {
        name: 'humidity_last',
        unit: '%',
        description: 'The last humidity',
        compute: ({ readings }) => readings.column('humidity').at(-1)!,
      },
    ],
    training: {
      label: { kind: 'next-window', feature: 'temperature_decayed' },
      split: 'time',
      hyperparameters: {},
      gate: { metric: 'rmse', atMost: 1 },
      trigger: { newPartitions: 1, minimumRows: 1, cooldown: 0, datasetHours: 24 },
    },
    simulator: { devices: 1, intervalMs: 1_000, batch: 1, readings: () => [] },
  };
}

export const builds: Readonly<Record<Build, UseCase>> = {
  'build-1': useCase('build-1'),
  'build-2': useCase('build-2'),
};
export const schemaOf = (build: Build) => new Map([[USE_CASE, readingSchema(builds[build])]]);
