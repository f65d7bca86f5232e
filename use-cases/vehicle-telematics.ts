/**
 * Vehicles on the road. The model forecasts the risk of a harsh event within the next quarter of an hour from how the
 * vehicle was driven in the last hour; its mean over a driver's way is the driving rating that an insurer prices by.
 */
import { defineUseCase, type Feature } from './define-use-case';
import { FLEET_INTERVAL_MS, fleetReadings } from './fleet-simulator';
import { distanceKm, first, last, maximum, mean, share, std } from './statistics';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Longitudinal acceleration that counts as harsh, m/s²: the thresholds telematics devices come with. */
const HARSH_ACCELERATION = 3;
const HARSH_BRAKING = -3.5;
/** The fleet's own limit, km/h: without a map the posted one is not known. */
const FLEET_LIMIT = 95;
/** Slower than this the vehicle stands, km/h: GPS noise. */
const STANDING = 3;
/** Below this the distance's error outweighs the fuel's, km. */
const SHORTEST_WAY = 1;

function countOf(values: Float64Array, condition: (value: number) => boolean): number {
  let met = 0;
  for (const value of values) if (condition(value)) met += 1;
  return met;
}

const isHarshAcceleration = (value: number): boolean => value >= HARSH_ACCELERATION;
const isHarshBraking = (value: number): boolean => value <= HARSH_BRAKING;
const isMoving = (speed: number): boolean => speed > STANDING;

/** Standard deviation of the change of acceleration from reading to reading. */
function jerkStd(accelerations: Float64Array): number {
  const changes = new Float64Array(Math.max(0, accelerations.length - 1));
  for (let index = 0; index < changes.length; index++)
    changes[index] = accelerations[index + 1]! - accelerations[index]!;
  return std(changes);
}

const features: Feature[] = [
  {
    name: 'harsh_events',
    unit: '1',
    description: 'Readings with harsh acceleration or braking',
    compute: ({ readings }) =>
      countOf(readings.column('acceleration'), (value) => isHarshAcceleration(value) || isHarshBraking(value)),
  },
  {
    name: 'harsh_accelerations_hour',
    unit: '1',
    description: 'Readings with harsh acceleration in the last hour',
    compute: ({ lookback }) => countOf(lookback.column('acceleration'), isHarshAcceleration),
  },
  {
    name: 'harsh_brakings_hour',
    unit: '1',
    description: 'Readings with harsh braking in the last hour',
    compute: ({ lookback }) => countOf(lookback.column('acceleration'), isHarshBraking),
  },
  {
    name: 'over_limit_share',
    unit: '1',
    description: `Share of readings above ${FLEET_LIMIT} km/h in the last hour`,
    compute: ({ lookback }) => share(lookback.column('speed'), (speed) => speed > FLEET_LIMIT),
  },
  {
    name: 'acceleration_hour_std',
    unit: 'm/s²',
    description: 'Standard deviation of the strongest accelerations of the last hour',
    compute: ({ lookback }) => std(lookback.column('acceleration')),
  },
  {
    name: 'acceleration_maximum',
    unit: 'm/s²',
    description: 'Strongest acceleration of the window',
    compute: ({ readings }) => maximum(readings.column('acceleration')),
  },
  {
    name: 'jerk_hour_std',
    unit: 'm/s²',
    description: 'Standard deviation of the change of acceleration between readings, last hour',
    compute: ({ lookback }) => jerkStd(lookback.column('acceleration')),
  },
  {
    name: 'speed_mean',
    unit: 'km/h',
    description: 'Mean speed',
    compute: ({ readings }) => mean(readings.column('speed')),
  },
  {
    name: 'speed_std',
    unit: 'km/h',
    description: 'Standard deviation of speed',
    compute: ({ readings }) => std(readings.column('speed')),
  },
  {
    name: 'speed_hour_maximum',
    unit: 'km/h',
    description: 'Largest speed of the last hour',
    compute: ({ lookback }) => maximum(lookback.column('speed')),
  },
  {
    name: 'moving_share',
    unit: '1',
    description: 'Share of readings in motion',
    compute: ({ readings }) => share(readings.column('speed'), isMoving),
  },
  {
    name: 'moving_hour_share',
    unit: '1',
    description: 'Share of readings in motion in the last hour',
    compute: ({ lookback }) => share(lookback.column('speed'), isMoving),
  },
  {
    name: 'idle_share',
    unit: '1',
    description: 'Share of readings with the engine on and the vehicle standing, last hour',
    compute: ({ lookback }) => {
      const ignition = lookback.column('ignition');
      return share(
        lookback.column('speed').map((speed, index) => (ignition[index] === 0 ? STANDING + 1 : speed)),
        (speed) => !isMoving(speed),
      );
    },
  },
  {
    name: 'distance',
    unit: 'km',
    description: 'Way over the positions of the window',
    compute: ({ readings }) => distanceKm(readings.column('latitude'), readings.column('longitude')),
  },
  {
    name: 'distance_hour',
    unit: 'km',
    description: 'Way over the positions of the last hour',
    compute: ({ lookback }) => distanceKm(lookback.column('latitude'), lookback.column('longitude')),
  },
  {
    name: 'fuel_per_100_km',
    unit: '%/100 km',
    description: 'Share of the tank used per 100 km, last hour; missing after a refill or a short way',
    compute: ({ lookback }) => {
      const way = distanceKm(lookback.column('latitude'), lookback.column('longitude'));
      const used = first(lookback.column('fuel_level')) - last(lookback.column('fuel_level'));
      return way >= SHORTEST_WAY && used >= 0 ? (100 * used) / way : NaN;
    },
  },
];

