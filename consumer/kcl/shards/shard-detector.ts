/** Lists the stream's shards. */
import type { ChildShard, Clock, KinesisApi, KinesisShard, Log, ShardFilter } from '../dependencies';
import { describeError, isThrottling } from '../common/errors';
import { withTimeout } from '../common/timing';

export interface ShardDetectorOptions {
  readonly kinesis: KinesisApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly streamName: string;
  /** Milliseconds. */
  readonly requestTimeout: number;
  readonly maxAttempts: number;
  readonly backoff: number;
}

export class ShardDetector {
  constructor(private readonly options: ShardDetectorOptions) {}

  /**
   * All pages. A throttled page is tried again `maxAttempts` times.
   * @throws the service's error; `ResourceNotFoundException` when there is no such stream
   */
  async listShards(filter?: ShardFilter): Promise<readonly KinesisShard[]> {
    const shards: KinesisShard[] = [];
    let nextToken: string | undefined;
    do {
      const page = await this.page(filter, nextToken);
      shards.push(...page.shards);
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    return shards;
  }

  /** The shards that name `shardId` as a parent, and whether it is still listed itself. */
  async findChildren(shardId: string): Promise<{ readonly listed: boolean; readonly children: readonly ChildShard[] }> {
    const shards = await this.listShards();
    const children = shards.map(toChildShard).filter(({ parentShards }) => parentShards.includes(shardId));
    return { listed: shards.some((shard) => shard.shardId === shardId), children };
  }

  private async page(
    filter: ShardFilter | undefined,
    nextToken: string | undefined,
  ): Promise<{ readonly shards: readonly KinesisShard[]; readonly nextToken?: string }> {
    const { kinesis, clock, log, streamName, requestTimeout, maxAttempts, backoff } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await withTimeout(clock, requestTimeout, 'Kinesis ListShards', (signal) =>
          kinesis.listShards(
            { streamName, ...(filter ? { filter } : {}), ...(nextToken === undefined ? {} : { nextToken }) },
            signal,
          ),
        );
      } catch (error) {
        if (!isThrottling(error) || attempt >= maxAttempts) throw error;
        log('warn', 'ListShards is throttled', { attempt, error: describeError(error) });
        await clock.sleep(backoff);
      }
    }
  }
}

export function parentsOf(shard: KinesisShard): string[] {
  return [shard.parentShardId, shard.adjacentParentShardId].filter((id): id is string => id !== undefined);
}

export function toChildShard(shard: KinesisShard): ChildShard {
  return { shardId: shard.shardId, parentShards: parentsOf(shard), hashKeyRange: shard.hashKeyRange };
}
