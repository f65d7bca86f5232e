/**
 * Delivery vehicles on the road: trips out of a depot and back over a polyline of road sections, driven by drivers who
 * change with the shift, with a speed controller that steps by seconds.
 */
import type { SimulatedReading } from './define-use-case';
import { between, gaussian, hash, uniform, wander } from './random';
import { round } from './statistics';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const INTERVAL = 20 * SECOND;

/** One trip starts at the head of each cycle; what is left of the cycle the vehicle stands at its depot. */
const CYCLE = 80 * MINUTE;
/** After so many cycles the driver changes and the tank is filled: nothing older has to be known. */
const CYCLES_PER_SHIFT = 3;
const SHIFT = CYCLES_PER_SHIFT * CYCLE;

const KM_PER_DEGREE = 111.195;

export const FLEET_INTERVAL_MS = INTERVAL;

interface Section {
  /** Metres from the depot to the section's start. */
  readonly start: number;
  readonly length: number;
  /** Posted limit, m/s. */
  readonly limit: number;
  /** Radians, 0 = north, clockwise. */
  readonly heading: number;
  readonly latitude: number;
  readonly longitude: number;
}

/** How somebody drives, 0 calm to 1 harsh, and what follows from it. */
interface Driver {
  readonly style: number;
}

interface VehicleState {
  /** Metres from the depot along the road. */
  distance: number;
  outbound: boolean;
  /** m/s */
  speed: number;
  /** Until when it waits at a stop, epoch milliseconds. */
  waitUntil: number;
  /** Section whose end was last decided on. */
  decided: number;
  stopping: boolean;
  /** Litres. */
  fuel: number;
  home: boolean;
}

const TANK_LITRES = 70;

/** Sections of one trip's road, drawn as far as they are driven. */
class Road {
  private readonly sections: Section[] = [];

  constructor(private readonly keys: readonly number[]) {}

  section(index: number): Section {
    while (this.sections.length <= index) this.sections.push(this.draw(this.sections.length));
    return this.sections[index]!;
  }

  /** Index of the section that holds this distance. */
  indexAt(distance: number, near: number): number {
    let index = Math.max(0, near);
    while (index > 0 && this.section(index).start > distance) index -= 1;
    while (this.section(index).start + this.section(index).length <= distance) index += 1;
    return index;
  }

  position(distance: number, index: number): { latitude: number; longitude: number } {
    const section = this.section(index);
    return move(section, section.heading, distance - section.start);
  }

  private draw(index: number): Section {
    const previous = this.sections[index - 1];
    const kmh = [30, 50, 50, 70, 100][hash(...this.keys, 1, index) % 5]!;
    const length = between(8, 22, ...this.keys, 2, index) * kmh;
    const [fleetSeed, vehicle] = this.keys as [number, number];
    if (previous === undefined) {
      const latitude = 52.1 + 0.2 * uniform(fleetSeed, vehicle, 1);
      const longitude = 11.5 + 0.3 * uniform(fleetSeed, vehicle, 2);
      return {
        start: 0,
        length,
        limit: kmh / 3.6,
        heading: 2 * Math.PI * uniform(...this.keys, 3),
        latitude,
        longitude,
      };
    }
    const turn = between(-1.2, 1.2, ...this.keys, 3, index);
    const end = move(previous, previous.heading, previous.length);
    return {
      start: previous.start + previous.length,
      length,
      limit: kmh / 3.6,
      heading: previous.heading + turn,
      ...end,
    };
  }
}

function move(
  from: { readonly latitude: number; readonly longitude: number },
  heading: number,
  metres: number,
): { latitude: number; longitude: number } {
  const degrees = metres / 1000 / KM_PER_DEGREE;
  const longitudeScale = Math.cos((from.latitude * Math.PI) / 180);
  return {
    latitude: from.latitude + degrees * Math.cos(heading),
    longitude: from.longitude + (degrees * Math.sin(heading)) / longitudeScale,
  };
}

/** Readings of one vehicle; simulated from the start of the shift that holds `from`, so that any range agrees. */
export function* fleetReadings(options: {
  device: number;
  seed: number;
  from: number;
  to: number;
}): Generator<SimulatedReading, void, undefined> {
  const { device: vehicle, seed, from, to } = options;
  const offset = hash(seed, vehicle, 0) % INTERVAL;
  const shiftOffset = Math.floor(uniform(seed, vehicle, 3) * SHIFT);
  let cycle = Math.floor((from - shiftOffset) / SHIFT) * CYCLES_PER_SHIFT;
  let fuel = NaN;
  for (; cycle * CYCLE + shiftOffset < to; cycle++) {
    const shift = Math.floor(cycle / CYCLES_PER_SHIFT);
    if (cycle % CYCLES_PER_SHIFT === 0) fuel = TANK_LITRES * between(0.9, 0.99, seed, vehicle, 4, shift);
    fuel = yield* drive({ ...options, cycle, start: cycle * CYCLE + shiftOffset, offset, fuel });
  }
}

