/** CPU time of things that do the same work, in turns. */

export interface Contender {
  readonly name: string;
  /** Does the work once. @returns how many records it handled */
  run(): Promise<number>;
}

export interface Result {
  readonly name: string;
  /** Median over the rounds. */
  readonly recordsPerCpuSecond: number;
  /** Largest by smallest round. */
  readonly spread: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

async function round(contender: Contender, calls: number): Promise<number> {
  const start = process.cpuUsage();
  let records = 0;
  for (let call = 0; call < calls; call++) records += await contender.run();
  const { user, system } = process.cpuUsage(start);
  return (records * 1e6) / (user + system);
}

/**
 * One warm-up of two rounds each, then `rounds` rounds in which every contender has its turn, so that a slow moment of the
 * machine hits all of them.
 * @param calls runs in a round
 */
export async function compare(contenders: readonly Contender[], rounds: number, calls: number): Promise<Result[]> {
  const speeds = contenders.map((): number[] => []);
  for (const contender of contenders) await round(contender, 2 * calls);
  for (let i = 0; i < rounds; i++) {
    for (const [index, contender] of contenders.entries()) speeds[index]?.push(await round(contender, calls));
  }
  return contenders.map(({ name }, index) => {
    const all = speeds[index] as number[];
    return { name, recordsPerCpuSecond: median(all), spread: Math.max(...all) / Math.min(...all) };
  });
}

/** Each line beside the first one. */
export function table(title: string, results: readonly Result[]): string {
  const base = results[0]?.recordsPerCpuSecond ?? NaN;
  const lines = results.map(({ name, recordsPerCpuSecond, spread }) => {
    const thousands = (recordsPerCpuSecond / 1_000).toFixed(0).padStart(7);
    const ratio = (recordsPerCpuSecond / base).toFixed(2).padStart(6);
    return `  ${name.padEnd(46)} ${thousands} k records per CPU-second ${ratio}x  (rounds differ by ${spread.toFixed(2)}x)`;
  });
  return [title, ...lines].join('\n');
}
