/** Bugs of reading the stream: iterators, the tip, shard ends, parents and children, leases. */
import type { GetRecordsResult, Item, KinesisRecord } from '../../consumer/kcl/dependencies';
import { withDynamoDb, withKinesis } from './decorate';
import type { Mutant, Plain, Seam } from './mutant';
import { mergesBehind } from './schedules';

/** Every third read that would have given records gives none, short of the tip: GetRecords may do that at any time. */
function emptyReads(plain: Plain, { serviceTime }: Seam): Plain {
  let count = 0;
  return withKinesis(plain, (kinesis) => ({
    getRecords: async (input, signal) => {
      const read = await kinesis.getRecords(input, signal);
      const [first] = read.records;
      if (first === undefined || read.nextShardIterator === undefined || count++ % 3 !== 0) return read;
      const millisBehindLatest = Math.max(1, serviceTime() - first.approximateArrivalTimestamp);
      return { ...read, records: [], nextShardIterator: input.shardIterator, millisBehindLatest };
    },
  }));
}

/** A row of the lease table without the parents. */
function orphaned(row: Item): Item {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'parentShardId'));
}

const orphanedMember = <Name extends string>(name: Name, row: Item | undefined): { [name in Name]?: Item } =>
  (row === undefined ? {} : { [name]: orphaned(row) }) as { [name in Name]?: Item };

export const readingMutants: readonly Mutant[] = [
  {
    name: 'tip-without-proof',
    bug: 'a read that gave nothing counts as having reached the tip, whatever millisBehindLatest says',
    service: emptyReads,
    inject: (plain) =>
      withKinesis(plain, (kinesis) => ({
        getRecords: async (input, signal) => ({ ...(await kinesis.getRecords(input, signal)), millisBehindLatest: 0 }),
      })),
  },
  {
    name: 'idle-with-rows-buffered',
    bug: "an idle shard's progress moves while records that were read are still held back",
    inject: (plain) => {
      const held = new Map<string, readonly KinesisRecord[]>();
      return withKinesis(plain, (kinesis) => ({
        getRecords: async (input, signal): Promise<GetRecordsResult> => {
          const read = await kinesis.getRecords(input, signal);
          const records = held.get(input.shardIterator) ?? [];
          if (read.nextShardIterator === undefined) return { ...read, records: [...records, ...read.records] };
          held.set(read.nextShardIterator, read.records);
          return { ...read, records };
        },
      }));
    },
  },
  {
    name: 'iterator-skips',
    bug: 'reading goes on one record too late after a lease has moved or an iterator has expired',
    inject: (plain) =>
      withKinesis(plain, (kinesis) => ({
        getShardIterator: async (input, signal) => {
          const iterator = await kinesis.getShardIterator(input, signal);
          const { type } = input.position;
          if (type !== 'AFTER_SEQUENCE_NUMBER' && type !== 'AT_SEQUENCE_NUMBER') return iterator;
          // At a sequence number, the record that is read already comes first.
          const limit = type === 'AT_SEQUENCE_NUMBER' ? 2 : 1;
          const next = await kinesis.getRecords({ shardIterator: iterator, limit }, signal).catch(() => undefined);
          return next?.nextShardIterator ?? iterator;
        },
      })),
  },
  {
    name: 'start-at-latest',
    bug: 'a shard that nobody has read yet is read from where it is when it is opened',
    inject: (plain, { serviceTime }) =>
      withKinesis(plain, (kinesis) => ({
        getShardIterator: (input, signal) => {
          const position =
            input.position.type === 'TRIM_HORIZON'
              ? ({ type: 'AT_TIMESTAMP', timestamp: serviceTime() } as const)
              : input.position;
          return kinesis.getShardIterator({ ...input, position }, signal);
        },
      })),
  },
  {
    name: 'shard-end-too-early',
    bug: 'a closed shard is finished with the records of its last read still to come',
    inject: (plain) =>
      withKinesis(plain, (kinesis) => ({
        getRecords: async (input, signal) => {
          const read = await kinesis.getRecords(input, signal);
          return read.nextShardIterator === undefined ? { ...read, records: [] } : read;
        },
      })),
  },
  {
    name: 'parent-order-ignored',
    bug: 'a child shard does not wait for its parents',
    schedule: mergesBehind,
    inject: (plain) =>
      withDynamoDb(plain, (dynamodb) => ({
        scan: async (input, signal) => {
          const page = await dynamodb.scan(input, signal);
          return { ...page, Items: page.Items.map(orphaned) };
        },
        getItem: async (input, signal) => orphanedMember('Item', (await dynamodb.getItem(input, signal)).Item),
        updateItem: async (input, signal) =>
          orphanedMember('Attributes', (await dynamodb.updateItem(input, signal)).Attributes),
      })),
  },
  {
    name: 'leases-unconditional',
    bug: 'a lease is taken and renewed whatever its counter says, so that several workers own one shard',
    survives: 'leases only say who should work: every append is conditional on the head alone',
    inject: (plain) =>
      withDynamoDb(plain, (dynamodb) => ({
        updateItem: ({ ConditionExpression, ...input }, signal) => {
          const names = Object.values(input.ExpressionAttributeNames ?? {});
          const isForeign = names.includes('leaseOwner') && !names.includes('checkpoint');
          if (ConditionExpression === undefined || !isForeign) {
            return dynamodb.updateItem({ ...input, ConditionExpression }, signal);
          }
          // Deleted rows stay deleted: that is another rule.
          const anyway = `(${ConditionExpression}) OR attribute_exists(leaseKey)`;
          return dynamodb.updateItem({ ...input, ConditionExpression: anyway }, signal);
        },
      })),
  },
];
