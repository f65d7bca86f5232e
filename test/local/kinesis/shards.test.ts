import fc from 'fast-check';
import { Harness, holeIn, id, LAST_HASH_KEY, texts } from './support';

const HALF = 2n ** 127n;

describe('ListShards', () => {
  /** 0 splits into 2 and 3 after a minute, 1 and 2 merge into 4 after another. */
  async function tree(): Promise<Harness> {
    const harness = await Harness.start(2);
    harness.clock.advance(60_000);
    await harness.split(0, HALF / 2n);
    harness.clock.advance(60_000);
    await harness.merge(3, 1);
    harness.clock.advance(60_000);
    return harness;
  }
  const at = (harness: Harness, minutesAgo: number) => harness.clock.now() / 1_000 - minutesAgo * 60;

  test.each<[string, (harness: Harness) => Record<string, unknown> | undefined, number[]]>([
    ['none', () => undefined, [0, 1, 2, 3, 4]],
    ['FROM_TRIM_HORIZON', () => ({ Type: 'FROM_TRIM_HORIZON' }), [0, 1, 2, 3, 4]],
    ['AT_TRIM_HORIZON: open when the stream began', () => ({ Type: 'AT_TRIM_HORIZON' }), [0, 1]],
    ['AT_LATEST: open now', () => ({ Type: 'AT_LATEST' }), [2, 4]],
    [
      'AT_TIMESTAMP between split and merge',
      (harness) => ({ Type: 'AT_TIMESTAMP', Timestamp: at(harness, 1.5) }),
      [1, 2, 3],
    ],
    [
      'AT_TIMESTAMP before the stream: from its beginning',
      (harness) => ({ Type: 'AT_TIMESTAMP', Timestamp: at(harness, 60) }),
      [0, 1],
    ],
    [
      'FROM_TIMESTAMP: then open and all later',
      (harness) => ({ Type: 'FROM_TIMESTAMP', Timestamp: at(harness, 1.5) }),
      [1, 2, 3, 4],
    ],
    ['AFTER_SHARD_ID', () => ({ Type: 'AFTER_SHARD_ID', ShardId: id(2) }), [3, 4]],
  ])('filter %s', async (_name, filter, expected) => {
    const harness = await tree();
    expect(await harness.ids(filter(harness))).toEqual(expected);
  });

  test('describes parents, ranges and sequence numbers', async () => {
    const harness = await tree();
    const [zero, one, two, three, four] = await harness.shards();
    expect(zero).not.toHaveProperty('ParentShardId');
    expect(zero?.SequenceNumberRange.EndingSequenceNumber).toMatch(/^\d{56}$/);
    expect(two).toMatchObject({
      ParentShardId: id(0),
      HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(HALF / 2n - 1n) },
    });
    expect(two?.SequenceNumberRange).not.toHaveProperty('EndingSequenceNumber');
    expect(four).toMatchObject({ ParentShardId: id(3), AdjacentParentShardId: id(1) });
    expect(four?.HashKeyRange).toEqual({
      StartingHashKey: three?.HashKeyRange.StartingHashKey,
      EndingHashKey: one?.HashKeyRange.EndingHashKey,
    });
    const start = (shard: typeof four) => BigInt(shard?.SequenceNumberRange.StartingSequenceNumber ?? 0);
    expect(start(four)).toBeGreaterThan(BigInt(three?.SequenceNumberRange.EndingSequenceNumber ?? 0));
  });

  test('pages with MaxResults and NextToken, which keeps the filter', async () => {
    const harness = await tree();
    const seen: string[] = [];
    let input: Record<string, unknown> = { StreamName: 's', ShardFilter: { Type: 'FROM_TRIM_HORIZON' }, MaxResults: 2 };
    for (;;) {
      const page = await harness.call<{ Shards: { ShardId: string }[]; NextToken?: string }>('ListShards', input);
      expect(page.Shards.length).toBeLessThanOrEqual(2);
      seen.push(...page.Shards.map(({ ShardId }) => ShardId));
      if (page.NextToken === undefined) break;
      input = { NextToken: page.NextToken, MaxResults: 2 };
    }
    expect(seen).toEqual([0, 1, 2, 3, 4].map(id));
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a NextToken with a stream name', { StreamName: 's', NextToken: 'x' }, 'InvalidArgumentException'],
    ['a garbage NextToken', { NextToken: 'x' }, 'InvalidArgumentException'],
    ['an unknown stream', { StreamName: 'nobody' }, 'ResourceNotFoundException'],
    ['neither name nor ARN', {}, 'InvalidArgumentException'],
    ['an unknown filter', { StreamName: 's', ShardFilter: { Type: 'ALL' } }, 'ValidationException'],
    [
      'AFTER_SHARD_ID without a shard',
      { StreamName: 's', ShardFilter: { Type: 'AFTER_SHARD_ID' } },
      'InvalidArgumentException',
    ],
    [
      'AT_TIMESTAMP without a time',
      { StreamName: 's', ShardFilter: { Type: 'AT_TIMESTAMP' } },
      'InvalidArgumentException',
    ],
    [
      'a time to come',
      { StreamName: 's', ShardFilter: { Type: 'AT_TIMESTAMP', Timestamp: 9e9 } },
      'InvalidArgumentException',
    ],
  ])('refuses %s', async (_name, input, code) => {
    const harness = await Harness.start(1);
    await expect(harness.call('ListShards', input)).rejects.toMatchObject({ code });
  });

  test('a NextToken expires after five minutes', async () => {
    const harness = await Harness.start(2);
    const { NextToken } = await harness.call<{ NextToken: string }>('ListShards', { StreamName: 's', MaxResults: 1 });
    harness.clock.advance(300_001);
    await expect(harness.call('ListShards', { NextToken })).rejects.toMatchObject({
      code: 'ExpiredNextTokenException',
    });
  });

  test('a closed shard goes when its records are beyond retention', async () => {
    const harness = await Harness.start(1);
    await harness.put('old');
    await harness.split(0, HALF);
    harness.clock.advance(23 * 3_600_000);
    expect(await harness.ids()).toEqual([0, 1, 2]);
    harness.clock.advance(3_700_000);
    expect(await harness.ids()).toEqual([1, 2]);
    expect(await harness.ids({ Type: 'AT_TRIM_HORIZON' })).toEqual([1, 2]);
    await expect(harness.iterator(0, 'TRIM_HORIZON')).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
  });
});

