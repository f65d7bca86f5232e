/** Bugs of the append: intent, effect, commit. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Pending } from '../../consumer/lake/append/head';
import type { Condition, Item, Write } from '../../consumer/lake/stores/registry-store';
import { HEADS_PK_PREFIX } from '../../lib/contracts/registry';
import { S3ObjectStore } from '../../consumer/lake/stores/s3-object-store';
import { withObjects, withRegistry } from './decorate';
import type { Mutant } from './mutant';
import { sleepers } from './schedules';

type Update = Extract<Write, { update: unknown }>;

const isHead = (write: Write): write is Update => 'update' in write && write.update.pk.startsWith(HEADS_PK_PREFIX);
const isIntent = (write: Write): write is Update => isHead(write) && write.set?.['pending'] !== undefined;
const isCommit = (write: Write): write is Update => isHead(write) && write.set?.['end'] !== undefined;

function without(condition: Condition | undefined, path: string): Condition {
  return (condition ?? []).map((tests) => tests.filter((test) => test.path !== path));
}

/** Weakens the condition of some writes. */
function weakened(is: (write: Write) => write is Update, change: (condition: Condition | undefined) => Condition) {
  return (write: Write): Write => (is(write) ? { ...write, condition: change(write.condition) } : write);
}

function mutantOfWrites(
  name: string,
  bug: string,
  change: (write: Write) => Write,
  more: Pick<Mutant, 'schedule' | 'survives'> = {},
): Mutant {
  return {
    name,
    bug,
    ...more,
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        write: (write) => registry.write(change(write)),
        transact: (writes) => registry.transact(writes.map(change)),
      })),
  };
}

export const appendMutants: readonly Mutant[] = [
  mutantOfWrites(
    'intent-over-foreign-pending',
    'an intent is written over the one of another worker',
    weakened(isIntent, (condition) => [(condition ?? [])[0]!.filter(({ path }) => path === 'end')]),
    { schedule: sleepers('UpdateItem registry/HEADS', 'dynamodb') },
  ),
  mutantOfWrites(
    'intent-ignores-end',
    'an intent is written though the log has moved on',
    weakened(isIntent, (condition) => without(condition, 'end')),
  ),
  mutantOfWrites(
    'commit-without-id',
    'a commit does not ask whether the pending intent is its own',
    weakened(isCommit, (condition) => without(condition, 'pending.id')),
    { schedule: sleepers('PutObject readings/', 's3') },
  ),
  mutantOfWrites(
    'commit-unconditional',
    'a commit asks for nothing',
    weakened(isCommit, () => []),
  ),
  {
    name: 'commit-before-put',
    bug: 'the commit does not wait for the objects',
    inject: (plain, { clock }) =>
      withObjects(plain, (objects) => ({
        create: async (key, body, metadata) => {
          if (!key.startsWith('readings/')) return objects.create(key, body, metadata);
          void clock
            .sleep(500)
            .then(() => objects.create(key, body, metadata))
            .catch(() => undefined);
          return 'created';
        },
      })),
  },
  {
    name: 'overwrite-allowed',
    bug: 'a PUT replaces what stands there',
    inject: (plain, { s3, clock }) => {
      const send = (command: { input: { IfNoneMatch?: string } }): unknown => {
        delete command.input.IfNoneMatch;
        return s3.send(command as never);
      };
      return { ...plain, objects: new S3ObjectStore({ send } as unknown as S3Client, 'lake', clock) };
    },
  },
  {
    name: 'put-failure-ignored',
    bug: 'a PUT that failed counts as done',
    inject: (plain) =>
      withObjects(plain, (objects) => ({
        create: (key, body, metadata) => objects.create(key, body, metadata).catch(() => 'created' as const),
      })),
  },
  {
    name: 'no-roll-forward',
    bug: 'the intent that another worker left is not seen, so nobody finishes it',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        get: async (key) => {
          const item = await registry.get(key);
          if (item === undefined || !key.pk.startsWith(HEADS_PK_PREFIX)) return item;
          return { ...item, pending: undefined } as Item;
        },
      })),
  },
  {
    name: 'foreign-intent-lost',
    bug: 'an intent of another worker is taken away, and its objects are left behind unregistered',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        get: async (key) => {
          const item = await registry.get(key);
          const pending = item?.['pending'] as Pending | undefined;
          if (item === undefined || pending === undefined || !key.pk.startsWith(HEADS_PK_PREFIX)) return item;
          const end = pending.end;
          await registry.write({ update: key, set: { end }, remove: ['pending'] });
          return { ...item, end, pending: undefined } as Item;
        },
      })),
  },
  {
    name: 'lost-answer-is-success',
    bug: 'a write whose answer was lost is taken for done',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        write: (write) => (isIntent(write) ? registry.write(write) : registry.write(write).catch(() => undefined)),
        transact: (writes) => registry.transact(writes).catch(() => undefined),
      })),
  },
  {
    name: 'progress-by-own-clock',
    bug: "a commit moves the progress to the worker's own time, with records buffered or unread",
    inject: (plain, { serviceTime }) =>
      withRegistry(plain, (registry) => ({
        transact: (writes) =>
          registry.transact(
            writes.map((write) =>
              isCommit(write) ? { ...write, set: { ...write.set, progress: serviceTime() } } : write,
            ),
          ),
      })),
  },
  {
    name: 'ledger-row-missing',
    bug: 'the commit forgets to count what it held',
    inject: (plain) =>
      withRegistry(plain, (registry) => ({
        transact: (writes) =>
          registry.transact(writes.filter((write) => !('put' in write && write.put.pk.startsWith('LEDGER#')))),
      })),
  },
];
