/** CPU time of things that do the same work, in turns. */
import { createHash } from 'node:crypto';

export interface Contender {
  readonly name: string;
  /** Does the work once. @returns the payload of every record it handled */
  run(): Promise<readonly Uint8Array[]>;
}

export interface Result {
  readonly name: string;
  /** Median over the rounds. */
  readonly recordsPerCpuSecond: number;
  /** By the first contender's. */
  readonly ratio: number;
  /** Largest by smallest round. */
  readonly spread: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

async function round(contender: Contender, calls: number): Promise<number> {
  const start = process.cpuUsage();
  let records = 0;
  for (let call = 0; call < calls; call++) records += (await contender.run()).length;
  const { user, system } = process.cpuUsage(start);
  return (records * 1e6) / (user + system);
}

/** @throws Error naming the contender whose payloads are not those of the first one, byte for byte */
async function checkPayloads(contenders: readonly Contender[]): Promise<void> {
  let expected: string | undefined;
  for (const { name, run } of contenders) {
    const payloads = await run();
    const digest = createHash('sha256');
    for (const data of payloads) digest.update(String(data.length)).update(data);
    const found = digest.digest('hex');
    expected ??= found;
    if (payloads.length === 0 || found !== expected) throw new Error(`${name} did not read the same payloads.`);
  }
}

/**
 * One warm-up of two rounds each, then `rounds` rounds in which every contender has its turn, so that a slow moment of the
 * machine hits all of them.
 * @param calls runs in a round
 * @throws Error when the contenders do not read the same payloads
 */
export async function compare(contenders: readonly Contender[], rounds: number, calls: number): Promise<Result[]> {
  await checkPayloads(contenders);
  const speeds = contenders.map((): number[] => []);
  for (const contender of contenders) await round(contender, 2 * calls);
  for (let i = 0; i < rounds; i++) {
    for (const [index, contender] of contenders.entries()) speeds[index]?.push(await round(contender, calls));
  }
  const base = median(speeds[0] as number[]);
  return contenders.map(({ name }, index) => {
    const all = speeds[index] as number[];
    const recordsPerCpuSecond = median(all);
    return {
      name,
      recordsPerCpuSecond,
      ratio: recordsPerCpuSecond / base,
      spread: Math.max(...all) / Math.min(...all),
    };
  });
}

/** Each line beside the first one. */
export function resultLines(results: readonly Result[]): string[] {
  return results.map(({ name, recordsPerCpuSecond, ratio, spread }) => {
    const thousands = (recordsPerCpuSecond / 1_000).toFixed(0).padStart(7);
    return `  ${name.padEnd(52)} ${thousands} k records per CPU-second ${ratio.toFixed(2).padStart(6)}x  (rounds differ by ${spread.toFixed(2)}x)`;
  });
}

/** How to read the lines. */
export const READING = [
  '  Medians of interleaved rounds, CPU time of this process. On a shared machine the figures of one row may differ by a third',
  '  from run to run and the ratios by a tenth; where "rounds differ by" exceeds 2x, run again.',
];
