/** A lease's throughput as KCL writes it with each renewal: a moving average over the times between renewals. */

/** Of KCL's LeaseStatsRecorder. */
const ALPHA = 0.5;
const BYTES_PER_KB = 1_024;

export class ThroughputMeter {
  private bytes = 0;
  private average: number | undefined;

  /** @param at monotonic milliseconds */
  constructor(private at: number) {}

  /**
   * @param bytes processed since the beginning
   * @returns KB per second; undefined while nothing was ever processed, so that a lease which has yet to begin counts as an average one
   */
  measure(bytes: number, now: number): number | undefined {
    const seconds = (now - this.at) / 1_000;
    if (seconds <= 0) return this.average;
    this.at = now;
    if (bytes === 0) return undefined;
    const current = (bytes - this.bytes) / BYTES_PER_KB / seconds;
    this.average = this.average === undefined ? current : ALPHA * current + (1 - ALPHA) * this.average;
    this.bytes = bytes;
    return this.average;
  }
}
