/** One application: its stream, its lease table, its workers in processes of their own, and what they noted. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, ScanCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import {
  CreateStreamCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
  type Shard,
} from '@aws-sdk/client-kinesis';

export type Item = Record<string, AttributeValue>;
export type Kind = 'java' | 'node';
export type Retrieval = 'POLLING' | 'FAN_OUT';

export interface ApplicationSettings {
  readonly name: string;
  readonly shards: number;
  readonly clientVersionConfig: 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X' | 'CLIENT_VERSION_CONFIG_3X';
  readonly retrieval: Retrieval;
}

/** A line of a worker's output. */
export interface Note {
  readonly worker: string;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly event: string;
  readonly shardId: string;
  readonly detail: string;
}

/** Short, so that a run takes minutes; both kinds of workers must have the same. */
const FAILOVER_TIME_MILLIS = 4_000;
const LEADER_LEASE_MILLIS = 12_000;
const DEADLINE_MILLIS = 150_000;
const KEYS = 12;

export async function startServices(): Promise<{ environment: Record<string, string>; stop(): void }> {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(__dirname, 'services.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { environment: JSON.parse(line.toString()) as Record<string, string>, stop: () => child.stdin.end() };
}

export class WorkerProcess {
  private constructor(
    readonly id: string,
    readonly output: string,
    readonly log: string,
    private readonly child: ChildProcess,
  ) {}

  static start(kind: Kind, id: string, directory: string, environment: Record<string, string>): WorkerProcess {
    const output = path.join(directory, `${id}.notes`);
    const log = path.join(directory, `${id}.log`);
    const [command, args] =
      kind === 'java'
        ? ['java', ['-Daws.cborEnabled=false', '-Dorg.slf4j.simpleLogger.showDateTime=true', '-Xmx256m', 'Worker']]
        : [process.execPath, ['--import', 'tsx', path.join(__dirname, 'node-worker.ts')]];
    const child = spawn(command as string, args as string[], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        CLASSPATH: process.env['JAVA_KCL_CLASSPATH'],
        ...environment,
        WORKER_ID: id,
        WORKER_OUTPUT: output,
      },
    });
    const file = createWriteStream(log);
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    return new WorkerProcess(id, output, log, child);
  }

  get notes(): Note[] {
    if (!existsSync(this.output)) return [];
    const lines = readFileSync(this.output, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [time, event, shardId, detail] = line.split(' ') as [string, string, string, string];
      return { worker: this.id, time: Number(time), event, shardId, detail };
    });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}

export class Application {
  readonly workers: WorkerProcess[] = [];
  readonly directory: string;
  /** Identifiers of the records written, `<key>:<number>`. */
  readonly written: string[] = [];
  private readonly kinesis: KinesisClient;
  private readonly dynamodb: DynamoDBClient;

  constructor(
    readonly settings: ApplicationSettings,
    private readonly environment: Record<string, string>,
  ) {
    this.directory = mkdtempSync(path.join(tmpdir(), `java-kcl-${settings.name}-`));
    const client = {
      endpoint: environment['AWS_ENDPOINT_URL'] as string,
      region: environment['AWS_REGION'] as string,
      credentials: { accessKeyId: environment['AWS_ACCESS_KEY_ID'] as string, secretAccessKey: 'any' },
    };
    this.kinesis = new KinesisClient(client);
    this.dynamodb = new DynamoDBClient(client);
  }

  async createStream(): Promise<void> {
    const { name, shards } = this.settings;
    await this.kinesis.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
    await this.until('the stream is there', async () => (await this.openShards()).length === shards);
  }

  startWorker(kind: Kind, id: string): WorkerProcess {
    const { name, retrieval, clientVersionConfig } = this.settings;
    const worker = WorkerProcess.start(kind, id, this.directory, {
      ...this.environment,
      STREAM_NAME: name,
      APPLICATION_NAME: name,
      RETRIEVAL: retrieval,
      CLIENT_VERSION_CONFIG: clientVersionConfig,
      FAILOVER_TIME_MILLIS: String(FAILOVER_TIME_MILLIS),
      LEADER_LEASE_MILLIS: String(LEADER_LEASE_MILLIS),
    });
    this.workers.push(worker);
    return worker;
  }

