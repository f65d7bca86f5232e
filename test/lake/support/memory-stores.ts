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

export class MemoryRegistry implements RegistryStore {
  readonly items = new Map<string, Item>();
  requests = 0;
  constructor(private readonly fault: FaultHook = () => undefined) {}

  private async call<Result>(operation: string, subject: string, apply: () => Result): Promise<Result> {
    this.requests++;
    await this.fault(operation, 'before', subject);
    const result = copy(apply());
    await this.fault(operation, 'after', subject);
    return result;
  }

  static name({ pk, sk }: Key): string {
    return `${pk}|${sk}`;
  }

  get(key: Key): Promise<Item | undefined> {
    return this.call('registry.get', MemoryRegistry.name(key), () => this.items.get(MemoryRegistry.name(key)));
  }

  getMany(keys: readonly Key[]): Promise<Item[]> {
    return this.call('registry.getMany', '', () =>
      keys.flatMap((key) => {
        const item = this.items.get(MemoryRegistry.name(key));
        return item === undefined ? [] : [item];
      }),
    );
  }

  query(pk: string, prefix = ''): Promise<Item[]> {
    return this.call('registry.query', pk, () => this.all((item) => item.pk === pk && item.sk.startsWith(prefix)));
  }

  unfolded({ hash, after, before, limit }: UnfoldedQuery): Promise<Item[]> {
    return this.call('registry.unfolded', hash, () =>
      this.all((item) => {
        const range = item['unfoldedPartition'] as string;
        return (
          item['unfolded'] === hash &&
          (after === undefined || range > after) &&
          (before === undefined || range < before)
        );
      })
        .sort((a, b) => ((a['unfoldedPartition'] as string) < (b['unfoldedPartition'] as string) ? -1 : 1))
        .slice(0, limit),
    );
  }

  write(write: Write): Promise<void> {
    return this.call('registry.write', MemoryRegistry.name(keyOf(write)), () => this.apply([write]));
  }

  transact(writes: readonly Write[]): Promise<void> {
    if (writes.length > 100) throw new Error(`a transaction takes 100 actions, got ${writes.length}`);
    const names = writes.map((write) => MemoryRegistry.name(keyOf(write)));
    if (new Set(names).size !== names.length) throw new Error('a transaction takes one action an item');
    return this.call('registry.transact', names[0] ?? '', () => this.apply(writes));
  }

  all(test: (item: Item) => boolean): Item[] {
    return [...this.items.values()]
      .filter(test)
      .sort((a, b) => (MemoryRegistry.name(a) < MemoryRegistry.name(b) ? -1 : 1));
  }

  private apply(writes: readonly Write[]): void {
    for (const write of writes) {
      const item = this.items.get(MemoryRegistry.name(keyOf(write)));
      if (!holds(item, write.condition))
        throw new ConditionFailedError(`condition on ${MemoryRegistry.name(keyOf(write))}`);
    }
    for (const write of writes) {
      const key = keyOf(write);
      const name = MemoryRegistry.name(key);
      if ('put' in write) this.items.set(name, copy(write.put));
      else if ('delete' in write) this.items.delete(name);
      else {
        const item: Record<string, unknown> = {
          ...(this.items.get(name) ?? { pk: key.pk, sk: key.sk }),
          ...copy(write.set ?? {}),
        };
        for (const attribute of write.remove ?? []) delete item[attribute];
        this.items.set(name, item as Item);
      }
    }
  }
}

export interface StoredObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

export class MemoryObjects implements ObjectStore {
  readonly objects = new Map<string, StoredObject>();
  requests = 0;
  constructor(private readonly fault: FaultHook = () => undefined) {}

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
