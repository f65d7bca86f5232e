/** Puts a record on every shard of a stream, again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PutRecordsCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { MAX_HASH_KEY } from '../../consumer/kcl/common/hash-key-range';

const INTERVAL_MILLIS = 100;

export class Publisher {
  /** Sequence numbers. */
  readonly published: string[] = [];
  private readonly stopped = new AbortController();
  private readonly publishing: Promise<void>;

  constructor(
    private readonly kinesis: KinesisClient,
    private readonly streamName: string,
    private readonly shards: number,
  ) {
    this.publishing = this.publish();
  }

  /** @throws the service's error, if there was one */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.publishing;
  }

  private async publish(): Promise<void> {
    const width = (MAX_HASH_KEY + 1n) / BigInt(this.shards);
    while (!this.stopped.signal.aborted) {
      const Records = Array.from({ length: this.shards }, (_, shard) => ({
        Data: Buffer.from('{"temperature":21}'),
        PartitionKey: 'device',
        ExplicitHashKey: String(width * BigInt(shard) + width / 2n),
      }));
      const answer = await this.kinesis.send(new PutRecordsCommand({ StreamName: this.streamName, Records }));
      for (const { SequenceNumber } of answer.Records ?? []) if (SequenceNumber) this.published.push(SequenceNumber);
      await sleep(INTERVAL_MILLIS);
    }
  }
}
