/**
 * Climate sensors in rooms with on/off climate control. The model forecasts the next window's mean temperature from
 * the past hour; a reading stream whose residual grows (drift, stuck value, spikes) is an anomaly, with no labels.
 */
import { defineUseCase, type Feature, type FeatureWindow, type SimulatedReading } from './define-use-case';
import { between, gaussian, hash, uniform, wander } from './random';
import { last, maximum, mean, minimum, range, round, slopePerHour, std } from './statistics';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const INTERVAL = 30_000;
const WINDOW = 5 * MINUTE;

/** Mean of the window before this one. */
function previousMean({ start, lookback }: FeatureWindow, field: string): number {
  const { times } = lookback;
  let from = 0;
  while (from < times.length && times[from]! < start - WINDOW) from += 1;
  let to = from;
  while (to < times.length && times[to]! < start) to += 1;
  return mean(lookback.column(field).subarray(from, to));
}

const features: Feature[] = [
  {
    name: 'temperature_mean',
    unit: '°C',
    description: 'Mean temperature',
    compute: ({ readings }) => mean(readings.column('temperature')),
  },
  {
    name: 'temperature_std',
    unit: '°C',
    description: 'Standard deviation of temperature',
    compute: ({ readings }) => std(readings.column('temperature')),
  },
  {
    name: 'temperature_range',
    unit: '°C',
    description: 'Largest minus smallest temperature',
    compute: ({ readings }) => range(readings.column('temperature')),
  },
  {
    name: 'temperature_last',
    unit: '°C',
    description: 'Last temperature of the window',
    compute: ({ readings }) => last(readings.column('temperature')),
  },
  {
    name: 'temperature_slope',
    unit: '°C/h',
    description: 'Slope of the least-squares line through the window',
    compute: ({ readings }) => slopePerHour(readings.times, readings.column('temperature')),
  },
  {
    name: 'temperature_step',
    unit: '°C',
    description: 'Mean minus the mean of the window before',
    compute: (window) => mean(window.readings.column('temperature')) - previousMean(window, 'temperature'),
  },
  {
    name: 'temperature_above_hour',
    unit: '°C',
    description: 'Mean minus the mean of the last hour',
    compute: ({ readings, lookback }) => mean(readings.column('temperature')) - mean(lookback.column('temperature')),
  },
  {
    name: 'temperature_hour_minimum',
    unit: '°C',
    description: 'Smallest temperature of the last hour',
    compute: ({ lookback }) => minimum(lookback.column('temperature')),
  },
  {
    name: 'temperature_hour_maximum',
    unit: '°C',
    description: 'Largest temperature of the last hour',
    compute: ({ lookback }) => maximum(lookback.column('temperature')),
  },
  {
    name: 'humidity_mean',
    unit: '%',
    description: 'Mean relative humidity',
    compute: ({ readings }) => mean(readings.column('humidity')),
  },
  {
    name: 'humidity_slope',
    unit: '%/h',
    description: 'Slope of relative humidity over the window',
    compute: ({ readings }) => slopePerHour(readings.times, readings.column('humidity')),
  },
  {
    name: 'pressure_mean',
    unit: 'hPa',
    description: 'Mean air pressure',
    compute: ({ readings }) => mean(readings.column('pressure')),
  },
  {
    name: 'pressure_hour_slope',
    unit: 'hPa/h',
    description: 'Slope of air pressure over the last hour',
    compute: ({ lookback }) => slopePerHour(lookback.times, lookback.column('pressure')),
  },
  {
    name: 'day_sine',
    unit: '1',
    description: 'Time of day on the unit circle, UTC',
    compute: ({ start }) => Math.sin((2 * Math.PI * start) / DAY),
  },
  {
    name: 'day_cosine',
    unit: '1',
    description: 'Time of day on the unit circle, UTC',
    compute: ({ start }) => Math.cos((2 * Math.PI * start) / DAY),
  },
];

type Fault = { readonly kind: 'drift' | 'stuck' | 'spike'; readonly start: number; readonly end: number };

const FAULT_BLOCK = 8 * HOUR;
const FAULT_SHARE = 0.2;

/** At most one fault in each block of eight hours. */
function faultAt(time: number, seed: number, device: number): Fault | undefined {
  const block = Math.floor(time / FAULT_BLOCK);
  if (uniform(seed, device, 20, block) >= FAULT_SHARE) return undefined;
  const kind = (['drift', 'stuck', 'spike'] as const)[hash(seed, device, 21, block) % 3]!;
  const length = kind === 'drift' ? 3 * HOUR : between(30, 60, seed, device, 22, block) * MINUTE;
  const start = block * FAULT_BLOCK + uniform(seed, device, 23, block) * (FAULT_BLOCK - length);
  return time >= start && time < start + length ? { kind, start, end: start + length } : undefined;
}

