/** Changes the local stream's shard count while its backlog is published, as an operator does when the load changes. */
import {
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  UpdateShardCountCommand,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import { pause } from './command-line';

export interface ReshardingOptions {
  readonly kinesis: KinesisClient;
  readonly streamName: string;
  /** Share of the backlog that is published, 0 to 1. */
  readonly published: () => number;
}

/**
 * Share of the backlog from which on, and the shards then. Two to four splits every shard; four to three, evenly, splits two and
 * merges three pairs, so that a reader meets shards that end without a record, too.
 */
const STEPS = [
  { from: 0.25, shards: 4 },
  { from: 0.55, shards: 3 },
] as const;

const LOOK_EVERY_MS = 100;

export class Resharding {
  /** Shard counts so far, the first one included: `[2, 4, 3]` when it is over. */
  readonly counts: number[] = [];
  /** Why it stopped short. */
  failure: string | undefined;
  private readonly stopping = new AbortController();
  private ended = false;
  private readonly running: Promise<void>;

  constructor(private readonly options: ReshardingOptions) {
    this.running = this.run()
      .catch((error: Error) => (this.failure = `${error.name}: ${error.message}`))
      .then(() => void (this.ended = true));
  }

  /** Nothing follows any more. */
  get done(): boolean {
    return this.ended;
  }

  stop(): Promise<void> {
    this.stopping.abort();
    return this.running;
  }

  private async run(): Promise<void> {
    const { kinesis, streamName } = this.options;
    const StreamName = streamName;
    const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName }));
    this.counts.push(await this.openShards());
    // Once is enough: a run that goes on from earlier state finds the shards as they were left.
    if (Shards.length !== this.counts[0]) return;
    for (const { from, shards } of STEPS) {
      if (!(await this.until(() => this.options.published() >= from))) return;
      await kinesis.send(
        new UpdateShardCountCommand({ StreamName, TargetShardCount: shards, ScalingType: 'UNIFORM_SCALING' }),
      );
      if (!(await this.until(async () => (await this.openShards()) === shards))) return;
      this.counts.push(shards);
    }
  }

  /** Of an ACTIVE stream; undefined shards are those of one that is being updated. */
  private async openShards(): Promise<number> {
    const { StreamDescriptionSummary } = await this.options.kinesis.send(
      new DescribeStreamSummaryCommand({ StreamName: this.options.streamName }),
    );
    return StreamDescriptionSummary?.StreamStatus === 'ACTIVE' ? (StreamDescriptionSummary.OpenShardCount ?? 0) : 0;
  }

  /** False where it was stopped before. */
  private async until(holds: () => boolean | Promise<boolean>): Promise<boolean> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      if (await holds()) return true;
      await pause(LOOK_EVERY_MS, signal);
    }
    return false;
  }
}
