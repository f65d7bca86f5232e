/** Bugs of the fold: completeness, freeze, fold, seal and the marks that say what is still to be folded. */
import { readParquet, writeParquet, type ParquetColumn } from '../../consumer/lake/parquet';
import { GENERATION_SK_PREFIX } from '../../consumer/lake/registry-items';
import type { Item, Write } from '../../consumer/lake/stores/registry-store';
import type { GenerationInputs } from '../../lib/contracts/documents';
import { partitionOf } from '../../lib/contracts/lake-layout';
import {
  HEADS_PK_PREFIX,
  PARTITION_SK,
  partitionPk,
  SEGMENT_SK_PREFIX,
  UNFOLDED_INDEX_HASH,
} from '../../lib/contracts/registry';
import { HOUR, USE_CASE } from '../use-case';
import { withObjects, withRegistry } from './decorate';
import type { Mutant, Plain, Seam } from './mutant';
import { deadSeals, lateSeals, reshards, slowHeads, stragglers } from './schedules';

const KEY_SPACE_END = String(2n ** 128n - 1n);
const isUnmark = (write: Write): boolean => 'update' in write && write.remove?.includes(UNFOLDED_INDEX_HASH) === true;

/** Changes the heads that the coordinator reads to see how far all shards are committed. */
function withHeads(plain: Plain, change: (heads: Item[], pk: string) => Item[]): Plain {
  return withRegistry(plain, (registry) => ({
    query: async (pk, prefix) => {
      const items = await registry.query(pk, prefix);
      return pk.startsWith(HEADS_PK_PREFIX) ? change(items, pk) : items;
    },
  }));
}

/** Changes what `_inputs.json` says to whoever reads it. */
function withInputs(plain: Plain, change: (inputs: GenerationInputs) => GenerationInputs): Plain {
  return withObjects(plain, (objects) => ({
    get: async (key, range) => {
      const bytes = await objects.get(key, range);
      if (bytes === undefined || !key.endsWith('/_inputs.json')) return bytes;
      return Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(bytes).toString('utf8')) as GenerationInputs)));
    },
  }));
}

/** Reads all partitions before the heads, and answers from that for as long as the heads hold. */
function withEarlyPartitions(plain: Plain, { serviceTime }: Seam): Plain {
  return withRegistry(plain, (registry) => {
    let early = Promise.resolve(new Map<string, Item[]>());
    const look = async (): Promise<Map<string, Item[]>> => {
      const found = new Map<string, Item[]>();
      for (let back = 0; back < 4; back++) {
        const pk = partitionPk(partitionOf(USE_CASE, serviceTime() - back * HOUR));
        found.set(pk, await registry.query(pk));
      }
      return found;
    };
    return {
      query: async (pk, prefix = '') => {
        if (pk === `${HEADS_PK_PREFIX}0`) early = look();
        if (pk.startsWith(HEADS_PK_PREFIX)) await early;
        const known = (await early.catch(() => new Map<string, Item[]>())).get(pk);
        return known?.filter(({ sk }) => sk.startsWith(prefix)) ?? registry.query(pk, prefix);
      },
    };
  });
}

/** Rewrites columns of the segments that a fold reads. */
function withSegments(plain: Plain, change: (column: ParquetColumn) => ParquetColumn): Plain {
  return withObjects(plain, (objects) => ({
    get: async (key, range) => {
      const bytes = await objects.get(key);
      if (bytes === undefined || range !== undefined || !key.startsWith('readings/')) return objects.get(key, range);
      const text = ['device', 'sequence_number', 'message_id', 'content_hash'];
      const times = ['event_time', 'received', 'arrival'];
      const integers = ['sub_sequence_number', 'element'];
      const names = [...text, ...times, ...integers, 'temperature', 'humidity'];
      const columns = await readParquet(bytes.slice().buffer as ArrayBuffer, names);
      const rewritten = names.map((name): ParquetColumn => {
        const values = columns.get(name)!;
        const nullable = name === 'message_id' || name === 'temperature' || name === 'humidity';
        if (text.includes(name)) return { name, type: 'STRING', nullable, data: values as string[] };
        if (integers.includes(name))
          return { name, type: 'INT32', nullable, data: Int32Array.from(values as number[]) };
        const data = Float64Array.from(values as (number | null)[], (value) => value ?? NaN);
        return { name, type: times.includes(name) ? 'TIMESTAMP' : 'DOUBLE', nullable, data };
      });
      return writeParquet(rewritten.map(change)).bytes;
    },
  }));
}

