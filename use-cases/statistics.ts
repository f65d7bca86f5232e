/** Statistics of a column of readings. All skip NaN and give NaN where nothing is left to compute from. */

const isMissing = Number.isNaN;

/** How many values are present. */
export function count(values: Float64Array): number {
  let present = 0;
  for (const value of values) if (!isMissing(value)) present += 1;
  return present;
}

export function mean(values: Float64Array): number {
  let sum = 0;
  let present = 0;
  for (const value of values) {
    if (isMissing(value)) continue;
    sum += value;
    present += 1;
  }
  return present > 0 ? sum / present : NaN;
}

/**
 * Standard deviation of the values as a population. Sums are taken of the differences to the first value, which keeps
 * their digits where the mean is large beside the spread (Chan, Golub, LeVeque: shifted data).
 */
export function std(values: Float64Array): number {
  let shift = NaN;
  let sum = 0;
  let squares = 0;
  let present = 0;
  for (const value of values) {
    if (isMissing(value)) continue;
    if (present === 0) shift = value;
    const difference = value - shift;
    sum += difference;
    squares += difference * difference;
    present += 1;
  }
  return present > 0 ? Math.sqrt(Math.max(0, squares - (sum * sum) / present) / present) : NaN;
}

export function minimum(values: Float64Array): number {
  let least = NaN;
  for (const value of values) if (!(value >= least)) least = isMissing(value) ? least : value;
  return least;
}

export function maximum(values: Float64Array): number {
  let greatest = NaN;
  for (const value of values) if (!(value <= greatest)) greatest = isMissing(value) ? greatest : value;
  return greatest;
}

export function range(values: Float64Array): number {
  return maximum(values) - minimum(values);
}

export function first(values: Float64Array): number {
  for (const value of values) if (!isMissing(value)) return value;
  return NaN;
}

export function last(values: Float64Array): number {
  for (let index = values.length - 1; index >= 0; index--) {
    const value = values[index]!;
    if (!isMissing(value)) return value;
  }
  return NaN;
}

/** Root of the mean square. */
export function rms(values: Float64Array): number {
  let squares = 0;
  let present = 0;
  for (const value of values) {
    if (isMissing(value)) continue;
    squares += value * value;
    present += 1;
  }
  return present > 0 ? Math.sqrt(squares / present) : NaN;
}

/** Share (0–1) of the present values that meet the condition. */
export function share(values: Float64Array, condition: (value: number) => boolean): number {
  let met = 0;
  let present = 0;
  for (const value of values) {
    if (isMissing(value)) continue;
    present += 1;
    if (condition(value)) met += 1;
  }
  return present > 0 ? met / present : NaN;
}

/** Slope of the least-squares line through the values, per hour; NaN with fewer than two distinct times. */
export function slopePerHour(times: Float64Array, values: Float64Array): number {
  let present = 0;
  let timeShift = NaN;
  let valueShift = NaN;
  let sumTime = 0;
  let sumValue = 0;
  let sumTimeTime = 0;
  let sumTimeValue = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (isMissing(value)) continue;
    if (present === 0) {
      timeShift = times[index]!;
      valueShift = value;
    }
    const time = (times[index]! - timeShift) / 3_600_000;
    const difference = value - valueShift;
    present += 1;
    sumTime += time;
    sumValue += difference;
    sumTimeTime += time * time;
    sumTimeValue += time * difference;
  }
  const spread = present * sumTimeTime - sumTime * sumTime;
  return spread > 0 ? (present * sumTimeValue - sumTime * sumValue) / spread : NaN;
}

const EARTH_RADIUS_KM = 6371.0088;

/** Length of the way over the points, km, by the haversine formula; points with a missing coordinate are left out. */
export function distanceKm(latitudes: Float64Array, longitudes: Float64Array): number {
  let total = 0;
  let previous = -1;
  for (let index = 0; index < latitudes.length; index++) {
    if (isMissing(latitudes[index]!) || isMissing(longitudes[index]!)) continue;
    if (previous >= 0) {
      total += haversineKm(latitudes[previous]!, longitudes[previous]!, latitudes[index]!, longitudes[index]!);
    }
    previous = index;
  }
  return previous >= 0 ? total : NaN;
}

/** Great-circle distance of two points in degrees, km. */
export function haversineKm(latitude1: number, longitude1: number, latitude2: number, longitude2: number): number {
  const radians = Math.PI / 180;
  const sinLatitude = Math.sin(((latitude2 - latitude1) * radians) / 2);
  const sinLongitude = Math.sin(((longitude2 - longitude1) * radians) / 2);
  const square =
    sinLatitude * sinLatitude +
    Math.cos(latitude1 * radians) * Math.cos(latitude2 * radians) * sinLongitude * sinLongitude;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(square)));
}

/** To `digits` decimal places, as a device reports it. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