describe('SplitShard and MergeShards', () => {
  test.each<[string, bigint, boolean]>([
    ['the start', 0n, false],
    ['one above the start', 1n, false],
    ['two above the start', 2n, true],
    ['one below the end', HALF - 2n, true],
    ['the end', HALF - 1n, false],
    ['outside', HALF, false],
  ])('a split at %s', async (_name, boundary, allowed) => {
    const harness = await Harness.start(2);
    if (allowed) await harness.split(0, boundary);
    else await expect(harness.split(0, boundary)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
    expect(await harness.ids({ Type: 'AT_LATEST' })).toEqual(allowed ? [1, 2, 3] : [0, 1]);
  });

  test('a closed shard is not split or merged again', async () => {
    const harness = await Harness.start(2);
    await harness.split(0, HALF / 2n);
    await expect(harness.split(0, HALF / 2n)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
    await expect(harness.merge(0, 1)).rejects.toMatchObject({ code: 'InvalidArgumentException' });
  });

  test('only adjacent shards merge, in either order', async () => {
    const harness = await Harness.start(3);
    await expect(harness.merge(0, 2)).rejects.toThrow(/not an adjacent pair/);
    await harness.merge(2, 1);
    expect(await harness.ids({ Type: 'AT_LATEST' })).toEqual([0, 3]);
    expect((await harness.shards())[3]).toMatchObject({ ParentShardId: id(2), AdjacentParentShardId: id(1) });
  });

  test('an on-demand stream refuses both', async () => {
    const harness = await Harness.start(1);
    await harness.call('UpdateStreamMode', {
      StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
    });
    await expect(harness.split(0, HALF)).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(
      harness.call('UpdateShardCount', { StreamName: 's', TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' }),
    ).rejects.toMatchObject({ code: 'ValidationException' });
  });

  test('while the stream is UPDATING it is in use', async () => {
    const harness = await Harness.start(1, { statusDelayMs: 5_000 });
    const status = async () =>
      (
        await harness.call<{ StreamDescriptionSummary: { StreamStatus: string } }>('DescribeStreamSummary', {
          StreamName: 's',
        })
      ).StreamDescriptionSummary.StreamStatus;
    expect(await status()).toBe('CREATING');
    harness.clock.advance(5_000);
    expect(await status()).toBe('ACTIVE');
    await harness.split(0, HALF);
    expect(await status()).toBe('UPDATING');
    await expect(harness.merge(1, 2)).rejects.toMatchObject({ code: 'ResourceInUseException' });
    harness.clock.advance(5_000);
    await harness.merge(1, 2);
  });
});

describe('UpdateShardCount', () => {
  const scale = (harness: Harness, count: number) =>
    harness.call('UpdateShardCount', { StreamName: 's', TargetShardCount: count, ScalingType: 'UNIFORM_SCALING' });

  test.each([
    [2, 4],
    [2, 3],
    [4, 3],
    [4, 2],
    [3, 5],
    [5, 8],
  ])('%i to %i ends with uniform shards', async (from, to) => {
    const harness = await Harness.start(from);
    expect(await scale(harness, to)).toMatchObject({ CurrentShardCount: from, TargetShardCount: to });
    const open = await harness.shards({ Type: 'AT_LATEST' });
    expect(open).toHaveLength(to);
    expect(holeIn(open)).toBeUndefined();
    const starts = open
      .map(({ HashKeyRange }) => BigInt(HashKeyRange.StartingHashKey))
      .sort((left, right) => (left < right ? -1 : 1));
    expect(starts).toEqual(Array.from({ length: to }, (_, index) => (2n ** 128n * BigInt(index)) / BigInt(to)));
  });

  test('2 to 4 is one split each; 4 to 2 one merge for each pair', async () => {
    const harness = await Harness.start(2);
    await scale(harness, 4);
    expect(await harness.ids()).toHaveLength(6);
    await scale(harness, 2);
    expect(await harness.ids()).toHaveLength(8);
  });

  test.each([
    [2, 5, 'LimitExceededException'],
    [4, 1, 'LimitExceededException'],
    [2, 2, 'InvalidArgumentException'],
    [2, 0, 'ValidationException'],
  ])('%i to %i is refused', async (from, to, code) => {
    const harness = await Harness.start(from);
    await expect(scale(harness, to)).rejects.toMatchObject({ code });
  });

  test('ten times a day', async () => {
    const harness = await Harness.start(1, { limits: 'enforced' });
    for (let time = 0; time < 10; time++) await scale(harness, 1 + ((time + 1) % 2));
    await expect(scale(harness, 2)).rejects.toMatchObject({ code: 'LimitExceededException' });
    harness.clock.advance(86_400_000);
    await scale(harness, 2);
  });
});

test('however a stream is resharded, its open shards tile the key space at every time, and every record is read once', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('split' as const), pick: fc.nat(), at: fc.bigInt(0n, LAST_HASH_KEY) }),
    fc.record({ kind: fc.constant('merge' as const), pick: fc.nat() }),
    fc.record({ kind: fc.constant('scale' as const), factor: fc.double({ min: 0.5, max: 2, noNaN: true }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(5_000) }),
    fc.record({ kind: fc.constant('put' as const), key: fc.bigInt(0n, LAST_HASH_KEY) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 25 }), async (count, steps) => {
      const harness = await Harness.start(count);
      const began = harness.clock.now();
      const sent: { sequence: bigint; text: string; hashKey: bigint; shardId: string }[] = [];
      for (const action of steps) {
        const open = await harness.shards({ Type: 'AT_LATEST' });
        expect(holeIn(open)).toBeUndefined();
        const number = ({ ShardId }: { ShardId: string }) => Number(ShardId.slice(8));
        if (action.kind === 'put') {
          const text = `record ${sent.length}`;
          const { SequenceNumber, ShardId } = await harness.put(text, 'k', action.key);
          sent.push({ sequence: BigInt(SequenceNumber), text, hashKey: action.key, shardId: ShardId });
        } else if (action.kind === 'wait') harness.clock.advance(action.ms);
        else if (action.kind === 'scale') {
          const target = Math.max(1, Math.min(16, Math.round(open.length * action.factor)));
          const fits = target !== open.length && target <= open.length * 2 && target * 2 >= open.length;
          if (fits)
            await harness.call('UpdateShardCount', {
              StreamName: 's',
              TargetShardCount: target,
              ScalingType: 'UNIFORM_SCALING',
            });
        } else if (action.kind === 'split') {
          const shard = open[action.pick % open.length] as (typeof open)[number];
          const [start, end] = [BigInt(shard.HashKeyRange.StartingHashKey), BigInt(shard.HashKeyRange.EndingHashKey)];
          if (end - start > 4n) await harness.split(number(shard), start + 2n + (action.at % (end - start - 2n)));
        } else {
          const sorted = [...open].sort((left, right) =>
            BigInt(left.HashKeyRange.StartingHashKey) < BigInt(right.HashKeyRange.StartingHashKey) ? -1 : 1,
          );
          const at = action.pick % sorted.length;
          const [lower, upper] = [sorted[at], sorted[at + 1]];
          if (lower !== undefined && upper !== undefined) await harness.merge(number(lower), number(upper));
        }
      }
      for (
        let time = began;
        time <= harness.clock.now();
        time += Math.max(1, Math.ceil((harness.clock.now() - began) / 7))
      ) {
        expect(holeIn(await harness.shards({ Type: 'AT_TIMESTAMP', Timestamp: time / 1_000 }))).toBeUndefined();
      }
      expect(holeIn(await harness.shards({ Type: 'AT_TRIM_HORIZON' }))).toBeUndefined();
      expect(sent.every(({ sequence }, index) => index === 0 || sequence > (sent[index - 1]?.sequence ?? 0n))).toBe(
        true,
      );

      // Following ChildShards from the trim horizon meets every shard once and every record in its own shard.
      const all = await harness.shards();
      const queue = (await harness.ids({ Type: 'AT_TRIM_HORIZON' })).map(id);
      const visited = new Set<string>();
      const read: string[] = [];
      for (let shardId = queue.shift(); shardId !== undefined; shardId = queue.shift()) {
        if (visited.has(shardId)) continue;
        visited.add(shardId);
        const output = await harness.get(await harness.iterator(Number(shardId.slice(8)), 'TRIM_HORIZON'));
        read.push(...texts(output).map((text) => `${shardId} ${text}`));
        expect(output.NextShardIterator === undefined).toBe(output.ChildShards !== undefined);
        queue.push(...(output.ChildShards ?? []).map(({ ShardId }) => ShardId));
      }
      expect(visited.size).toBe(all.length);
      expect(read.sort()).toEqual(sent.map(({ shardId, text }) => `${shardId} ${text}`).sort());
      for (const { shardId, hashKey } of sent) {
        const range = all.find(({ ShardId }) => ShardId === shardId)?.HashKeyRange;
        expect(BigInt(range?.StartingHashKey ?? -1) <= hashKey && hashKey <= BigInt(range?.EndingHashKey ?? -1)).toBe(
          true,
        );
      }
    }),
    { numRuns: 100, seed: 20_261_123 },
  );
});
