/** One application: its stream, its lease table, its workers, and what they noted. */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, ScanCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { KinesisClient, RegisterStreamConsumerCommand } from '@aws-sdk/client-kinesis';
import { createLeaseTable } from '../kcl/support/local-services';
import type { Stream } from './stream';
import { WorkerProcess, type KclVersion, type Kind, type Note } from './worker-process';

export type Item = Record<string, AttributeValue>;

export interface ApplicationSettings {
  readonly name: string;
  /** What its Java workers are made with. */
  readonly kcl: KclVersion;
  readonly clientVersionConfig: 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X' | 'CLIENT_VERSION_CONFIG_3X';
  readonly retrieval: 'POLLING' | 'FAN_OUT';
}

/** Short, so that a run takes minutes; both kinds of workers must have the same. */
const FAILOVER_TIME_MILLIS = 6_000;
const LEADER_LEASE_MILLIS = 15_000;
const DEADLINE_SECONDS = 240;
/** Tables of KCL 3.0 to 3.4 beside the lease table. */
export const LEGACY_TABLES = { WorkerMetricStats: 'wid', CoordinatorState: 'key' } as const;

export class Application {
  readonly workers: WorkerProcess[] = [];
  readonly directory: string;
  private readonly dynamodb: DynamoDBClient;
  private consumerArn = '';

  constructor(
    readonly settings: ApplicationSettings,
    readonly stream: Stream,
    private readonly environment: Readonly<Record<string, string>>,
  ) {
    this.directory = mkdtempSync(path.join(tmpdir(), `java-kcl-${settings.name}-`));
    this.dynamodb = new DynamoDBClient(clientOptions(environment, 'AWS_ENDPOINT_URL_DYNAMODB'));
  }

  get name(): string {
    return this.settings.name;
  }

  /** As infrastructure does it: the table, and the consumer of the name that a Java worker looks for. */
  async createLeaseTable(): Promise<void> {
    await createLeaseTable(this.dynamodb, this.name);
  }

  async registerConsumer(): Promise<void> {
    const kinesis = new KinesisClient(clientOptions(this.environment, 'AWS_ENDPOINT_URL'));
    const StreamARN = await this.stream.arn();
    const { Consumer } = await kinesis.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: this.name }));
    this.consumerArn = Consumer?.ConsumerARN ?? '';
    kinesis.destroy();
  }

  startWorker(kind: Kind, number: number): WorkerProcess {
    const { kcl, retrieval, clientVersionConfig } = this.settings;
    const worker = new WorkerProcess({
      kind,
      id: `${kind}-${number}`,
      kcl,
      directory: this.directory,
      environment: {
        ...this.environment,
        STREAM_NAME: this.stream.name,
        APPLICATION_NAME: this.name,
        CONSUMER_ARN: this.consumerArn,
        RETRIEVAL: retrieval,
        CLIENT_VERSION_CONFIG: clientVersionConfig,
        FAILOVER_TIME_MILLIS: String(FAILOVER_TIME_MILLIS),
        LEADER_LEASE_MILLIS: String(LEADER_LEASE_MILLIS),
      },
    });
    this.workers.push(worker);
    return worker;
  }

  /** Every row of the lease table, or of one beside it; none where there is no table. */
  async rows(suffix = ''): Promise<Item[]> {
    const TableName = `${this.name}${suffix}`;
    try {
      return (await this.dynamodb.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items ?? [];
    } catch (error) {
      if ((error as Error).name === 'ResourceNotFoundException') return [];
      throw error;
    }
  }

  async leases(): Promise<Item[]> {
    return (await this.rows()).filter(({ entityType }) => entityType === undefined || entityType.S === 'LEASE');
  }

  /** Owners of open shards, in the order of their hash keys; undefined where a shard has none. */
  async openOwners(): Promise<{ shardId: string; owner: string | undefined }[]> {
    const leases = new Map((await this.leases()).map((lease) => [lease['leaseKey']?.S, lease]));
    const shards = await this.stream.openShards();
    return shards.map(({ ShardId }) => {
      const lease = leases.get(ShardId);
      // In a handoff the old owner is still at work.
      return { shardId: ShardId as string, owner: lease?.['checkpointOwner']?.S ?? lease?.['leaseOwner']?.S };
    });
  }

  async openLeasesOf(worker: WorkerProcess): Promise<string[]> {
    return (await this.openOwners()).filter(({ owner }) => owner === worker.id).map(({ shardId }) => shardId);
  }

  get notes(): Note[] {
    return this.workers.flatMap((worker) => worker.notes).sort((left, right) => left.time - right.time);
  }

  /** Identifiers of the records processed, in the order of time. */
  get processed(): string[] {
    return this.notes.filter(({ event }) => event === 'record').map(({ detail }) => detail);
  }

  async untilProcessed(): Promise<void> {
    await this.until('every record is processed', () => {
      const seen = new Set(this.processed);
      return this.stream.written.every((id) => seen.has(id));
    });
  }

  /** The worker holds `least` or more leases of open shards. */
  async untilHolds(worker: WorkerProcess, least: number): Promise<void> {
    await this.until(
      `${worker.id} holds ${least} leases`,
      async () => (await this.openLeasesOf(worker)).length >= least,
    );
  }

  async untilHoldsAll(worker: WorkerProcess): Promise<void> {
    await this.until(`${worker.id} holds every lease`, async () =>
      (await this.openOwners()).every(({ owner }) => owner === worker.id),
    );
  }

  /** @throws AssertionError after `seconds`, four minutes unless told */
  async until(what: string, isSo: () => boolean | Promise<boolean>, seconds = DEADLINE_SECONDS): Promise<void> {
    const deadline = Date.now() + seconds * 1_000;
    while (!(await isSo())) {
      if (Date.now() > deadline) assert.fail(`Not after ${seconds} s: ${what}`);
      await sleep(200);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop('SIGKILL')));
  }

  close(): void {
    this.dynamodb.destroy();
  }
}

export function clientOptions(environment: Readonly<Record<string, string>>, endpoint: string) {
  return {
    endpoint: environment[endpoint] as string,
    region: environment['AWS_REGION'] as string,
    credentials: { accessKeyId: environment['AWS_ACCESS_KEY_ID'] as string, secretAccessKey: 'any' },
  };
}
