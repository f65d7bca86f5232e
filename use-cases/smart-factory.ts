/**
 * Rotating machines whose bearings wear. The model forecasts a failure within the next two hours from vibration,
 * temperature and power, so that maintenance comes before it.
 */
import { defineUseCase, type Feature, type SimulatedReading } from './define-use-case';
import { between, gaussian, hash, uniform, wander } from './random';
import { maximum, mean, rms, round, share, slopePerHour, std } from './statistics';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const INTERVAL = 10_000;

const RUNNING = 0;
const FAILED = 1;
const MAINTENANCE = 2;

const AXES = ['x', 'y', 'z'] as const;

function vibrationFeatures(axis: (typeof AXES)[number]): Feature[] {
  const field = `vibration_${axis}`;
  return [
    {
      name: `${field}_rms`,
      unit: 'mm/s',
      description: `Root mean square of the vibration velocity along ${axis}`,
      compute: ({ readings }) => rms(readings.column(field)),
    },
    {
      name: `${field}_hour_slope`,
      unit: 'mm/s/h',
      description: `Slope of the vibration velocity along ${axis} over the last hour`,
      compute: ({ lookback }) => slopePerHour(lookback.times, lookback.column(field)),
    },
  ];
}

const features: Feature[] = [
  ...AXES.flatMap(vibrationFeatures),
  {
    name: 'vibration_x_crest',
    unit: '1',
    description: 'Largest vibration along x of the last hour over its root mean square',
    compute: ({ lookback }) => maximum(lookback.column('vibration_x')) / rms(lookback.column('vibration_x')),
  },
  {
    name: 'vibration_x_hour_rms',
    unit: 'mm/s',
    description: 'Root mean square of the vibration along x over the last hour',
    compute: ({ lookback }) => rms(lookback.column('vibration_x')),
  },
  {
    name: 'vibration_x_hour_std',
    unit: 'mm/s',
    description: 'Standard deviation of the vibration along x over the last hour',
    compute: ({ lookback }) => std(lookback.column('vibration_x')),
  },
  {
    name: 'temperature_mean',
    unit: '°C',
    description: 'Mean bearing temperature',
    compute: ({ readings }) => mean(readings.column('temperature')),
  },
  {
    name: 'temperature_hour_slope',
    unit: '°C/h',
    description: 'Slope of the bearing temperature over the last hour',
    compute: ({ lookback }) => slopePerHour(lookback.times, lookback.column('temperature')),
  },
  {
    name: 'power_mean',
    unit: 'kW',
    description: 'Mean electrical power',
    compute: ({ readings }) => mean(readings.column('power')),
  },
  {
    name: 'temperature_per_power',
    unit: '°C/kW',
    description: 'Bearing temperature over power, last hour: heat that the load does not explain',
    compute: ({ lookback }) => mean(lookback.column('temperature')) / mean(lookback.column('power')),
  },
  {
    name: 'vibration_per_power',
    unit: 'mm/s/kW',
    description: 'Vibration along x over power: vibration that the load does not explain',
    compute: ({ readings }) => rms(readings.column('vibration_x')) / mean(readings.column('power')),
  },
  {
    name: 'rpm_mean',
    unit: '1/min',
    description: 'Mean rotational speed',
    compute: ({ readings }) => mean(readings.column('rpm')),
  },
  {
    name: 'running_share',
    unit: '1',
    description: 'Share of readings in state running',
    compute: ({ readings }) => share(readings.column('state'), (state) => state === RUNNING),
  },
  {
    name: 'failed_share',
    unit: '1',
    description: 'Share of readings in state failed',
    compute: ({ readings }) => share(readings.column('state'), (state) => state === FAILED),
  },
];

/**
 * Wear is sped up so that a day holds failures to learn from: each machine fails once in every block of twelve
 * hours, blocks being shifted from machine to machine.
 */
const BLOCK = 12 * HOUR;
/** Failures that come without wear, such as a tripped motor: what no model can see coming. */
const SUDDEN_SHARE = 0.1;

interface Life {
  /** When the machine started after its last repair. */
  readonly start: number;
  readonly failure: number;
  readonly maintenance: number;
  /** When it starts again. */
  readonly end: number;
  readonly sudden: boolean;
  /** How late the wear shows: severity = share of life ** exponent. */
  readonly exponent: number;
}

function failureOf(block: number, seed: number, machine: number): { at: number; maintenance: number; end: number } {
  const shift = uniform(seed, machine, 1) * BLOCK;
  const at = block * BLOCK + shift + between(0.15, 0.85, seed, machine, 2, block) * BLOCK;
  const maintenance = at + between(5, 15, seed, machine, 3, block) * MINUTE;
  return { at, maintenance, end: maintenance + between(15, 35, seed, machine, 4, block) * MINUTE };
}

function lifeAt(time: number, seed: number, machine: number): Life {
  let block = Math.floor(time / BLOCK) - 2;
  while (failureOf(block, seed, machine).end <= time) block += 1;
  const failure = failureOf(block, seed, machine);
  return {
    start: failureOf(block - 1, seed, machine).end,
    failure: failure.at,
    maintenance: failure.maintenance,
    end: failure.end,
    sudden: uniform(seed, machine, 5, block) < SUDDEN_SHARE,
    exponent: between(2, 4, seed, machine, 6, block),
  };
}