  /** Writes `count` records over all keys, one after the other, so that a key's records are in the order of their numbers. */
  async write(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const number = this.written.length;
      const key = `key-${number % KEYS}`;
      const Data = Buffer.from(`${key}:${number}`);
      await this.kinesis.send(new PutRecordCommand({ StreamName: this.settings.name, PartitionKey: key, Data }));
      this.written.push(`${key}:${number}`);
    }
  }

  async openShards(): Promise<Shard[]> {
    const { Shards } = await this.kinesis.send(
      new ListShardsCommand({ StreamName: this.settings.name, ShardFilter: { Type: 'AT_LATEST' } }),
    );
    const start = (shard: Shard): bigint => BigInt(shard.HashKeyRange?.StartingHashKey ?? 0);
    return (Shards ?? []).sort((left, right) => (start(left) < start(right) ? -1 : 1));
  }

  /** Splits the first open shard in its middle. @returns its id */
  async split(): Promise<string> {
    const [shard] = await this.openShards();
    const { StartingHashKey, EndingHashKey } = shard?.HashKeyRange ?? {};
    const NewStartingHashKey = String((BigInt(StartingHashKey ?? 0) + BigInt(EndingHashKey ?? 0)) / 2n + 1n);
    const ShardToSplit = shard?.ShardId as string;
    await this.reshard(new SplitShardCommand({ StreamName: this.settings.name, ShardToSplit, NewStartingHashKey }));
    return ShardToSplit;
  }

  /** Merges the last two open shards. @returns their ids */
  async merge(): Promise<[string, string]> {
    const [ShardToMerge, AdjacentShardToMerge] = (await this.openShards()).slice(-2).map(({ ShardId }) => ShardId) as [
      string,
      string,
    ];
    const StreamName = this.settings.name;
    await this.reshard(new MergeShardsCommand({ StreamName, ShardToMerge, AdjacentShardToMerge }));
    return [ShardToMerge, AdjacentShardToMerge];
  }

  private async reshard(command: SplitShardCommand | MergeShardsCommand): Promise<void> {
    const before = JSON.stringify(await this.openShards());
    await this.kinesis.send(command as SplitShardCommand);
    await this.until('the stream is resharded', async () => JSON.stringify(await this.openShards()) !== before);
  }

  /** Every row of the lease table. */
  async rows(): Promise<Item[]> {
    const { Items } = await this.dynamodb.send(
      new ScanCommand({ TableName: this.settings.name, ConsistentRead: true }),
    );
    return Items ?? [];
  }

  async leases(): Promise<Item[]> {
    return (await this.rows()).filter(({ entityType }) => entityType === undefined || entityType.S === 'LEASE');
  }

  /** Leases of open shards, by owner. */
  async openLeaseCounts(): Promise<Map<string, number>> {
    const open = new Set((await this.openShards()).map(({ ShardId }) => ShardId));
    const counts = new Map<string, number>();
    for (const { leaseKey, leaseOwner } of await this.leases()) {
      if (!open.has(leaseKey?.S) || leaseOwner?.S === undefined) continue;
      counts.set(leaseOwner.S, (counts.get(leaseOwner.S) ?? 0) + 1);
    }
    return counts;
  }

  get notes(): Note[] {
    return this.workers.flatMap((worker) => worker.notes).sort((left, right) => left.time - right.time);
  }

  get processed(): string[] {
    return this.notes.filter(({ event }) => event === 'record').map(({ detail }) => detail);
  }

  async untilProcessed(): Promise<void> {
    await this.until('every record is processed', () => {
      const seen = new Set(this.processed);
      return this.written.every((id) => seen.has(id));
    });
  }

  /** The worker, alone or with others, holds `least` or more leases of open shards. */
  async untilHolds(worker: WorkerProcess, least: number): Promise<void> {
    await this.until(
      `${worker.id} holds ${least} leases`,
      async () => ((await this.openLeaseCounts()).get(worker.id) ?? 0) >= least,
    );
  }

  /** @throws AssertionError after 150 s, or as soon as a worker ended by itself */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + DEADLINE_MILLIS;
    while (!(await isSo())) {
      if (Date.now() > deadline) {
        assert.fail(`Not after ${DEADLINE_MILLIS / 1_000} s: ${what}. The workers' logs are in ${this.directory}.`);
      }
      await sleep(200);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop('SIGKILL')));
    this.kinesis.destroy();
    this.dynamodb.destroy();
  }
}
