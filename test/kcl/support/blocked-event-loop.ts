/** A worker in a process of its own that blocks its event loop, and a peer that waits for its lease, in real time over real sockets. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateStreamCommand, KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis';
import { adapters, Scheduler, type SchedulerConfigInput } from '../../../consumer/kcl';
import { DynamoDbLeaseRefresher } from '../../../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import type { Lease } from '../../../consumer/kcl/leases/lease';

const REPOSITORY = path.resolve(__dirname, '../../..');

export interface BlockedWorkerSettings {
  readonly config: SchedulerConfigInput;
  readonly renewerFile: string;
  /** Whether the blocked processor uses the CPU meanwhile. */
  readonly busy: boolean;
}

/** Bundles workers/renewer-thread.ts, as for the container. */
export function bundleRenewerThread(file: string): void {
  // By its command: esbuild's synchronous calls keep a child that outlives the test.
  const options = ['--bundle', '--platform=node', '--target=node20', '--format=cjs', '--log-level=error'];
  execFileSync(
    path.join(REPOSITORY, 'node_modules/.bin/esbuild'),
    ['consumer/kcl/workers/renewer-thread.ts', ...options, `--outfile=${file}`],
    { cwd: REPOSITORY },
  );
}

export class BlockedEventLoop {
  /** What the worker and its peer did. */
  readonly events: string[] = [];
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'kcl-blocked-'));
  private readonly children: ChildProcess[] = [];
  private readonly closing: (() => unknown)[] = [];
  private kinesis!: KinesisClient;
  private refresher!: DynamoDbLeaseRefresher;

  /** Durations in milliseconds; resolves once the blocked worker holds the stream's only shard and the peer is ready. */
  async start(failoverTimeMillis: number, consumerLivenessTimeoutMillis: number, busy: boolean): Promise<void> {
    const renewerFile = path.join(this.directory, 'renewer-thread.js');
    bundleRenewerThread(renewerFile);
    const services = this.spawn('services-process.ts', [], {});
    const [announced] = (await once(services.stdout!, 'data')) as [Buffer];
    const environment = JSON.parse(String(announced)) as Record<string, string>;
    const client = {
      endpoint: environment['AWS_ENDPOINT_URL']!,
      region: environment['AWS_REGION']!,
      credentials: {
        accessKeyId: environment['AWS_ACCESS_KEY_ID']!,
        secretAccessKey: environment['AWS_SECRET_ACCESS_KEY']!,
      },
    };
    this.kinesis = new KinesisClient(client);
    const dynamoClient = new DynamoDBClient(client);
    this.closing.push(
      () => this.kinesis.destroy(),
      () => dynamoClient.destroy(),
    );
    await this.kinesis.send(new CreateStreamCommand({ StreamName: 'stream', ShardCount: 1 }));
    const dynamodb = adapters.dynamoFromSdk(dynamoClient);
    const system = { ...adapters.systemDependencies(), log: () => undefined };
    this.refresher = new DynamoDbLeaseRefresher({ ...system, dynamodb, tableName: 'app', requestTimeout: 10_000 });
    const config = {
      applicationName: 'app',
      streamName: 'stream',
      workerId: 'blocked',
      initialPosition: { type: 'TRIM_HORIZON' },
      failoverTimeMillis,
      consumerLivenessTimeoutMillis,
      idleTimeBetweenReadsMillis: 200,
    } satisfies SchedulerConfigInput;
    const settings: BlockedWorkerSettings = { config, renewerFile, busy };
    const worker = this.spawn('blocked-worker.ts', [JSON.stringify(settings)], environment);
    createInterface({ input: worker.stdout! }).on('line', (line) => {
      const { event, error } = JSON.parse(line) as { event: string; error?: string };
      this.events.push(`blocked ${event}${error === undefined ? '' : ` ${error}`}`);
    });
    await this.until('blocked initialized');
    const peer = new Scheduler({
      config: { ...config, workerId: 'peer' },
      dependencies: { ...system, dynamodb, kinesis: adapters.kinesisFromSdk(this.kinesis) },
      processorFactory: () => ({
        initialize: async () => void this.events.push('peer initialized'),
        processRecords: async ({ checkpointer }) => {
          await checkpointer.checkpoint();
          this.events.push('peer checkpointed');
        },
        leaseLost: async () => void this.events.push('peer leaseLost'),
        shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
        shutdownRequested: async () => undefined,
      }),
    });
    void peer.run();
    this.closing.unshift(() => peer.shutdown());
    while (peer.status().state !== 'STARTED') await adapters.systemClock.sleep(20);
  }

  /** A record for which the worker blocks so long. @returns its sequence number */
  async put(millis: number): Promise<string> {
    const record = { StreamName: 'stream', PartitionKey: 'k', Data: Buffer.from(String(millis)) };
    return (await this.kinesis.send(new PutRecordCommand(record))).SequenceNumber!;
  }

  async row(): Promise<Lease> {
    return (await this.refresher.listLeases())[0]!;
  }

  /** Resolves when the event happened; jest's own time limit guards it. */
  async until(event: string): Promise<void> {
    while (!this.events.includes(event)) await adapters.systemClock.sleep(20);
  }

  async stop(): Promise<void> {
    for (const child of this.children.reverse().slice(0, -1)) child.kill('SIGKILL');
    for (const close of this.closing) await close();
    this.children.at(-1)?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true });
  }

  private spawn(file: string, args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    const program = ['--import', 'tsx', path.join('test/kcl/support', file), ...args];
    const child = spawn(process.execPath, program, {
      cwd: REPOSITORY,
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.children.push(child);
    return child;
  }
}

/**
 * Blocked beyond the failover time the worker keeps its lease; beyond its liveness timeout the peer has the lease, and what the worker does
 * when it wakes is refused.
 */
export async function blockWithinAndBeyond(
  bench: BlockedEventLoop,
  times: { readonly failover: number; readonly liveness: number; readonly within: number; readonly beyond: number },
): Promise<void> {
  await bench.start(times.failover, times.liveness, times.within >= 10_000);
  const first = await bench.put(times.within);
  await bench.until('blocked checkpointed');
  expect(bench.events).toEqual(['blocked initialized', 'blocked checkpointed']);
  const kept = await bench.row();
  expect(kept).toMatchObject({ leaseOwner: 'blocked', checkpoint: { sequenceNumber: first } });

  bench.events.length = 0;
  const second = await bench.put(times.beyond);
  await bench.until('blocked leaseLost');
  // The peer was through before the worker woke, and is the only one that checkpointed.
  expect(bench.events).toEqual([
    'peer initialized',
    'peer checkpointed',
    'blocked refused ShutdownError',
    'blocked leaseLost',
  ]);
  const taken = await bench.row();
  expect(taken).toMatchObject({ leaseOwner: 'peer', checkpoint: { sequenceNumber: second } });
}