/** 0 when new, 1 at the failure; never rises past 0.3 where the failure is sudden. */
function severityAt(time: number, life: Life): number {
  const worn = ((time - life.start) / (life.failure - life.start)) ** life.exponent;
  return life.sudden ? 0.3 * worn : worn;
}

function* readings(options: {
  device: number;
  seed: number;
  from: number;
  to: number;
}): Generator<SimulatedReading, void, undefined> {
  const { device: machine, seed, from, to } = options;
  const offset = hash(seed, machine, 0) % INTERVAL;
  const rated = between(18, 26, seed, machine, 7);
  const base = between(1.3, 1.9, seed, machine, 8);
  let life: Life | undefined;
  for (let tick = Math.ceil((from - offset) / INTERVAL); tick * INTERVAL + offset < to; tick++) {
    const timestamp = tick * INTERVAL + offset;
    if (life === undefined || timestamp >= life.end) life = lifeAt(timestamp, seed, machine);
    const state = timestamp < life.failure ? RUNNING : timestamp < life.maintenance ? FAILED : MAINTENANCE;
    const noise = (channel: number): number => gaussian(seed, machine, channel, tick);
    const ambient = 23 + 3 * wander(timestamp, 8 * HOUR, seed, 9);
    if (state !== RUNNING) {
      // The machine stands and cools; what vibration is left comes from its neighbours.
      const standing = Math.exp(-(timestamp - life.failure) / (20 * MINUTE));
      const still = (channel: number): number => round(Math.abs(0.1 + 0.02 * noise(channel)), 3);
      yield {
        timestamp,
        values: {
          vibration_x: still(40),
          vibration_y: still(41),
          vibration_z: still(42),
          temperature: round(ambient + 40 * standing + 0.2 * noise(43), 2),
          power: round(0.3 + 0.02 * Math.abs(noise(44)), 3),
          rpm: 0,
          state,
        },
        fault: state === FAILED ? 'failed' : 'maintenance',
      };
      continue;
    }
    const severity = severityAt(timestamp, life);
    const load = 0.65 + 0.25 * wander(timestamp, 40 * MINUTE, seed, machine, 10);
    const rattle = 1 + 0.25 * wander(timestamp, 3 * MINUTE, seed, machine, 11);
    const shaking = base * (0.7 + 0.5 * load);
    const axis = (gain: number, channel: number): number =>
      round(Math.max(0.05, shaking * (1 + gain * severity * rattle) * (1 + 0.07 * noise(channel))), 3);
    yield {
      timestamp,
      values: {
        vibration_x: axis(3.2, 40),
        vibration_y: round(0.8 * axis(2.2, 41), 3),
        vibration_z: round(0.5 * axis(1.4, 42), 3),
        temperature: round(ambient + 26 * load + 14 * severity + 0.3 * noise(43), 2),
        power: round(rated * (0.15 + 0.85 * load) * (1 + 0.05 * severity) * (1 + 0.01 * noise(44)), 3),
        rpm: Math.round(1490 - 35 * load + noise(45)),
        state,
      },
      ...(severity > 0.3 && { fault: 'bearing wear' }),
    };
  }
}

function vibration(axis: string): {
  unit: string;
  description: string;
  minimum: number;
  maximum: number;
  required: true;
} {
  return {
    unit: 'mm/s',
    description: `Vibration velocity, RMS, along ${axis}`,
    minimum: 0,
    maximum: 100,
    required: true,
  };
}

export const smartFactory = defineUseCase({
  name: 'smart-factory',
  title: 'Smart factory',
  description: 'Forecast of machine failures from vibration, temperature and power',
  schema: {
    vibration_x: vibration('x'),
    vibration_y: vibration('y'),
    vibration_z: vibration('z'),
    temperature: { unit: '°C', description: 'Bearing temperature', minimum: -40, maximum: 250, required: true },
    power: { unit: 'kW', description: 'Electrical power', minimum: 0, maximum: 1000, required: true },
    rpm: { unit: '1/min', description: 'Rotational speed', minimum: 0, maximum: 10_000, required: false },
    state: {
      unit: '1',
      description: '0 running, 1 failed, 2 maintenance',
      minimum: RUNNING,
      maximum: MAINTENANCE,
      required: true,
      type: 'integer',
    },
  },
  partition: { latenessMs: 2 * MINUTE },
  windows: { sizeMs: MINUTE, lookbackMs: HOUR },
  features,
  training: {
    label: { kind: 'event-within', feature: 'failed_share', threshold: 0.01, horizonMs: 2 * HOUR },
    // Neighbouring windows of a wearing machine are almost the same row: only whole machines make an honest test.
    split: 'device',
    inputs: features.map((feature) => feature.name).filter((name) => !['running_share', 'failed_share'].includes(name)),
    where: { feature: 'running_share', atLeast: 1 },
    hyperparameters: {
      objective: 'binary:logistic',
      eval_metric: 'aucpr',
      num_round: '60',
      eta: '0.1',
      max_depth: '3',
      min_child_weight: '10',
      lambda: '5',
      tree_method: 'hist',
      seed: '7',
    },
    gate: { metric: 'aucpr_lift', atLeast: 2 },
    trigger: { newPartitions: 24, minimumRows: 1000, cooldown: 6 * HOUR, datasetHours: 14 * 24 },
  },
  simulator: { devices: 8, intervalMs: INTERVAL, batch: 40, readings },
});
