/** A part of `npm run bench:kcl` that can be asked for by its name. */

export interface SectionOptions {
  /** Of the CPU measurements. */
  readonly rounds: number;
  /** Of the lease assignment's simulation. */
  readonly shards: number;
  readonly workers: number;
  /** Failovers of each kind that are measured, and their failover time in milliseconds. */
  readonly failovers: number;
  /** Only these; undefined: both. */
  readonly failoverSignal: 'SIGKILL' | 'SIGTERM' | undefined;
  readonly failoverTimeMillis: number;
  readonly signal: AbortSignal;
  /** A line on stderr. */
  readonly progress: (line: string) => void;
}

export interface SectionResult {
  readonly title: string;
  /** For people. */
  readonly lines: readonly string[];
  /** For `--json`. */
  readonly results: readonly object[];
}

export interface Section {
  readonly name: string;
  run(options: SectionOptions): Promise<SectionResult>;
}
