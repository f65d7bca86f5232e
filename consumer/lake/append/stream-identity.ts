/** Which stream the lake's heads hold positions of. */
import { ConditionFailedError, type RegistryStore } from '../stores/registry-store';

export interface StreamIdentity {
  readonly streamArn: string;
  /** StreamCreationTimestamp, epoch milliseconds. */
  readonly streamCreated: number;
}

/** Written by the first worker of all. */
const STREAM_KEY = { pk: 'LAKE', sk: 'STREAM' } as const;

/** The registry belongs to another stream; nothing was written. */
export class ForeignStreamError extends Error {
  override readonly name = 'ForeignStreamError';
}

/**
 * Binds the lake to its stream. A stream that was deleted and made anew has the shard ids of the one before and other
 * sequence numbers: heads that are finished would hide what its shards hold, without a word.
 * @throws ForeignStreamError where the lake is bound to another stream
 */
export async function bindToStream(
  registry: Pick<RegistryStore, 'get' | 'write'>,
  { streamArn, streamCreated }: StreamIdentity,
): Promise<void> {
  const item = { ...STREAM_KEY, streamArn, streamCreated };
  try {
    await registry.write({ put: item, condition: [[{ path: 'pk', absent: true }]] });
  } catch (error) {
    if (!(error instanceof ConditionFailedError)) throw error;
    const bound = (await registry.get(STREAM_KEY)) as unknown as StreamIdentity;
    if (bound.streamArn === streamArn && bound.streamCreated === streamCreated) return;
    throw new ForeignStreamError(
      `the registry holds positions of ${describe(bound)}, and the consumer is to read ${describe(item)}; ` +
        'what that stream holds would be skipped. See "The stream was made anew" in docs/runbook.md',
    );
  }
}

function describe({ streamArn, streamCreated }: StreamIdentity): string {
  return `${streamArn}, created ${new Date(streamCreated).toISOString()}`;
}
