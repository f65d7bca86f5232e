/** One round: a fresh local run, devices that publish, faults meanwhile, and a judgement once all is at rest. */
import type { StatusSnapshot } from '../bin/support/pipeline-status';
import { partitionAt } from '../consumer/lake/registry-items';
import { HOUR_MS, partitionOf } from '../lib/contracts/lake-layout';
import { partitionHour } from '../lib/contracts/registry';
import { verify } from '../operations/verify';
import { Random } from '../simulation/random';
import { useCases } from '../use-cases';
import { Injector } from './injector';
import { compare, expectedOf } from './oracle';
import { planRound, WINDOW_MS, type ChaosFault } from './plan';
import { publishBacklog, type Sent } from './publisher';
import { Stage } from './stage';
import type { After } from './tcp-proxy';

export interface RoundOptions {
  readonly seed: number;
  readonly assembly: string;
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly after: After;
  readonly say: (text: string) => void;
}

export interface RoundResult {
  readonly seed: number;
  readonly faults: readonly ChaosFault[];
  /** Empty where everything is as it must be. */
  readonly problems: readonly string[];
  readonly published: number;
  readonly folded: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly partitions: number;
  readonly generations: number;
  readonly executions: number;
  /** Consumer tasks that ended, by exit code. */
  readonly exits: Readonly<Record<string, number>>;
  /** From the end of the faults to rest. */
  readonly restSeconds: number;
}

type Outcome = Omit<RoundResult, 'seed' | 'faults'>;

const NOTHING: Outcome = {
  problems: [],
  published: 0,
  folded: 0,
  duplicates: 0,
  quarantined: 0,
  partitions: 0,
  generations: 0,
  executions: 0,
  exits: {},
  restSeconds: 0,
};

/** Of each use case; a split by device needs three. */
const DEVICES = 3;
/** All must be at rest this long after the faults, milliseconds: pauses, expiries and restart delays included. */
const REST_LIMIT_MS = 240_000;
const LOOK_EVERY_MS = 1_000;
const TERMINAL = ['Succeeded', 'Failed', 'Stopped'];
/** Problems of one round that are named; a broken round can have thousands. */
const PROBLEMS_KEPT = 20;

