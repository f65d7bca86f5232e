/** The stream as its service describes it, and whether it is the lake's. */
import { DescribeStreamSummaryCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { bindToStream, ForeignStreamError, type StreamIdentity } from './lake/append/stream-identity';
import type { Clock, Log } from './lake/clock';
import type { RegistryStore } from './lake/stores/registry-store';

const HOUR_MS = 3_600_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** As many as the library takes to start. */
const JOIN_ATTEMPTS = 20;
const JOIN_BACKOFF_MS = 1_000;

export interface StreamDescription extends StreamIdentity {
  /** Milliseconds. */
  readonly retention: number;
}

export async function describeStream(kinesis: KinesisClient, streamName: string): Promise<StreamDescription> {
  const command = new DescribeStreamSummaryCommand({ StreamName: streamName });
  const abortSignal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const { StreamDescriptionSummary: summary } = await kinesis.send(command, { abortSignal });
  return {
    streamArn: summary!.StreamARN!,
    streamCreated: summary!.StreamCreationTimestamp!.getTime(),
    retention: summary!.RetentionPeriodHours! * HOUR_MS,
  };
}

export interface JoinOptions {
  readonly registry: RegistryStore;
  readonly kinesis: KinesisClient;
  readonly streamName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws ForeignStreamError; the last error of {@link JOIN_ATTEMPTS} where stream or registry cannot be reached */
export async function joinLake({ registry, kinesis, streamName, clock, log }: JoinOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bindToStream(registry, await describeStream(kinesis, streamName));
    } catch (error) {
      if (error instanceof ForeignStreamError || attempt >= JOIN_ATTEMPTS) throw error;
      const { name, message } = error as Error;
      log('warn', 'the stream could not be compared with the lake’s', { attempt, error: `${name}: ${message}` });
      await clock.sleep(JOIN_BACKOFF_MS);
    }
  }
}
