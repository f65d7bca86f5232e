/** Polling as a way of retrieval: what makes a publisher for a shard. */
import type { Dependencies, Log } from '../../dependencies';
import type { SchedulerConfig } from '../../config';
import type { ShardDetector } from '../../shards/shard-detector';
import type { MemoryBudget } from '../memory-budget';
import type { RecordsPublisher } from '../records-publisher';
import { KinesisDataFetcher } from './data-fetcher';
import { PrefetchRecordsPublisher } from './prefetch-records-publisher';
import { ReadPacer } from './read-pacer';

const MAX_PREFETCH_RECORDS = 30_000;

export interface PollingContext {
  readonly config: SchedulerConfig;
  readonly dependencies: Dependencies;
  readonly shardDetector: ShardDetector;
  readonly budget: MemoryBudget;
  readonly log: Log;
}

/** @param onProgress called at every sign of life of the reader */
export function pollingPublisher(context: PollingContext, shardId: string, onProgress: () => void): RecordsPublisher {
  const { config, dependencies, shardDetector, budget, log } = context;
  const { clock, random, metrics, kinesis } = dependencies;
  return new PrefetchRecordsPublisher({
    fetcher: new KinesisDataFetcher({
      kinesis,
      shardDetector,
      clock,
      streamName: config.streamName,
      shardId,
      maxRecords: config.maxRecords,
      requestTimeout: config.kinesisRequestTimeoutMillis,
    }),
    pacer: new ReadPacer(config.idleTimeBetweenReadsMillis, random),
    budget,
    clock,
    log,
    metrics,
    shardId,
    maxBatches: config.maxPendingProcessRecordsInput,
    maxBytes: config.maxPrefetchBytes,
    maxRecords: MAX_PREFETCH_RECORDS,
    onProgress,
  });
}