/** More harsh driving never lowers the rated risk: an insurer has to be able to say so. */
const RISES_WITH = ['harsh_events', 'harsh_accelerations_hour', 'harsh_brakings_hour', 'over_limit_share'];

export const vehicleTelematics = defineUseCase({
  name: 'vehicle-telematics',
  title: 'Vehicle telematics',
  description: 'Driving patterns and risk of harsh events, for fleets and usage-based insurance',
  schema: {
    latitude: { unit: '°', description: 'WGS 84 latitude', minimum: -90, maximum: 90, required: true },
    longitude: { unit: '°', description: 'WGS 84 longitude', minimum: -180, maximum: 180, required: true },
    speed: { unit: 'km/h', description: 'Speed over ground', minimum: 0, maximum: 300, required: true },
    heading: {
      unit: '°',
      description: 'Course over ground, clockwise from north',
      minimum: 0,
      maximum: 360,
      required: false,
    },
    acceleration: {
      unit: 'm/s²',
      description: 'Strongest longitudinal acceleration since the last reading; braking is negative',
      minimum: -20,
      maximum: 20,
      required: true,
    },
    fuel_level: { unit: '%', description: 'Tank level', minimum: 0, maximum: 100, required: false },
    ignition: { unit: '1', description: '0 off, 1 on', minimum: 0, maximum: 1, required: false, type: 'integer' },
  },
  partition: { latenessMs: 10 * MINUTE },
  windows: { sizeMs: 2 * MINUTE, lookbackMs: HOUR },
  features,
  training: {
    label: { kind: 'event-within', feature: 'harsh_events', threshold: 1, horizonMs: 14 * MINUTE },
    // A rating is for drivers whom the model has not seen.
    split: 'device',
    where: { feature: 'moving_share', atLeast: 0.5 },
    hyperparameters: {
      objective: 'binary:logistic',
      eval_metric: 'auc',
      num_round: '60',
      eta: '0.1',
      max_depth: '3',
      min_child_weight: '10',
      lambda: '5',
      tree_method: 'hist',
      monotone_constraints: `(${features.map(({ name }) => (RISES_WITH.includes(name) ? 1 : 0)).join(',')})`,
      seed: '7',
    },
    gate: { metric: 'auc', atLeast: 0.7 },
    trigger: { newPartitions: 24, minimumRows: 1000, cooldown: 6 * HOUR, datasetHours: 14 * 24 },
  },
  simulator: { devices: 10, intervalMs: FLEET_INTERVAL_MS, batch: 40, readings: fleetReadings },
});