/** One cycle: the trip and the standing after it. Returns the fuel that is left, litres. */
function* drive(options: {
  device: number;
  seed: number;
  from: number;
  to: number;
  cycle: number;
  start: number;
  offset: number;
  fuel: number;
}): Generator<SimulatedReading, number, undefined> {
  const { device: vehicle, seed, from, to, cycle, start, offset } = options;
  const keys = [seed, vehicle, cycle] as const;
  const driver = driverOf(seed, vehicle, cycle);
  const road = new Road(keys);
  const turnBack = start + between(22, 29, ...keys, 5) * MINUTE;
  const state: VehicleState = {
    distance: 0,
    outbound: true,
    speed: 0,
    waitUntil: start + between(0, 3, ...keys, 6) * MINUTE,
    decided: -1,
    stopping: false,
    fuel: options.fuel,
    home: false,
  };
  let index = 0;
  let strongest = 0;
  const firstSecond = Math.ceil(start / SECOND);
  const lastSecond = Math.ceil((start + CYCLE) / SECOND);
  for (let second = firstSecond; second < lastSecond; second++) {
    const time = second * SECOND;
    if (time >= to) return state.fuel;
    index = road.indexAt(state.distance, index);
    const acceleration = step(state, road, index, driver, time, turnBack, keys);
    if (Math.abs(acceleration) > Math.abs(strongest)) strongest = acceleration;
    // The device reports at the end of its interval: what happened since its last reading.
    if ((time - offset + SECOND) % INTERVAL >= SECOND) continue;
    const timestamp = Math.floor((time - offset + SECOND) / INTERVAL) * INTERVAL + offset;
    const values = report(state, road, road.indexAt(state.distance, index), strongest, keys, second);
    const harsh = strongest >= 3 || strongest <= -3.5;
    strongest = 0;
    if (timestamp >= from && timestamp < to) yield { timestamp, values, ...(harsh && { fault: 'harsh driving' }) };
  }
  return state.fuel;
}

/** The roster gives each vehicle calm and harsh drivers in turn: steps of the golden ratio spread evenly over 0 to 1. */
const ROSTER_STEP = 0.618_033_988_75;

/** A driver keeps the vehicle for a shift and drives each trip a little differently. */
function driverOf(seed: number, vehicle: number, cycle: number): Driver {
  const turn = uniform(seed, vehicle, 7) + ROSTER_STEP * Math.floor(cycle / CYCLES_PER_SHIFT);
  const nature = (turn - Math.floor(turn)) ** 1.5;
  return { style: Math.min(1, Math.max(0, nature + 0.12 * gaussian(seed, vehicle, 8, cycle))) };
}

/** Moves the vehicle by one second and gives its acceleration, m/s². */
function step(
  state: VehicleState,
  road: Road,
  index: number,
  driver: Driver,
  time: number,
  turnBack: number,
  keys: readonly number[],
): number {
  if (state.home || time < state.waitUntil) {
    if (!state.home) state.fuel -= 0.8 / 3600;
    return 0;
  }
  if (state.outbound && time >= turnBack && state.speed < 1) state.outbound = false;
  const section = road.section(index);
  const decision = index * 2 + (state.outbound ? 0 : 1);
  if (decision !== state.decided) {
    state.decided = decision;
    const turning = state.outbound && time >= turnBack - 30 * SECOND;
    state.stopping = turning || uniform(...keys, 10, decision) < 0.4;
  }
  const toEnd = state.outbound ? section.start + section.length - state.distance : state.distance - section.start;
  const hurry = (channel: number): number => driver.style * uniform(...keys, channel, decision);
  const traffic = 0.85 + 0.15 * wander(time, 12 * MINUTE, ...keys, 13);
  const wish = section.limit * traffic * (1 + 0.25 * driver.style);
  const lastSection = !state.outbound && index === 0;
  const braking = 1.3 + 3.6 * hurry(11);
  // The speed from which the brakes still stop the vehicle at the end of the section.
  const stopSpeed = state.stopping || lastSection ? Math.sqrt(2 * braking * Math.max(0, toEnd - 2)) : Infinity;
  const target = Math.min(wish, stopSpeed);
  const pull = 1.1 + 3.2 * hurry(12);
  const wanted = Math.min(pull, Math.max(-1.15 * braking, target - state.speed));
  const acceleration = Math.max(
    -state.speed,
    wanted + (state.speed > 5 ? 0.15 * gaussian(...keys, 14, time / SECOND) : 0),
  );
  state.speed += acceleration;
  state.distance = Math.max(0, state.distance + (state.outbound ? state.speed : -state.speed));
  // Idling plus rolling plus the work of accelerating; litres in one second.
  state.fuel -= 0.8 / 3600 + state.speed * (0.000055 + 0.00005 * Math.max(0, acceleration));
  if (toEnd <= 4 && lastSection) {
    state.home = true;
    state.speed = 0;
  } else if (state.stopping && toEnd <= 4 && state.speed < 3) {
    state.speed = 0;
    state.stopping = false;
    state.waitUntil = time + between(5, 50, ...keys, 15, decision) * SECOND;
    if (state.outbound) state.distance = section.start + section.length;
    else state.distance = Math.max(0, section.start - 1);
  }
  return acceleration;
}

function report(
  state: VehicleState,
  road: Road,
  index: number,
  strongest: number,
  keys: readonly number[],
  second: number,
): Record<string, number> {
  const { latitude, longitude } = road.position(state.distance, index);
  const course = road.section(index).heading + (state.outbound ? 0 : Math.PI);
  const degrees = (((course * 180) / Math.PI) % 360) + 360;
  return {
    latitude: round(latitude, 6),
    longitude: round(longitude, 6),
    speed: round(state.speed * 3.6, 1),
    heading: round(degrees % 360, 0) % 360,
    acceleration: round(strongest + 0.03 * gaussian(...keys, 16, second), 2),
    fuel_level: round((100 * Math.max(0, state.fuel)) / TANK_LITRES, 2),
    ignition: state.home ? 0 : 1,
  };
}