export const foldMutants: readonly Mutant[] = [
  {
    name: 'fold-before-complete',
    bug: 'an hour is folded when its time is over, without asking how far the shards are committed',
    inject: (plain, { serviceTime }) =>
      withHeads(plain, (heads) => heads.map((head) => ({ ...head, progress: serviceTime() }))),
  },
  {
    name: 'blind-to-holes',
    bug: 'shards that nobody has opened yet do not count, so that their records are overlooked',
    schedule: reshards,
    inject: (plain, { serviceTime }) =>
      withHeads(plain, (heads, pk) =>
        pk !== `${HEADS_PK_PREFIX}0`
          ? heads
          : [
              ...heads,
              {
                pk,
                sk: 'everything',
                shardId: 'everything',
                end: 'TRIM_HORIZON',
                partial: false,
                progress: serviceTime(),
                startingHashKey: '0',
                endingHashKey: KEY_SPACE_END,
                finished: false,
              },
            ],
      ),
  },
  {
    name: 'fresh-heads-ignored',
    bug: 'a shard that has committed nothing yet does not hold the hour open',
    schedule: reshards,
    inject: (plain, { serviceTime }) =>
      withHeads(plain, (heads) =>
        heads.map((head) => (head['progress'] === 0 ? { ...head, progress: serviceTime() } : head)),
      ),
  },
  {
    name: 'finished-heads-hold',
    bug: 'a shard that was read to its end still holds hours open, as ListShards names it for a day',
    schedule: reshards,
    inject: (plain) => withHeads(plain, (heads) => heads.map((head) => ({ ...head, finished: false }))),
  },
  {
    name: 'registry-before-heads',
    bug: 'the segments are read before the heads say that they are complete',
    schedule: slowHeads,
    inject: withEarlyPartitions,
  },
  {
    name: 'freeze-not-fixed',
    bug: 'a generation that is frozen already is frozen anew by whoever comes',
    inject: (plain) =>
      withObjects(plain, (objects) => ({
        create: async (key, body, metadata) => {
          const created = await objects.create(key, body, metadata);
          return key.endsWith('/_inputs.json') ? 'created' : created;
        },
      })),
  },
  {
    name: 'freeze-no-superset',
    bug: 'a later generation lacks a segment of the one before',
    inject: (plain) =>
      withObjects(plain, (objects) => ({
        create: (key, body, metadata) => {
          if (!key.endsWith('/_inputs.json')) return objects.create(key, body, metadata);
          const inputs = JSON.parse(Buffer.from(body).toString('utf8')) as GenerationInputs;
          const segments = inputs.generation > 1 ? inputs.segments.slice(1) : inputs.segments;
          return objects.create(key, Buffer.from(JSON.stringify({ ...inputs, segments })), metadata);
        },
      })),
  },
  {
    name: 'build-not-pinned',
    bug: 'a generation that another build froze is folded by this one',
    inject: (plain, { build }) => withInputs(plain, (inputs) => ({ ...inputs, codeVersion: build })),
  },
  {
    name: 'mark-per-partition',
    bug: 'the seal clears the marks of all segments of its hour, those that came since included',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        transact: async (writes) => {
          const unmark = writes.find((write) => isUnmark(write)) as { update: { pk: string } } | undefined;
          if (unmark === undefined) return registry.transact(writes);
          const named = new Set(writes.map((write) => ('update' in write ? write.update.sk : '')));
          const all = await registry.query(unmark.update.pk, SEGMENT_SK_PREFIX);
          const more = all.filter(({ sk }) => !named.has(sk));
          const remove = [UNFOLDED_INDEX_HASH, 'unfoldedPartition'];
          return registry.transact([...writes, ...more.map(({ pk, sk }): Write => ({ update: { pk, sk }, remove }))]);
        },
      })),
  },
  {
    name: 'unmark-before-seal',
    bug: 'the marks go as soon as a fold begins',
    inject: (plain) =>
      withObjects(plain, (objects) => ({
        create: async (key, body, metadata) => {
          if (key.endsWith('/_inputs.json')) {
            const { segments, hour, useCase } = JSON.parse(Buffer.from(body).toString('utf8')) as GenerationInputs;
            const pk = `PARTITION#${useCase}#${hour}`;
            for (const { key: segment } of segments) {
              const name = segment.slice(segment.lastIndexOf('/') + 1, -'.parquet'.length);
              const remove = [UNFOLDED_INDEX_HASH, 'unfoldedPartition'];
              await plain.registry.write({ update: { pk, sk: `${SEGMENT_SK_PREFIX}${name}` }, remove });
            }
          }
          return objects.create(key, body, metadata);
        },
      })),
  },
  {
    name: 'no-tail-mark',
    bug: 'an hour whose windows reach back into the changed hour before is not folded again',
    schedule: stragglers,
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        transact: (writes) =>
          registry.transact(writes.filter((write) => !('put' in write && write.put.sk.startsWith('TAIL#')))),
      })),
  },
  {
    name: 'generation-unmarked',
    bug: 'a generation is opened past another build’s without a mark, so that nobody misses it when its worker dies',
    schedule: deadSeals,
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        write: async (write) =>
          'put' in write && write.put.sk.startsWith(GENERATION_SK_PREFIX) ? undefined : registry.write(write),
      })),
  },
  {
    name: 'tail-not-frozen',
    bug: 'rolling features do not see the hour before',
    inject: (plain) => {
      const empty = withInputs(plain, (inputs) => ({ ...inputs, tailSegments: [] }));
      return withRegistry(empty, (registry) => ({
        // The coordinator asks for segments alone only of the hour before.
        query: async (pk, prefix) => (prefix === SEGMENT_SK_PREFIX ? [] : registry.query(pk, prefix)),
      }));
    },
  },
  {
    name: 'no-deduplication',
    bug: 'a reading that was delivered twice counts twice',
    inject: (plain) => {
      let rows = 0;
      return withSegments(plain, (column) =>
        column.name === 'message_id'
          ? { ...column, data: Array.from({ length: column.data.length }, () => `row-${rows++}`) }
          : column,
      );
    },
  },
  {
    name: 'dedupe-by-arrival-only',
    bug: 'of two readings with one message id that arrived in one millisecond, the one that was loaded first stays',
    inject: (plain) =>
      withSegments(plain, (column) => {
        if (column.name === 'sequence_number')
          return { ...column, data: Array.from({ length: column.data.length }, () => '0') };
        return column.name === 'element' ? { ...column, data: new Int32Array(column.data.length) } : column;
      }),
  },
  {
    name: 'generation-goes-back',
    bug: 'the registry takes an older generation over a newer one',
    schedule: lateSeals,
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        transact: (writes) =>
          registry.transact(
            writes.map((write) =>
              'update' in write && write.update.sk === PARTITION_SK ? { ...write, condition: [] } : write,
            ),
          ),
      })),
  },
  {
    name: 'task-claimed-by-all',
    bug: 'a fold task is worked on by everybody at once',
    survives: 'a claim only saves work: a part is created once, from frozen inputs, by one build',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        write: (write) => {
          const isClaim =
            'update' in write && write.update.sk.startsWith('TASK#') && write.set?.['owner'] !== undefined;
          return registry.write(isClaim ? { ...write, condition: [[{ path: 'state', equals: 'open' }]] } : write);
        },
      })),
  },
  {
    name: 'leader-lock-unconditional',
    bug: 'every worker holds the lock of the fold at once',
    survives: 'the lock only saves work: freeze and seal are create-only',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        write: (write) =>
          registry.write('update' in write && write.update.pk === 'LOCK' ? { ...write, condition: [] } : write),
        get: async (key) => {
          const item = await registry.get(key);
          return key.pk === 'LOCK' && item !== undefined ? ({ ...item, owner: undefined } as Item) : item;
        },
      })),
  },
];
