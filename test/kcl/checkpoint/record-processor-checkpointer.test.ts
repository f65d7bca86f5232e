/** Mirrors KCL's ShardShardRecordProcessorCheckpointerTest. */
import { RecordProcessorCheckpointer } from '../../../consumer/kcl/checkpoint/record-processor-checkpointer';
import { InvalidArgumentError, InvalidStateError } from '../../../consumer/kcl/common/errors';
import { lease } from '../support/leases';
import type { LeaseChange } from '../../../consumer/kcl/leases/lease-serializer';

const at = (sequenceNumber: string, subSequenceNumber = 0) => ({ sequenceNumber, subSequenceNumber });
const NO_PENDING = { pendingCheckpoint: null, pendingCheckpointState: null };

function setup(checkpoint = at('100')) {
  const writes: LeaseChange[] = [];
  const checkpointer = new RecordProcessorCheckpointer({
    shardId: 's',
    checkpoint,
    write: async (change) => {
      writes.push(change);
      return lease('s');
    },
  });
  return { writes, checkpointer };
}

describe('RecordProcessorCheckpointer (ShardShardRecordProcessorCheckpointerTest)', () => {
  test('checkpoint() records the largest delivered; the same again writes nothing', async () => {
    const { writes, checkpointer } = setup();
    checkpointer.setLargestPermitted(at('120', 3));
    await checkpointer.checkpoint();
    await checkpointer.checkpoint();
    await checkpointer.checkpoint(at('120', 3));
    expect(writes).toEqual([{ checkpoint: at('120', 3), ...NO_PENDING }]);
  });

  test('positions below the last checkpoint or above the largest delivered are rejected', async () => {
    const { writes, checkpointer } = setup(at('100', 2));
    checkpointer.setLargestPermitted(at('120', 3));
    for (const bad of [
      at('99'),
      at('100', 1),
      at('120', 4),
      at('121'),
      at('1000'),
      at('SHARD_END'),
      at('TRIM_HORIZON'),
    ]) {
      await expect(checkpointer.checkpoint(bad)).rejects.toThrow(InvalidArgumentError);
    }
    await checkpointer.checkpoint(at('110'));
    await expect(checkpointer.checkpoint(at('109'))).rejects.toThrow(/109.0 on shard s is outside 110.0 … 120.3/);
    expect(writes).toHaveLength(1);
  });

  test.each([at('7x'), at(''), at('01'), at('-5'), at('110', -1), at('110', 0.5), at('110', NaN)])(
    'malformed position %j is rejected',
    async (bad) => {
      const { checkpointer } = setup();
      checkpointer.setLargestPermitted(at('120'));
      await expect(checkpointer.checkpoint(bad)).rejects.toThrow(InvalidArgumentError);
    },
  );

  test('at the shard’s end checkpoint(), and the last position, mean SHARD_END', async () => {
    for (const position of [undefined, at('120')]) {
      const { writes, checkpointer } = setup();
      checkpointer.setLargestPermitted(at('120'));
      checkpointer.armShardEnd();
      await checkpointer.checkpoint(position);
      expect(writes).toEqual([{ checkpoint: at('SHARD_END'), ...NO_PENDING }]);
      expect(checkpointer.lastCheckpoint).toEqual(at('SHARD_END'));
    }
  });

  test('prepare writes position and blob, commit moves them into the checkpoint', async () => {
    const { writes, checkpointer } = setup();
    checkpointer.setLargestPermitted(at('120'));
    const blob = new Uint8Array([1]);
    const prepared = await checkpointer.prepareCheckpoint(at('110'), blob);
    await prepared.commit();
    await prepared.commit();
    expect(writes).toEqual([
      { pendingCheckpoint: at('110'), pendingCheckpointState: blob },
      { checkpoint: at('110'), ...NO_PENDING },
    ]);
  });

  test('committing what is the checkpoint already still clears the pending one', async () => {
    const { writes, checkpointer } = setup();
    await (await checkpointer.prepareCheckpoint(at('100'))).commit();
    expect(writes.at(-1)).toEqual(NO_PENDING);
  });

  test('a stale prepared commit fails', async () => {
    const { writes, checkpointer } = setup();
    checkpointer.setLargestPermitted(at('120'));
    const prepared = await checkpointer.prepareCheckpoint(at('110'));
    await checkpointer.checkpoint(at('115'));
    await expect(prepared.commit()).rejects.toThrow(InvalidStateError);
    expect(writes).toHaveLength(2);
  });

  test('a failed write leaves the checkpoint as it was', async () => {
    const checkpointer = new RecordProcessorCheckpointer({
      shardId: 's',
      checkpoint: at('100'),
      write: () => Promise.reject(new Error('no')),
    });
    checkpointer.setLargestPermitted(at('120'));
    await expect(checkpointer.checkpoint()).rejects.toThrow('no');
    expect(checkpointer.lastCheckpoint).toEqual(at('100'));
  });

  test('a processor that starts before the checkpoint may checkpoint there, but the row never goes back', async () => {
    const { writes, checkpointer } = setup(at('100'));
    checkpointer.startAt(at('50'));
    checkpointer.setLargestPermitted(at('60'));
    await checkpointer.checkpoint();
    expect(writes).toEqual([]);
    checkpointer.setLargestPermitted(at('101'));
    await checkpointer.checkpoint();
    expect(writes).toEqual([{ checkpoint: at('101'), ...NO_PENDING }]);
  });

  test('a processor that starts after the checkpoint may record its start at once', async () => {
    const { writes, checkpointer } = setup(at('TRIM_HORIZON'));
    checkpointer.startAt(at('500', 2));
    await checkpointer.checkpoint();
    expect(writes).toEqual([{ checkpoint: at('500', 2), ...NO_PENDING }]);
  });
});
