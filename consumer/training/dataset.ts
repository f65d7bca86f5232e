/**
 * Rows into a dataset, as pure functions: which windows are rows, what their labels are, and which split they go to.
 * A label never looks at anything before its window's end; a row whose label cannot be known yet is censored.
 */
import { createHash } from 'node:crypto';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import type { Label, UseCase } from '../../use-cases/define-use-case';

/** Feature rows of all devices, sorted by device and window start. */
export interface FeatureTable {
  readonly device: readonly string[];
  /** Epoch milliseconds. */
  readonly windowStart: Float64Array;
  readonly windowEnd: Float64Array;
  /** Feature name → values, NaN where missing. */
  readonly features: ReadonlyMap<string, Float64Array>;
}

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Shares of validation and of test, in rows or in devices. */
const HELD_OUT_SHARE = 0.15;

/** What became of each row of the table. */
export interface Dataset {
  /** Row numbers of each split, ascending. */
  readonly splits: Readonly<Record<Split, Int32Array>>;
  /** By row number; NaN where the row has none. */
  readonly labels: Float64Array;
  /** Rows that `where` leaves out. */
  readonly excluded: number;
  /** Rows whose label lies beyond what was observed. */
  readonly censored: number;
  /** Rows whose label reaches into the next split. */
  readonly embargoed: number;
}

/**
 * Rows sorted by device, then window start.
 * @throws Error where a device has one window twice: then files of two generations were mixed.
 */
export function sortRows(table: FeatureTable): FeatureTable {
  const { device, windowStart } = table;
  const order = Int32Array.from(windowStart.keys()).sort((a, b) => {
    if (device[a] !== device[b]) return device[a]! < device[b]! ? -1 : 1;
    return windowStart[a]! - windowStart[b]!;
  });
  const pick = (values: Float64Array): Float64Array => Float64Array.from(order, (row) => values[row]!);
  const sorted = {
    device: Array.from(order, (row) => device[row]!),
    windowStart: pick(windowStart),
    windowEnd: pick(table.windowEnd),
    features: new Map([...table.features].map(([name, values]) => [name, pick(values)])),
  };
  for (let row = 1; row < order.length; row++) {
    if (sorted.device[row] === sorted.device[row - 1] && sorted.windowStart[row] === sorted.windowStart[row - 1]) {
      const start = new Date(sorted.windowStart[row]!).toISOString();
      throw new Error(
        `device ${sorted.device[row]} has the window of ${start} twice: list one generation of each partition`,
      );
    }
  }
  return sorted;
}

/** How far a label reaches past its window's end, milliseconds. */
function labelReach(useCase: UseCase): number {
  const { label } = useCase.training;
  return label.kind === 'event-within' ? label.horizonMs : useCase.windows.sizeMs;
}

/** A row that lacks the value itself has no label either: the persistence baseline could say nothing about it. */
function nextWindowLabels(table: FeatureTable, feature: string): Float64Array {
  const values = table.features.get(feature)!;
  return Float64Array.from(values, (value, row) => {
    const next = row + 1;
    const adjacent = table.device[next] === table.device[row] && table.windowStart[next] === table.windowEnd[row];
    return adjacent && !Number.isNaN(value) ? values[next]! : NaN;
  });
}

/**
 * 1 where an event was seen in time, 0 where the device was seen to the horizon's end without one, else NaN. A horizon
 * that touches an hour which the dataset does not hold is unknown either way: keeping only its positives would make
 * events look likelier than they are.
 */
function eventLabels(
  table: FeatureTable,
  label: Extract<Label, { kind: 'event-within' }>,
  hours: ReadonlySet<number>,
): Float64Array {
  const { device, windowStart, windowEnd } = table;
  const values = table.features.get(label.feature)!;
  const labels = new Float64Array(device.length).fill(NaN);
  let nextEvent = Infinity;
  let observedEnd = -Infinity;
  for (let row = device.length - 1; row >= 0; row--) {
    if (device[row] !== device[row + 1]) {
      nextEvent = Infinity;
      observedEnd = windowEnd[row]!;
    }
    const horizonEnd = windowEnd[row]! + label.horizonMs;
    if (isCovered(windowEnd[row]!, horizonEnd, hours)) {
      if (nextEvent < horizonEnd) labels[row] = 1;
      else if (observedEnd >= horizonEnd) labels[row] = 0;
    }
    if (values[row]! >= label.threshold) nextEvent = windowStart[row]!;
  }
  return labels;
}

