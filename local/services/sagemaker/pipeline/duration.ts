const DURATION = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/i;
const UNITS = [365 * 86_400_000, 30 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000];

/** ISO 8601 duration → milliseconds; a year is 365 days, a month 30. NaN for any other text. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (!match || !match.slice(1).some((part) => part !== undefined)) return Number.NaN;
  return UNITS.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0);
}