/** Undefined = the signal ended it. A round that breaks off has its error as its problem. */
export async function runRound(options: RoundOptions): Promise<RoundResult | undefined> {
  const faults = planRound(options.seed);
  try {
    const outcome = await run(options, faults);
    return outcome && { seed: options.seed, faults, ...outcome };
  } catch (error) {
    if (options.signal.aborted) return undefined;
    const problem = `the round broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    return { seed: options.seed, faults, ...NOTHING, problems: [problem] };
  }
}

async function run(options: RoundOptions, faults: readonly ChaosFault[]): Promise<Outcome | undefined> {
  const { seed, sleep, monotonic, now, signal } = options;
  const stage = await Stage.open(options.assembly, options.stateDirectory, options.after);
  try {
    const sent: Sent[] = [];
    const until = Math.floor(now() / HOUR_MS) * HOUR_MS;
    const injector = new Injector({
      ...options,
      run: stage.run,
      proxies: stage.proxies,
      kinesis: stage.kinesis,
      streamName: stage.output('StreamName'),
      random: new Random(seed, 'answers').unit,
    });
    const fleets = await Promise.all(useCases.map((useCase) => stage.connectDevices(useCase, DEVICES)));
    const publishing = useCases.map((useCase, at) =>
      publishBacklog({
        useCase,
        devices: fleets[at]!,
        seed,
        until,
        spread: WINDOW_MS,
        sleep,
        monotonic,
        signal,
        acknowledged: (publish) => sent.push(publish),
      }),
    );
    await Promise.all([...publishing, injector.carryOut(faults)]);
    const publishedAt = now();
    const faultsEnded = monotonic();
    let snapshot = await stage.status.read();
    while (!isAtRest(snapshot, publishedAt)) {
      if (signal.aborted) break;
      if (monotonic() - faultsEnded > REST_LIMIT_MS) break;
      await sleep(LOOK_EVERY_MS);
      snapshot = await stage.status.read();
    }
    const restSeconds = Math.round((monotonic() - faultsEnded) / 1000);
    if (signal.aborted) return undefined;
    const exits = await stage.exitCodes();
    const judgement = await judge(stage, sent, snapshot, publishedAt);
    return { ...judgement, exits, restSeconds };
  } finally {
    await stage.close();
  }
}

/**
 * Everything published is committed, folded and sealed, and every use case's newest execution has ended. An hour that is
 * not over yet stays open: the last reading of a backlog can stand at its first instant.
 */
function isAtRest(snapshot: StatusSnapshot, publishedAt: number): boolean {
  const open = partitionHour(partitionOf('', publishedAt));
  return (
    snapshot.committedUntil >= publishedAt &&
    snapshot.useCases.every(
      ({ unfoldedHours, sealedPartitions, execution }) =>
        unfoldedHours.every((hour) => hour >= open) &&
        sealedPartitions > 0 &&
        execution !== undefined &&
        TERMINAL.includes(execution.status),
    )
  );
}

async function judge(
  stage: Stage,
  sent: readonly Sent[],
  snapshot: StatusSnapshot,
  publishedAt: number,
): Promise<Omit<Outcome, 'exits' | 'restSeconds'>> {
  const problems: string[] = [];
  if (!isAtRest(snapshot, publishedAt)) problems.push(`not at rest: ${JSON.stringify(snapshot)}`);
  const { partitions, shards, problems: whole } = await verify(stage.lake, { useCases, leases: [] }, () => undefined);
  problems.push(...whole);
  for (const { useCase, hour, problems: found } of partitions) {
    problems.push(...found.map((problem) => `${useCase} ${hour}: ${problem}`));
  }
  for (const { shardId, gaps, problems: found } of shards) {
    problems.push(...found.map((problem) => `${shardId}: ${problem}`));
    if (gaps > 0) problems.push(`${shardId}: a gap, and nothing was trimmed`);
  }
  let executions = 0;
  for (const useCase of useCases) {
    const { name } = useCase;
    const expected = expectedOf(
      useCase,
      sent.filter((each) => each.useCase === name),
    );
    const mine = partitions.filter((partition) => partition.useCase === name);
    const sealed = mine.filter(({ generation }) => generation > 0);
    const folded = mine.reduce((sum, partition) => sum + partition.folded, 0);
    const duplicates = mine.reduce((sum, partition) => sum + partition.duplicates, 0);
    const { quarantined } = snapshot.useCases.find((each) => each.name === name)!;
    const counts = { folded, duplicates, quarantined };
    const wanted = { folded: expected.distinct, duplicates: expected.duplicates, quarantined: expected.quarantined };
    if (JSON.stringify(counts) !== JSON.stringify(wanted)) {
      problems.push(`${name}: ${JSON.stringify(counts)}, the devices' own count is ${JSON.stringify(wanted)}`);
    }
    const places = sealed.map(({ hour, generation }) => ({ partition: partitionAt(name, hour), generation }));
    problems.push(...(await compare(stage.lake, expected, places)));
    const datasets = await stage.datasets(name);
    executions += datasets.length;
    if (datasets.length === 0) problems.push(`${name}: no execution`);
    if (new Set(datasets).size !== datasets.length) problems.push(`${name}: a dataset has more than one execution`);
  }
  const total = (of: (partition: (typeof partitions)[number]) => number): number =>
    partitions.reduce((sum, partition) => sum + of(partition), 0);
  return {
    problems: problems.slice(0, PROBLEMS_KEPT),
    published: sent.reduce((sum, { publish }) => sum + publish.readings, 0),
    folded: total(({ folded }) => folded),
    duplicates: total(({ duplicates }) => duplicates),
    quarantined: snapshot.useCases.reduce((sum, { quarantined }) => sum + quarantined, 0),
    partitions: partitions.length,
    generations: total(({ generation }) => generation),
    executions,
  };
}
