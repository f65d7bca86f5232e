import fc from 'fast-check';
import { useCases } from '../../use-cases';
import type { FieldSchema, SimulatedReading, UseCase } from '../../use-cases/define-use-case';
import { sensorMonitoring } from '../../use-cases/sensor-monitoring';
import { smartFactory } from '../../use-cases/smart-factory';
import { haversineKm } from '../../use-cases/statistics';
import { vehicleTelematics } from '../../use-cases/vehicle-telematics';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = Date.parse('2026-11-20T12:00:00Z');

function isValid(value: number | undefined, field: FieldSchema): boolean {
  if (value === undefined) return !field.required;
  return value >= field.minimum && value <= field.maximum && (field.type !== 'integer' || Number.isInteger(value));
}

function simulate(useCase: UseCase, device: number, from: number, to: number, seed = 1): SimulatedReading[] {
  return [...useCase.simulator.readings({ device, seed, from, to })];
}

describe.each(useCases.map((useCase) => [useCase.name, useCase] as const))('%s', (_name, useCase) => {
  it('gives the same reading for the same moment, whatever range is asked for', () => {
    const from = NOON - 5 * HOUR;
    const whole = simulate(useCase, 1, from, NOON);
    fc.assert(
      fc.property(fc.nat(5 * HOUR), fc.nat(HOUR), (start, length) => {
        const [low, high] = [from + start, Math.min(NOON, from + start + length)];
        const part = whole.filter(({ timestamp }) => timestamp >= low && timestamp < high);
        expect(simulate(useCase, 1, low, high)).toEqual(part);
      }),
      { numRuns: 8 },
    );
  });

  it('differs between devices and between seeds', () => {
    const values = [simulate(useCase, 1, NOON, NOON + HOUR), simulate(useCase, 2, NOON, NOON + HOUR)];
    values.push(simulate(useCase, 1, NOON, NOON + HOUR, 2));
    expect(new Set(values.map((readings) => JSON.stringify(readings))).size).toBe(3);
  });

  it('gives one valid reading an interval, at whole milliseconds', () => {
    const { intervalMs } = useCase.simulator;
    for (let device = 0; device < useCase.simulator.devices; device++) {
      const readings = simulate(useCase, device, NOON, NOON + 3 * HOUR);
      expect(readings).toHaveLength((3 * HOUR) / intervalMs);
      const problems = readings.flatMap(({ timestamp, values }, index) => [
        ...(timestamp === readings[0]!.timestamp + index * intervalMs ? [] : [`time ${timestamp}`]),
        ...Object.keys(values).filter((name) => useCase.schema[name] === undefined),
        ...Object.entries(useCase.schema)
          .filter(([name, field]) => !isValid(values[name], field))
          .map(([name]) => `${name} ${values[name]}`),
      ]);
      expect(problems).toEqual([]);
    }
  });
});

describe('sensors', () => {
  const days = Array.from({ length: 12 }, (_, device) => simulate(sensorMonitoring, device, NOON, NOON + DAY));

  it('show every fault, and behave as it says', () => {
    const faults = new Set(days.flat().map(({ fault }) => fault));
    expect([...faults].sort()).toEqual(['drift', 'spike', 'stuck', undefined].sort());
    const odd = days.flatMap((readings) =>
      readings.filter(({ fault, values }, index) => {
        const before = readings[index - 1];
        if (before === undefined) return false;
        const step = values.temperature! - before.values.temperature!;
        if (fault === 'stuck' && before.fault === 'stuck') return step !== 0;
        if (fault === 'spike' && before.fault === undefined) return step <= 6;
        return fault === undefined && before.fault === undefined && Math.abs(step) >= 3;
      }),
    );
    expect(odd).toEqual([]);
  });

  it('leave out what a device does not measure', () => {
    expect(days[3]!.every(({ values }) => values.pressure === undefined && values.humidity !== undefined)).toBe(true);
    expect(days[4]!.every(({ values }) => values.pressure !== undefined && values.humidity === undefined)).toBe(true);
  });
});

describe('machines', () => {
  const machines = Array.from({ length: 8 }, (_, device) => simulate(smartFactory, device, NOON, NOON + DAY));

  it('run, fail, are repaired and run again, each at least once a day', () => {
    for (const readings of machines) {
      const states = readings.map(({ values }) => values.state!);
      const changes = states.filter((state, index) => index === 0 || state !== states[index - 1]);
      expect(changes.join('')).toMatch(/^(?:0?1?2?)(?:012)*0?1?2?$/);
      expect(changes.filter((state) => state === 1).length).toBeGreaterThanOrEqual(1);
    }
  });

  it('shake more before most failures than after the repair', () => {
    const ratios: number[] = [];
    for (const readings of machines) {
      readings.forEach(({ values }, index) => {
        if (values.state !== 1 || readings[index - 1]?.values.state !== 0) return;
        const restart = readings.findIndex((later, position) => position > index && later.values.state === 0);
        if (index < 60 || restart < 0 || restart + 60 > readings.length) return;
        const mean = (from: number): number =>
          readings.slice(from, from + 60).reduce((sum, reading) => sum + reading.values.vibration_x!, 0) / 60;
        ratios.push(mean(index - 60) / mean(restart));
      });
    }
    expect(ratios.length).toBeGreaterThan(8);
    expect(ratios.filter((ratio) => ratio > 2).length / ratios.length).toBeGreaterThan(0.6);
  });
});

describe('vehicles', () => {
  const vehicles = Array.from({ length: 10 }, (_, device) => simulate(vehicleTelematics, device, NOON, NOON + DAY));

  it('move as fast as they say, and only with the engine on', () => {
    for (const readings of vehicles) {
      for (let index = 1; index < readings.length; index++) {
        const [before, after] = [readings[index - 1]!.values, readings[index]!.values];
        const km = haversineKm(before.latitude!, before.longitude!, after.latitude!, after.longitude!);
        // 20 s at no more than 35 m/s; a road's turns make the way longer than the line, never shorter.
        if (km > 0.7) throw new Error(`${km} km in 20 s at reading ${index}`);
        if (after.ignition === 0 && after.speed !== 0) throw new Error(`drives without the engine at reading ${index}`);
        if (before.ignition === 0 && after.ignition === 0 && km > 0)
          throw new Error(`moves parked at reading ${index}`);
      }
    }
  });

  it('use fuel on the way and are filled up between shifts', () => {
    for (const readings of vehicles) {
      const levels = readings.map(({ values }) => values.fuel_level!);
      const rises = levels.filter((level, index) => index > 0 && level > levels[index - 1]!);
      expect(rises.length).toBeGreaterThan(0);
      expect(rises.every((level) => level >= 90)).toBe(true);
      expect(Math.min(...levels)).toBeGreaterThan(5);
    }
  });

  it('are driven calmly and harshly', () => {
    const perShift = vehicles.flatMap((readings) =>
      Array.from(
        { length: 6 },
        (_, shift) => readings.slice(shift * 720, (shift + 1) * 720).filter(({ fault }) => fault).length,
      ),
    );
    expect(perShift.filter((events) => events === 0).length).toBeGreaterThan(5);
    expect(perShift.filter((events) => events > 20).length).toBeGreaterThan(5);
  });
});
