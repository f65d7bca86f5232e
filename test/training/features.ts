import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { ColumnSeries, computeFeatureRows, type FeatureRows } from '../../consumer/features/windows';
import { HOUR_MS, partitionOf, partKey } from '../../lib/contracts/lake-layout';
import { featureColumns } from '../../use-cases/columns';
import type { UseCase } from '../../use-cases/define-use-case';

/** Feature rows of all simulated devices, hour by hour. */
export function simulatedRows(useCase: UseCase, from: number, hours: number, seed = 1): FeatureRows[][] {
  const devices = Array.from({ length: useCase.simulator.devices }, (_, device) => {
    const readings = [...useCase.simulator.readings({ device, seed, from, to: from + hours * HOUR_MS })];
    const columns = Object.fromEntries(
      Object.keys(useCase.schema).map((field) => [
        field,
        Float64Array.from(readings, ({ values }) => values[field] ?? NaN),
      ]),
    );
    return {
      name: `device-${device}`,
      series: ColumnSeries.of(
        Float64Array.from(readings, ({ timestamp }) => timestamp),
        columns,
      ),
    };
  });
  return Array.from({ length: hours }, (_, hour) => {
    const start = from + hour * HOUR_MS;
    return devices.map(({ name, series }) => computeFeatureRows(useCase, name, series, start, start + HOUR_MS));
  });
}

/** Writes a partition's rows where the lake would; returns the file. */
export function writeFeatures(
  root: string,
  useCase: UseCase,
  hourStart: number,
  rows: readonly FeatureRows[],
  generation = 1,
): string {
  const joined = (pick: (part: FeatureRows) => ArrayLike<number>): number[] =>
    rows.flatMap((part) => Array.from(pick(part)));
  const values: Record<string, unknown[]> = {
    device: rows.flatMap((part) => new Array<string>(part.length).fill(part.device)),
    window_start: joined((part) => part.windowStart).map(BigInt),
    window_end: joined((part) => part.windowEnd).map(BigInt),
    readings: joined((part) => part.readings),
  };
  useCase.features.forEach(({ name }, index) => {
    values[name] = joined((part) => part.features[index]!).map((value) => (Number.isNaN(value) ? null : value));
  });
  const columnData = featureColumns(useCase).map(({ name, parquetType, nullable }) => ({
    name,
    type: parquetType,
    nullable,
    data: values[name]!,
  }));
  const file = path.join(root, partKey(partitionOf(useCase.name, hourStart), generation, 0));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, Buffer.from(parquetWriteBuffer({ columnData })));
  return file;
}