/**
 * Degrees around the set point. The controller cools and lets warm between two limits, so the temperature walks up
 * and down with a period of its own; the day, the door and the sensor's noise come on top.
 */
function roomTemperature(time: number, seed: number, device: number): number {
  const setPoint = between(19.5, 23.5, seed, device, 1);
  const period = between(40, 60, seed, device, 2) * MINUTE;
  const phase = time / period + 0.3 * wander(time, 3 * period, seed, device, 3) + uniform(seed, device, 4);
  const warming = between(0.5, 0.65, seed, device, 5);
  const cycle = phase - Math.floor(phase);
  const walk = cycle < warming ? cycle / warming : (1 - cycle) / (1 - warming);
  const swing = between(1.2, 1.7, seed, device, 6) * (2 * walk - 1);
  const day = 1.2 * Math.sin((2 * Math.PI * (time - 9 * HOUR)) / DAY);
  const weather = 0.8 * wander(time, 6 * HOUR, seed, device, 7);
  return setPoint + swing + day + weather + doorPulse(time, seed, device);
}

/** A door opens in some quarters of an hour; the warm air it lets in fades within minutes. */
function doorPulse(time: number, seed: number, device: number): number {
  const quarter = 15 * MINUTE;
  let pulse = 0;
  for (let block = Math.floor(time / quarter); block >= Math.floor(time / quarter) - 2; block--) {
    if (uniform(seed, device, 10, block) >= 0.08) continue;
    const age = time - (block + uniform(seed, device, 11, block)) * quarter;
    if (age >= 0) pulse += between(0.5, 1.5, seed, device, 12, block) * Math.exp(-age / (6 * MINUTE));
  }
  return pulse;
}

function* readings(options: {
  device: number;
  seed: number;
  from: number;
  to: number;
}): Generator<SimulatedReading, void, undefined> {
  const { device, seed, from, to } = options;
  const offset = hash(seed, device, 0) % INTERVAL;
  // Not every sensor measures everything: each fourth lacks a barometer, each fifth a hygrometer.
  const hasPressure = device % 4 !== 3;
  const hasHumidity = device % 5 !== 4;
  for (let tick = Math.ceil((from - offset) / INTERVAL); tick * INTERVAL + offset < to; tick++) {
    const timestamp = tick * INTERVAL + offset;
    const fault = faultAt(timestamp, seed, device);
    const held = fault?.kind === 'stuck';
    let temperature = roomTemperature(held ? fault.start : timestamp, seed, device);
    if (!held) temperature += 0.08 * gaussian(seed, device, 30, tick);
    if (fault?.kind === 'drift') temperature += (4 * (timestamp - fault.start)) / (fault.end - fault.start);
    const spike = fault?.kind === 'spike' && uniform(seed, device, 31, tick) < 0.08;
    if (spike) temperature += between(8, 15, seed, device, 32, tick);
    const values: Record<string, number> = { temperature: round(temperature, 2) };
    if (hasHumidity) {
      const dry = 2.2 * (roomTemperature(timestamp, seed, device) - 21);
      values.humidity = round(46 - dry + 6 * wander(timestamp, 4 * HOUR, seed, device, 33), 1);
    }
    if (hasPressure) {
      values.pressure = round(
        1006 + 14 * wander(timestamp, 9 * HOUR, seed, 34) + 0.1 * gaussian(seed, device, 35, tick),
        2,
      );
    }
    yield { timestamp, values, ...(fault && (fault.kind !== 'spike' || spike) && { fault: fault.kind }) };
  }
}

export const sensorMonitoring = defineUseCase({
  name: 'sensor-monitoring',
  title: 'Sensor monitoring',
  description: 'Forecast of room temperature; sensors whose readings leave the forecast are anomalies',
  schema: {
    temperature: {
      unit: '°C',
      description: 'Air temperature',
      minimum: -40,
      maximum: 125,
      required: true,
    },
    humidity: { unit: '%', description: 'Relative humidity', minimum: 0, maximum: 100, required: false },
    pressure: { unit: 'hPa', description: 'Air pressure', minimum: 300, maximum: 1100, required: false },
  },
  partition: { latenessMs: 5 * MINUTE },
  windows: { sizeMs: WINDOW, lookbackMs: HOUR },
  features,
  training: {
    label: { kind: 'next-window', feature: 'temperature_mean' },
    // One process per sensor that goes on in time: the future is what must not be known.
    split: 'time',
    hyperparameters: {
      objective: 'reg:squarederror',
      eval_metric: 'rmse',
      num_round: '150',
      eta: '0.1',
      max_depth: '5',
      min_child_weight: '4',
      tree_method: 'hist',
      seed: '7',
    },
    gate: { metric: 'rmse_ratio', atMost: 0.9 },
    trigger: { newPartitions: 24, minimumRows: 1000, cooldown: 6 * HOUR, datasetHours: 14 * 24 },
  },
  simulator: { devices: 12, intervalMs: INTERVAL, batch: 40, readings },
});
