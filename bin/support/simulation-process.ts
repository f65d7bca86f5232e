/** Runs `devices simulate` as a process of its own: the devices of the local run. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import { useCases } from '../../use-cases';
import type { SimulationProgress } from './simulation';

/** The local run's own devices; `npm run devices` names others, so that both can publish at once. */
const LOCAL_RUN_FLEET = 'sim';

export interface SimulationProcess {
  /** By use case. */
  readonly progress: ReadonlyMap<string, SimulationProgress>;
  /** Share of the backlog that is published, by event time and the use case that is furthest behind: 0 to 1. */
  readonly publishedShare: number;
  /** Readings acknowledged by the broker since the start of this run. */
  readonly readings: number;
  /** When the whole backlog was acknowledged, epoch milliseconds. */
  readonly publishedAt: number | undefined;
  /** Why the process ended, where it should not have. */
  readonly failure: string | undefined;
  stop(): Promise<void>;
}

export function startSimulation(options: {
  stateDirectory: string;
  backlogHours: number;
  seed: number;
  live: boolean;
}): SimulationProcess {
  const args = [
    '--import',
    'tsx',
    path.join(__dirname, '..', 'devices.ts'),
    'simulate',
    '--fleet',
    LOCAL_RUN_FLEET,
    '--json',
    '--state',
    options.stateDirectory,
    '--backlog-hours',
    String(options.backlogHours),
    '--seed',
    String(options.seed),
    ...(options.live ? ['--live'] : []),
  ];
  // A group of its own: a terminal's Ctrl-C reaches it through this process, which stops the parts in order.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const progress = new Map<string, SimulationProgress>();
  const past = new Set<string>();
  let publishedAt: number | undefined;
  let failure: string | undefined;
  let errors = '';
  let stopping = false;

  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2_000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const report = JSON.parse(line) as SimulationProgress;
    progress.set(report.useCase, report);
    if (report.phase !== 'backlog') past.add(report.useCase);
  });
  const ended = new Promise<void>((resolve) => {
    child.on('exit', (code) => {
      if (code !== 0 && !stopping) failure = errors.trim() || `exit code ${code}`;
      resolve();
    });
  });

  return {
    progress,
    get readings() {
      let sum = 0;
      for (const each of progress.values()) sum += each.readings;
      return sum;
    },
    get publishedShare() {
      if (progress.size < useCases.length) return 0;
      const behind = Math.max(...[...progress.values()].map(({ until, eventTime }) => until - eventTime));
      return Math.min(1, 1 - behind / (options.backlogHours * HOUR_MS));
    },
    get publishedAt() {
      if (publishedAt === undefined && progress.size > 0 && past.size === progress.size && failure === undefined)
        publishedAt = Date.now();
      return publishedAt;
    },
    get failure() {
      return failure;
    },
    stop: async () => {
      stopping = true;
      if (child.exitCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
