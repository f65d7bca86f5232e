/**
 * Windows as pure functions: the readings of one device in, feature rows out. Folding, backfill and scoring call the
 * same function, so a feature has one meaning.
 */
import type { Series, UseCase } from '../../use-cases/define-use-case';

export { featureColumns, type Column } from '../../use-cases/columns';

/** Feature rows of one device in ascending window start, column by column; all columns have `length` entries. */
export interface FeatureRows {
  readonly device: string;
  readonly length: number;
  /** Epoch milliseconds. */
  readonly windowStart: Float64Array;
  readonly windowEnd: Float64Array;
  /** Readings in the window, 1 or more. */
  readonly readings: Int32Array;
  /** In the order of the use case's features; NaN where a feature cannot be computed. */
  readonly features: readonly Float64Array[];
}

/** Readings as columns; a slice shares the memory of the series it was cut from. */
export class ColumnSeries implements Series {
  /**
   * @param times Event times in ascending order, epoch milliseconds; equal times are allowed.
   * @param columns One array per field of the schema, as long as `times`; NaN where missing.
   * @throws RangeError where a column's length differs or the times do not ascend.
   */
  static of(times: Float64Array, columns: Readonly<Record<string, Float64Array>>): ColumnSeries {
    for (const [name, values] of Object.entries(columns)) {
      if (values.length !== times.length) {
        throw new RangeError(
          `column ${name} has ${values.length} values, times has ${times.length}: they must be equal`,
        );
      }
    }
    for (let index = 1; index < times.length; index++) {
      if (!(times[index]! >= times[index - 1]!)) {
        throw new RangeError(
          `times must ascend: entry ${index} is smaller than the one before, sort by event time first`,
        );
      }
    }
    return new ColumnSeries(times, columns, 0, times.length);
  }

  readonly times: Float64Array;

  private constructor(
    private readonly allTimes: Float64Array,
    private readonly columns: Readonly<Record<string, Float64Array>>,
    private readonly from: number,
    private readonly to: number,
  ) {
    this.times = allTimes.subarray(from, to);
  }

  column(field: string): Float64Array {
    const values = this.columns[field];
    if (values === undefined) {
      throw new RangeError(`no field ${field}; the schema has ${Object.keys(this.columns).join(', ')}`);
    }
    return values.subarray(this.from, this.to);
  }

  /** Readings with an index in [from, to). */
  slice(from: number, to: number): ColumnSeries {
    return new ColumnSeries(this.allTimes, this.columns, this.from + from, this.from + to);
  }
}

/** Index of the first time that is not before `time`. */
function lowerBound(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The feature rows of one device for the windows that start in [hourStart, hourEnd). A window without readings has no
 * row. Windows are tumbling and aligned to the epoch.
 *
 * @param series The device's readings, sorted and de-duplicated: those of the hour and at least those of the lookback
 *   before it. What lies outside the windows' reach has no influence.
 * @throws RangeError where [hourStart, hourEnd) is not made of whole windows.
 */
export function computeFeatureRows(
  useCase: UseCase,
  device: string,
  series: ColumnSeries,
  hourStart: number,
  hourEnd: number,
): FeatureRows {
  const { sizeMs, lookbackMs } = useCase.windows;
  if (hourStart % sizeMs !== 0 || hourEnd % sizeMs !== 0 || hourEnd < hourStart) {
    throw new RangeError(`[${hourStart}, ${hourEnd}) is not made of whole windows of ${sizeMs} ms`);
  }
  const capacity = (hourEnd - hourStart) / sizeMs;
  const windowStart = new Float64Array(capacity);
  const windowEnd = new Float64Array(capacity);
  const readings = new Int32Array(capacity);
  const features = useCase.features.map(() => new Float64Array(capacity));

  const { times } = series;
  const stop = lowerBound(times, hourEnd);
  let first = lowerBound(times, hourStart);
  let row = 0;
  while (first < stop) {
    const start = Math.floor(times[first]! / sizeMs) * sizeMs;
    const end = start + sizeMs;
    const last = lowerBound(times, end);
    const window = {
      device,
      start,
      end,
      readings: series.slice(first, last),
      lookback: series.slice(lowerBound(times, end - lookbackMs), last),
    };
    windowStart[row] = start;
    windowEnd[row] = end;
    readings[row] = last - first;
    useCase.features.forEach((feature, index) => {
      const value = feature.compute(window);
      // XGBoost refuses infinities; a quotient by zero is a value that cannot be computed.
      features[index]![row] = Number.isFinite(value) ? value : NaN;
    });
    row += 1;
    first = last;
  }
  return {
    device,
    length: row,
    windowStart: windowStart.subarray(0, row),
    windowEnd: windowEnd.subarray(0, row),
    readings: readings.subarray(0, row),
    features: features.map((values) => values.subarray(0, row)),
  };
}
