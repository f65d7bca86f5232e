/**
 * The bundle's entry point.
 *
 *     main.js                      the consumer, configured by its environment (lib/contracts/environment)
 *     main.js health               exit 0 while the consumer of this container works, else 1
 *     main.js prepare-dataset …    the pipeline's PrepareDataset step
 *     main.js evaluate …           the pipeline's Evaluate step
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { BundleCommand } from '../lib/contracts/training';
import { useCases } from '../use-cases';
import { parseConsumerConfig } from './config';
import { Consumer } from './consumer';
import { askHealth, healthSocket, serveHealth } from './health';
import { adapters, EmfMetrics } from './kcl';
import { InProcessFoldRunner, type FoldRunner } from './lake/fold/runner';
import { WorkerFoldRunner } from './lake/fold/worker-runner';
import { DynamoDbRegistryStore } from './lake/stores/dynamodb-registry-store';
import { HTTP_TIMEOUTS } from './lake/stores/http-timeouts';
import { S3ObjectStore } from './lake/stores/s3-object-store';
import { EmbeddedMetrics, jsonLog } from './log';
import { describeStream, joinLake } from './stream';
import { evaluate } from './training/evaluate';
import { prepareDataset } from './training/prepare-dataset';

const HEALTH = 'health';
/** Fargate's stopTimeout is 120 s. */
const EXIT_AFTER_MS = 110_000;
const METADATA_TIMEOUT_MS = 2_000;

/** ECS task id, or the host's name, and something unique: a restarted process is another worker. */
async function workerId(metadataUri: string | undefined): Promise<string> {
  let place = hostname();
  if (metadataUri !== undefined) {
    try {
      const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(METADATA_TIMEOUT_MS) });
      const { TaskARN } = (await response.json()) as { TaskARN?: string };
      place = TaskARN?.split('/').pop() ?? place;
    } catch {
      // The id is for people; the uuid makes it unique.
    }
  }
  return `${place}:${randomUUID()}`;
}

async function consume(): Promise<void> {
  const { env } = process;
  const config = parseConsumerConfig(env);
  const clock = adapters.systemClock;
  const write = (line: string): void => void process.stdout.write(line);
  const log = jsonLog(write, clock.now);
  const metrics = new EmbeddedMetrics(config.metricsNamespace, write, clock.now);
  const { metricsLevel: level = 'NONE', applicationName: namespace } = config;
  const kclMetrics = level === 'NONE' ? undefined : new EmfMetrics({ namespace, write, now: clock.now, level });
  const metadataUri = env['ECS_CONTAINER_METADATA_URI_V4'];
  const id = await workerId(metadataUri);

  const kinesis = new KinesisClient({});
  const dynamodb = new DynamoDBClient({ requestHandler: HTTP_TIMEOUTS });
  const heap = getHeapStatistics().heap_size_limit;
  const objects = new S3ObjectStore(new S3Client({ requestHandler: HTTP_TIMEOUTS }), config.lakeBucket, clock);
  const registry = new DynamoDbRegistryStore(dynamodb, config.registryTable, clock);
  const consumer = new Consumer(
    { config, workerId: id, useCases, bufferBytes: Math.round(heap / 4) },
    {
      kcl: {
        ...adapters.systemDependencies(),
        log,
        ...(kclMetrics ? { metrics: kclMetrics } : {}),
        kinesis: adapters.kinesisFromSdk(kinesis),
        dynamodb: adapters.dynamoFromSdk(dynamodb),
      },
      registry,
      objects,
      runner: foldRunner(objects, config.lakeBucket, Math.round(heap / 2 / 1024 ** 2)),
      log,
      metrics: metrics.count,
      publishMetrics: () => {
        metrics.publish();
        kclMetrics?.flush();
      },
      retention: async () => (await describeStream(kinesis, config.streamName)).retention,
    },
  );
  serveHealth(healthSocket(metadataUri), () => consumer.health());
  const stop = (signal: NodeJS.Signals): void => {
    log('info', 'stopping: shards are flushed and leases given up', { signal });
    consumer.stop();
    setTimeout(() => {
      log('error', 'the drain took too long; what is not committed is read again by another worker');
      process.exit(1);
    }, EXIT_AFTER_MS).unref();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  log('info', 'consumer started', { workerId: id, codeVersion: config.codeVersion, stream: config.streamName });
  await joinLake({ registry, kinesis, streamName: config.streamName, clock, log });
  await consumer.run();
  log('info', 'consumer stopped', { workerId: id });
}

/** The bundled worker stands beside this file; from source there is none. */
function foldRunner(objects: S3ObjectStore, bucket: string, memory: number): FoldRunner {
  const script = join(__dirname, 'fold-worker.js');
  if (existsSync(script)) return new WorkerFoldRunner(script, bucket, memory);
  return new InProcessFoldRunner(objects, new Map(useCases.map((useCase) => [useCase.name, useCase])));
}

async function health(): Promise<void> {
  const { healthy, detail } = await askHealth(healthSocket(process.env['ECS_CONTAINER_METADATA_URI_V4']));
  process.stdout.write(`${JSON.stringify({ healthy, ...detail })}\n`);
  if (!healthy) process.exitCode = 1;
}

async function main([command, ...rest]: string[]): Promise<void> {
  switch (command) {
    case undefined:
      return consume();
    case HEALTH:
      return health();
    case BundleCommand.prepareDataset:
      return prepareDataset(rest);
    case BundleCommand.evaluate:
      return evaluate(rest);
    default: {
      const known = [HEALTH, BundleCommand.prepareDataset, BundleCommand.evaluate].join(', ');
      throw new Error(`unknown command ${command}; known are ${known}, and none to run the consumer`);
    }
  }
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: Error) => {
    process.stderr.write(
      `${JSON.stringify({ level: 'error', event: 'ended by an error', error: `${error.name}: ${error.message}` })}\n`,
    );
    process.exit(1);
  },
);