function isCovered(from: number, to: number, hours: ReadonlySet<number>): boolean {
  for (let hour = Math.floor(from / HOUR_MS) * HOUR_MS; hour < to; hour += HOUR_MS) if (!hours.has(hour)) return false;
  return true;
}

function splitByTime(
  useCase: UseCase,
  table: FeatureTable,
  rows: Int32Array,
): { splits: Record<Split, Int32Array>; embargoed: number } {
  const { windowStart, windowEnd } = table;
  const starts = Float64Array.from(rows, (row) => windowStart[row]!).sort();
  const validationStart = starts[Math.floor(starts.length * (1 - 2 * HELD_OUT_SHARE))]!;
  const testStart = starts[Math.floor(starts.length * (1 - HELD_OUT_SHARE))]!;
  const reach = labelReach(useCase);
  const endsBefore = (row: number, boundary: number): boolean => windowEnd[row]! + reach <= boundary;
  const splits = {
    train: rows.filter((row) => endsBefore(row, validationStart)),
    validation: rows.filter((row) => windowStart[row]! >= validationStart && endsBefore(row, testStart)),
    test: rows.filter((row) => windowStart[row]! >= testStart),
  };
  return { splits, embargoed: rows.length - splits.train.length - splits.validation.length - splits.test.length };
}

/** Whole devices, in the order of their names' hashes, so that neither names nor dates decide who is tested. */
function splitByDevice(table: FeatureTable, rows: Int32Array): Record<Split, Int32Array> {
  const devices = [...new Set(Array.from(rows, (row) => table.device[row]!))]
    .map((name) => ({ name, hash: createHash('sha256').update(name).digest('hex') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ name }) => name);
  if (devices.length < 3) {
    throw new Error(`a split by device needs 3 devices with labelled rows, one a split; there are ${devices.length}`);
  }
  const heldOut = Math.ceil(devices.length * HELD_OUT_SHARE);
  const test = new Set(devices.slice(0, heldOut));
  const validation = new Set(devices.slice(heldOut, 2 * heldOut));
  const belongs = (split: Split) => (row: number) => {
    const device = table.device[row]!;
    return split === (test.has(device) ? 'test' : validation.has(device) ? 'validation' : 'train');
  };
  return {
    train: rows.filter(belongs('train')),
    validation: rows.filter(belongs('validation')),
    test: rows.filter(belongs('test')),
  };
}

/**
 * Labels the rows and splits them.
 * @param table Sorted, as {@link sortRows} gives it.
 * @param hours Starts of the event hours that the dataset holds, epoch milliseconds.
 * @throws Error where a split would be empty or, for a binary label, hold one class only.
 */
export function buildDataset(useCase: UseCase, table: FeatureTable, hours: ReadonlySet<number>): Dataset {
  const { label, where, split } = useCase.training;
  const labels =
    label.kind === 'event-within' ? eventLabels(table, label, hours) : nextWindowLabels(table, label.feature);
  const eligible = where && table.features.get(where.feature)!.map((value) => (value >= where.atLeast ? 1 : 0));
  const all = Int32Array.from(labels.keys());
  const chosen = eligible === undefined ? all : all.filter((row) => eligible[row] === 1);
  const labelled = chosen.filter((row) => !Number.isNaN(labels[row]!));
  if (labelled.length === 0) {
    throw new Error(
      `none of ${chosen.length} rows has a label: it takes windows of ${useCase.windows.sizeMs} ms that follow each other ` +
        `for ${labelReach(useCase)} ms; do devices publish often enough, and does the dataset hold enough hours?`,
    );
  }
  const { splits, embargoed } =
    split === 'time' ? splitByTime(useCase, table, labelled) : { splits: splitByDevice(table, labelled), embargoed: 0 };
  for (const name of SPLITS) checkSplit(name, splits[name], labels, label.kind === 'event-within');
  return {
    splits,
    labels,
    excluded: all.length - chosen.length,
    censored: chosen.length - labelled.length,
    embargoed,
  };
}

function checkSplit(name: Split, rows: Int32Array, labels: Float64Array, binary: boolean): void {
  if (rows.length === 0) throw new Error(`split ${name} is empty: the dataset needs more hours or devices`);
  if (!binary) return;
  const positives = rows.reduce((sum, row) => sum + labels[row]!, 0);
  if (positives === 0 || positives === rows.length) {
    const only = positives === 0 ? 'no event' : 'events only';
    throw new Error(`split ${name} has ${only} in ${rows.length} rows, so nothing can be ranked: add hours or devices`);
  }
}
