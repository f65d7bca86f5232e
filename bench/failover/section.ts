/**
 * How long the shards of a worker that goes away stand still, with processes over sockets: the local Kinesis and DynamoDB, and workers
 * built as for a container.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build, stop, type BuildOptions } from 'esbuild';
import type { SchedulerConfigInput } from '../../consumer/kcl';
import { startLocalServices, type LocalServices } from '../../test/kcl/support/local-services';
import { median } from '../measure';
import type { Section, SectionOptions } from '../section';
import { Fleet, type Worker } from './fleet';
import { Publisher } from './publisher';

const WORKERS = 3;
const SHARDS = 6;
const CHECKPOINT_INTERVAL_MILLIS = 5_000;

type Version = NonNullable<SchedulerConfigInput['clientVersionConfig']>;

interface Scenario {
  readonly version: Version;
  readonly signal: 'SIGKILL' | 'SIGTERM';
  /** In a fleet with a leader: whether it is the leader that goes. */
  readonly ofLeader: boolean;
}

const scenario = (version: Version, signal: Scenario['signal'], ofLeader = false): Scenario => ({
  version,
  signal,
  ofLeader,
});

const SCENARIOS: readonly Scenario[] = [
  scenario('CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X', 'SIGKILL'),
  scenario('CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X', 'SIGTERM'),
  scenario('CLIENT_VERSION_CONFIG_3X', 'SIGKILL'),
  scenario('CLIENT_VERSION_CONFIG_3X', 'SIGTERM'),
  scenario('CLIENT_VERSION_CONFIG_3X', 'SIGKILL', true),
  scenario('CLIENT_VERSION_CONFIG_3X', 'SIGTERM', true),
];

interface Measured extends Scenario {
  readonly failoverTimeMillis: number;
  readonly rounds: number;
  /** From the signal to the first batch, by another worker, of the last of the worker's shards to go on. */
  readonly medianMillis: number;
  readonly maxMillis: number;
  /** Records that another worker processed again. After SIGKILL those since the last checkpoint. */
  readonly repeated: number;
  /** Records that nobody processed. */
  readonly lost: number;
}

interface Round {
  readonly worker: Worker;
  /** Those it had when it got its signal. */
  readonly shards: readonly string[];
  /** Epoch milliseconds. */
  readonly signalledAt: number;
  /** Until the last of the worker's shards went on. */
  readonly millis: number;
}

const OPTIONS: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  mainFields: ['module', 'main'],
};

async function bundleWorker(directory: string): Promise<string> {
  const root = path.join(__dirname, '../..');
  const entryPoints = {
    worker: path.join(root, 'bench/failover/worker.ts'),
    'renewer-thread': path.join(root, 'consumer/kcl/workers/renewer-thread.ts'),
  };
  await build({ ...OPTIONS, absWorkingDir: root, entryPoints, outdir: directory, logLevel: 'warning' });
  await stop();
  return path.join(directory, 'worker.js');
}

/**
 * Records that `worker` had processed when it got its signal, and another processed afterwards. Where each takes its share those who
 * have less steal without a handoff: what is repeated of a shard that it had lost before is not the signal's doing.
 */
function repeatedAfter(fleet: Fleet, { worker, shards, signalledAt }: Round): number {
  let repeated = 0;
  for (const processings of fleet.processed.values()) {
    const isMine = processings.some(({ workerId, shardId }) => workerId === worker.id && shards.includes(shardId));
    if (isMine && processings.some(({ workerId, at }) => workerId !== worker.id && at >= signalledAt)) repeated++;
  }
  return repeated;
}

async function measureRound(fleet: Fleet, { signal, ofLeader, version }: Scenario): Promise<Round> {
  const hasLeader = version === 'CLIENT_VERSION_CONFIG_3X';
  const isChosen = (worker: Worker): boolean => !hasLeader || worker.isLeader === ofLeader;
  await fleet.until('every worker read some of the shards', () => {
    const all = fleet.workers.length === WORKERS && fleet.last.size === SHARDS;
    const held = fleet.workers.reduce((sum, { heldLeases }) => sum + heldLeases, 0);
    const isShare = (leases: number): boolean => (hasLeader ? leases > 0 : leases === SHARDS / WORKERS);
    const isAtWork = ({ id, heldLeases }: Worker): boolean =>
      isShare(heldLeases) && fleet.shardsOf(id).length === heldLeases;
    const led = !hasLeader || fleet.workers.some(({ isLeader }) => isLeader);
    return all && held === SHARDS && fleet.workers.every(isAtWork) && led && fleet.workers.some(isChosen);
  });
  const worker = fleet.workers.find(isChosen) as Worker;
  const shards = fleet.shardsOf(worker.id);
  const signalledAt = Date.now();
  worker.process.kill(signal);
  await fleet.until(`the shards of a worker that got ${signal} went on`, () =>
    shards.every((shardId) => fleet.last.get(shardId)?.workerId !== worker.id),
  );
  const wentOnAt = Math.max(...shards.map((shardId) => fleet.last.get(shardId)?.at ?? Infinity));
  const code = await worker.exited;
  if (signal === 'SIGTERM' && code !== 0) throw new Error(`A worker ended with ${code} after SIGTERM.`);
  fleet.start();
  return { worker, shards, signalledAt, millis: wentOnAt - signalledAt };
}

