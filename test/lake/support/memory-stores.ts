/** In-memory registry and lake bucket with DynamoDB's and S3's conditional semantics, and faults between the two. */
import type { ObjectHead, ObjectStore } from '../../../consumer/lake/stores/object-store';
import {
  ConditionFailedError,
  type Condition,
  type Item,
  type Key,
  type RegistryStore,
  type UnfoldedQuery,
  type Write,
} from '../../../consumer/lake/stores/registry-store';

/** Called before a request is applied (`before`) and after it was, before the answer (`after`). May throw, may wait. */
export type FaultHook = (operation: string, moment: 'before' | 'after', subject: string) => Promise<void> | void;

export class RequestLost extends Error {}

function copy<Value>(value: Value): Value {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as Value);
}

function at(item: Item | undefined, path: string): unknown {
  return path.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], item);
}

function holds(item: Item | undefined, condition: Condition | undefined): boolean {
  if (condition === undefined || condition.length === 0) return true;
  return condition.some((tests) =>
    tests.every((test) => {
      const value = at(item, test.path);
      if ('absent' in test) return value === undefined;
      if ('equals' in test) return value === test.equals;
      return typeof value === typeof test.lessThan && (value as number) < (test.lessThan as number);
    }),
  );
}

function keyOf(write: Write): Key {
  return 'put' in write ? write.put : 'update' in write ? write.update : write.delete;
}

/** The items, shared by all connections to one table. */
export class MemoryTable {
  readonly partitions = new Map<string, Map<string, Item>>();
  readonly unfolded = new Map<string, Item>();

  get({ pk, sk }: Key): Item | undefined {
    return this.partitions.get(pk)?.get(sk);
  }

  set(key: Key, item: Item | undefined): void {
    const name = `${key.pk}|${key.sk}`;
    let partition = this.partitions.get(key.pk);
    if (partition === undefined) this.partitions.set(key.pk, (partition = new Map()));
    if (item === undefined) partition.delete(key.sk);
    else partition.set(key.sk, item);
    if (item?.['unfolded'] === undefined) this.unfolded.delete(name);
    else this.unfolded.set(name, item);
  }

  query(pk: string, prefix: string): Item[] {
    const items = [...(this.partitions.get(pk)?.values() ?? [])].filter(({ sk }) => sk.startsWith(prefix));
    return items.sort((a, b) => (a.sk < b.sk ? -1 : 1));
  }

  all(): Item[] {
    return [...this.partitions.keys()].sort().flatMap((pk) => this.query(pk, ''));
  }
}

export class MemoryRegistry implements RegistryStore {
  requests = 0;
  constructor(
    readonly table = new MemoryTable(),
    private readonly fault: FaultHook = () => undefined,
  ) {}

  private async call<Result>(operation: string, subject: string, apply: () => Result): Promise<Result> {
    this.requests++;
    await this.fault(operation, 'before', subject);
    const result = copy(apply());
    await this.fault(operation, 'after', subject);
    return result;
  }

  get(key: Key): Promise<Item | undefined> {
    return this.call('registry.get', key.pk, () => this.table.get(key));
  }

  getMany(keys: readonly Key[]): Promise<Item[]> {
    return this.call('registry.getMany', '', () =>
      keys.flatMap((key) => {
        const item = this.table.get(key);
        return item === undefined ? [] : [item];
      }),
    );
  }

  query(pk: string, prefix = ''): Promise<Item[]> {
    return this.call('registry.query', pk, () => this.table.query(pk, prefix));
  }

  unfolded({ hash, after, before, limit }: UnfoldedQuery): Promise<Item[]> {
    const range = (item: Item): string => item['unfoldedPartition'] as string;
    return this.call('registry.unfolded', hash, () =>
      [...this.table.unfolded.values()]
        .filter((item) => item['unfolded'] === hash)
        .filter(
          (item) => (after === undefined || range(item) > after) && (before === undefined || range(item) < before),
        )
        .sort((a, b) => (range(a) < range(b) ? -1 : range(a) > range(b) ? 1 : a.sk < b.sk ? -1 : 1))
        .slice(0, limit),
    );
  }

  write(write: Write): Promise<void> {
    return this.call('registry.write', keyOf(write).pk, () => this.apply([write]));
  }

  async transact(writes: readonly Write[]): Promise<void> {
    if (writes.length > 100) throw new Error(`a transaction takes 100 actions, got ${writes.length}`);
    const names = writes.map((write) => `${keyOf(write).pk}|${keyOf(write).sk}`);
    if (new Set(names).size !== names.length) throw new Error('a transaction takes one action an item');
    return this.call('registry.transact', names[0] ?? '', () => this.apply(writes));
  }

  private apply(writes: readonly Write[]): void {
    for (const write of writes) {
      const key = keyOf(write);
      if (!holds(this.table.get(key), write.condition))
        throw new ConditionFailedError(`condition on ${key.pk}|${key.sk}`);
    }
    for (const write of writes) {
      const key = keyOf(write);
      if ('put' in write) this.table.set(key, copy(write.put));
      else if ('delete' in write) this.table.set(key, undefined);
      else {
        const item: Record<string, unknown> = {
          ...(this.table.get(key) ?? { pk: key.pk, sk: key.sk }),
          ...copy(write.set ?? {}),
        };
        for (const attribute of write.remove ?? []) delete item[attribute];
        this.table.set(key, item as Item);
      }
    }
  }
}

export interface StoredObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

export class MemoryObjects implements ObjectStore {
  requests = 0;
  constructor(
    readonly objects = new Map<string, StoredObject>(),
    private readonly fault: FaultHook = () => undefined,
  ) {}

  async create(
    key: string,
    body: Uint8Array,
    metadata: Readonly<Record<string, string>>,
  ): Promise<'created' | 'exists'> {
    this.requests++;
    await this.fault('objects.create', 'before', key);
    const exists = this.objects.has(key);
    if (!exists) this.objects.set(key, { body: Uint8Array.from(body), metadata: { ...metadata } });
    await this.fault('objects.create', 'after', key);
    return exists ? 'exists' : 'created';
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    this.requests++;
    await this.fault('objects.head', 'before', key);
    const object = this.objects.get(key);
    return object === undefined ? undefined : { bytes: object.body.length, metadata: object.metadata };
  }

  async get(key: string, range?: { start: number; end: number }): Promise<Uint8Array | undefined> {
    this.requests++;
    await this.fault('objects.get', 'before', key);
    const body = this.objects.get(key)?.body;
    return range === undefined ? body : body?.subarray(range.start, range.end);
  }

  json<Document>(key: string): Document {
    return JSON.parse(Buffer.from(this.objects.get(key)!.body).toString('utf8')) as Document;
  }

  keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}
