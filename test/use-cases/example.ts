import type { UseCase } from '../../use-cases/define-use-case';
import { mean } from '../../use-cases/statistics';

/** A small valid use case that tests change. */
export const example: UseCase = {
  name: 'cold-chain',
  title: 'Cold chain',
  description: 'Boxes that must stay cold',
  schema: {
    temperature: { unit: '°C', description: 'Inside', minimum: -40, maximum: 60, required: true },
    lid: { unit: '1', description: '1 open', minimum: 0, maximum: 1, required: false, type: 'integer' },
  },
  partition: { latenessMs: 60_000 },
  windows: { sizeMs: 300_000, lookbackMs: 900_000 },
  features: [
    {
      name: 'temperature_mean',
      unit: '°C',
      description: 'Mean',
      compute: ({ readings }) => mean(readings.column('temperature')),
    },
    {
      name: 'temperature_lookback',
      unit: '°C',
      description: 'Mean over the lookback',
      compute: ({ lookback }) => mean(lookback.column('temperature')),
    },
    { name: 'lid_mean', unit: '1', description: 'Share open', compute: ({ readings }) => mean(readings.column('lid')) },
  ],
  training: {
    label: { kind: 'next-window', feature: 'temperature_mean' },
    split: 'time',
    hyperparameters: { objective: 'reg:squarederror', num_round: '20' },
    gate: { metric: 'rmse_ratio', atMost: 0.9 },
    trigger: { newPartitions: 1, minimumRows: 10, cooldown: 0, datasetHours: 24 },
  },
  simulator: {
    devices: 2,
    intervalMs: 60_000,
    batch: 10,
    *readings({ device, from, to }) {
      for (let time = Math.ceil(from / 60_000) * 60_000; time < to; time += 60_000) {
        yield { timestamp: time, values: { temperature: 4 + device + Math.sin(time / 1e6), lid: 0 } };
      }
    },
  },
};

export type Changes = { readonly [Key in keyof UseCase]?: Partial<UseCase[Key]> };

/** The example with members of its parts replaced. */
export function changed(changes: Changes): UseCase {
  const merged: Record<string, unknown> = { ...example };
  for (const [key, value] of Object.entries(changes)) {
    const before = merged[key];
    const mergeable = typeof value === 'object' && !Array.isArray(value) && typeof before === 'object';
    merged[key] = mergeable ? { ...before, ...value } : value;
  }
  return merged as unknown as UseCase;
}