async function measure(
  services: LocalServices,
  program: string,
  scenarioRun: Scenario,
  { failovers, failoverTimeMillis, signal }: SectionOptions,
): Promise<Measured> {
  const { version, ofLeader } = scenarioRun;
  const name = `${version === 'CLIENT_VERSION_CONFIG_3X' ? '3x' : '2x'}-${scenarioRun.signal}-${ofLeader ? 'leader' : 'any'}`;
  await services.createStream(name, SHARDS);
  await services.createLeaseTable(name);
  const fleet = new Fleet(
    program,
    services.environment,
    {
      applicationName: name,
      streamName: name,
      initialPosition: { type: 'TRIM_HORIZON' },
      clientVersionConfig: version,
      failoverTimeMillis,
      checkpointIntervalMillis: CHECKPOINT_INTERVAL_MILLIS,
    },
    signal,
  );
  const publisher = new Publisher(services.kinesis, name, SHARDS);
  try {
    for (let i = 0; i < WORKERS; i++) fleet.start();
    const rounds: Round[] = [];
    while (rounds.length < failovers) rounds.push(await measureRound(fleet, scenarioRun));
    const millis = rounds.map((round) => round.millis);
    await publisher.stop();
    const isLost = (sequenceNumber: string): boolean => !fleet.processed.has(sequenceNumber);
    await fleet
      .until('every record was processed', () => !publisher.published.some(isLost))
      .catch((error: unknown) => {
        if (signal.aborted) throw error;
      });
    return {
      ...scenarioRun,
      failoverTimeMillis,
      rounds: failovers,
      medianMillis: median(millis),
      maxMillis: Math.max(...millis),
      repeated: rounds.reduce((sum, round) => sum + repeatedAfter(fleet, round), 0),
      lost: publisher.published.filter(isLost).length,
    };
  } finally {
    await publisher.stop();
    fleet.kill();
  }
}

function line({ version, signal, ofLeader, ...result }: Measured): string {
  const who = `${signal === 'SIGKILL' ? 'kill -9' : 'SIGTERM'}${ofLeader ? ' of the leader' : ''}`;
  const seconds = (millis: number): string => `${(millis / 1_000).toFixed(2)} s`.padStart(8);
  return `  ${version.replace('CLIENT_VERSION_CONFIG_', '').padEnd(18)} ${who.padEnd(22)} ${seconds(result.medianMillis)} ${seconds(result.maxMillis)} ${String(result.rounds).padStart(7)} ${String(result.repeated).padStart(9)} ${String(result.lost).padStart(5)}`;
}

export const failoverSection: Section = {
  name: 'failover',
  run: async (options) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'bench-failover-'));
    const services = await startLocalServices();
    try {
      const program = await bundleWorker(directory);
      const results: Measured[] = [];
      const { failoverSignal } = options;
      for (const one of SCENARIOS.filter(({ signal }) => (failoverSignal ?? signal) === signal)) {
        const who = `${one.signal}${one.ofLeader ? ' of the leader' : ''}, ${one.version}`;
        options.progress(`${options.failovers} rounds of ${who}`);
        results.push(await measure(services, program, one, options));
      }
      return {
        title: `Failover: ${WORKERS} processes, ${SHARDS} shards, failover time ${options.failoverTimeMillis / 1_000} s; from the signal to the next record of every shard`,
        lines: [
          `  ${''.padEnd(41)} ${'median'.padStart(8)} ${'max'.padStart(8)}  rounds  repeated  lost`,
          ...results.map(line),
          `  A checkpoint every ${CHECKPOINT_INTERVAL_MILLIS / 1_000} s: what was processed since is repeated after kill -9, by design.`,
        ],
        results,
      };
    } finally {
      await services.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
