/** What `npm start` shows and prints: pure functions of the status and the simulation. */
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import { useCases } from '../../use-cases';
import type { MessageCounts } from './local-session';
import type { StatusSnapshot, UseCaseStatus } from './pipeline-status';
import type { SimulationProcess } from './simulation-process';
import { count, table } from './terminal';

/** The object that --json prints. */
export interface RunSummary {
  readonly ok: boolean;
  readonly seconds: number;
  /** The stream's shard counts in the order of the run, `[2, 4, 3]` for a first one. */
  readonly shards: readonly number[];
  /** Folder of the lake bucket's objects. */
  readonly files: string;
  readonly useCases: readonly UseCaseSummary[];
}

export interface UseCaseSummary {
  readonly name: string;
  /** `readingsFolded + duplicates + quarantined`, and `readingsOpen` where an hour is still open. */
  readonly readingsIn: number;
  readonly readingsFolded: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Committed, but in an hour that is not over yet. */
  readonly readingsOpen: number;
  readonly sealedPartitions: number;
  readonly execution?: { readonly arn: string; readonly status: string; readonly failureReason?: string };
  readonly model?: {
    readonly packageArn: string;
    readonly metric: string;
    readonly value: number;
    readonly gate: string;
  };
}

const TERMINAL = new Set(['Succeeded', 'Failed', 'Stopped']);

/**
 * True when everything that was published in the backlog is read, committed, folded and sealed, and every use case has an
 * execution that ended. Hours that are not over stay open.
 */
export function isSettled(snapshot: StatusSnapshot, simulation: SimulationProcess, resharded: boolean): boolean {
  const { publishedAt } = simulation;
  if (!resharded || publishedAt === undefined || snapshot.committedUntil < publishedAt) return false;
  const openFrom = new Date(Math.floor(publishedAt / HOUR_MS) * HOUR_MS).toISOString().slice(0, 13);
  return snapshot.useCases.every(
    (each) =>
      each.sealedPartitions > 0 &&
      [...each.unfoldedHours].every((hour) => hour >= openFrom) &&
      each.execution !== undefined &&
      TERMINAL.has(each.execution.status),
  );
}

export function summarize(
  snapshot: StatusSnapshot,
  run: { seconds: number; shards: readonly number[]; files: string },
): RunSummary {
  const summaries = snapshot.useCases.map((each): UseCaseSummary => {
    const readingsOpen = each.registered - each.folded - each.duplicates;
    return {
      name: each.name,
      readingsIn: each.registered + each.quarantined,
      readingsFolded: each.folded,
      duplicates: each.duplicates,
      quarantined: each.quarantined,
      readingsOpen,
      sealedPartitions: each.sealedPartitions,
      execution: each.execution && {
        arn: each.execution.arn,
        status: each.execution.status,
        failureReason: each.execution.failureReason,
      },
      model: each.model,
    };
  });
  const ok = snapshot.useCases.every(
    (each) => each.execution?.status === 'Succeeded' || (each.execution?.status === 'Failed' && each.execution.refused),
  );
  return { ok, ...run, useCases: summaries };
}

export function summaryLines(summary: RunSummary): string[] {
  const header = ['use case', 'readings in', 'folded', 'duplicates', 'quarantined', 'partitions', 'execution', 'model'];
  const rows = summary.useCases.map((each) => [
    each.name,
    count(each.readingsIn),
    count(each.readingsFolded),
    count(each.duplicates),
    count(each.quarantined),
    count(each.sealedPartitions),
    each.execution?.status ?? '-',
    each.model ? `${each.model.metric} ${each.model.value.toPrecision(4)} (${each.model.gate})` : '-',
  ]);
  const reasons = summary.useCases
    .filter((each) => each.execution?.failureReason !== undefined)
    .map((each) => `${each.name}: ${each.execution?.failureReason}`);
  return [
    '',
    ...table([header, ...rows]),
    ...reasons,
    `Files: ${summary.files}`,
    `${summary.seconds} s; shards ${summary.shards.join(' → ')}`,
    '',
  ];
}

export function progressBlock(
  snapshot: StatusSnapshot,
  simulation: SimulationProcess,
  messages: MessageCounts,
  shards: readonly number[],
  seconds: number,
): string[] {
  const header = ['', 'published', 'committed', 'quarantined', 'sealed', 'open segments', 'training'];
  const rows = snapshot.useCases.map((each) => [
    each.name,
    count(simulation.progress.get(each.name)?.readings ?? 0),
    count(each.registered),
    count(each.quarantined),
    count(each.sealedPartitions),
    count(each.unfoldedSegments),
    training(each),
  ]);
  const stages = [
    `${count(messages.published)} published`,
    `${count(messages.routed)} routed`,
    `${count(messages.inStream)} in the stream`,
    `${count(messages.read)} read`,
  ].join(', ');
  const read = `${count(snapshot.openShards)} being read, ${count(snapshot.finishedShards)} read to their end`;
  return [
    `${seconds.toFixed(0)} s; shards: ${shards.join(' → ')}, ${read}`,
    `messages: ${stages}`,
    ...table([header, ...rows]),
  ];
}

export function progressLine(
  snapshot: StatusSnapshot,
  simulation: SimulationProcess,
  shards: readonly number[],
  seconds: number,
): string {
  const parts = snapshot.useCases.map(
    (each) =>
      `${each.name} ${simulation.progress.get(each.name)?.readings ?? 0}→${each.registered + each.quarantined}, sealed ${each.sealedPartitions}, ${training(each)}`,
  );
  return `${seconds.toFixed(0).padStart(4)} s  shards ${shards.join('→')} | ${parts.join(' | ')}`;
}

function training(status: UseCaseStatus): string {
  const { execution, model } = status;
  if (!execution) {
    const wanted = useCases.find((each) => each.name === status.name)?.training.trigger.newPartitions ?? 0;
    return wanted > 1 && status.sealedPartitions < wanted ? `waits for partitions` : 'waits';
  }
  if (model) return `${execution.status} ${model.metric} ${model.value.toPrecision(4)}`;
  return TERMINAL.has(execution.status) ? execution.status : (execution.step ?? execution.status);
}
