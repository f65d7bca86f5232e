/** A table: its settings, its items by key, and its indexes. Knows no API shapes. */
import { equalValues, itemSize } from './attribute-value';
import type { AttributeValue, Item } from './attribute-value';
import { ItemIndex } from './item-index';
import type { StoredItem } from './item-index';
import { keyString } from './schema';
import type { IndexSchema, KeySchema } from './schema';

/** Kept in the journal as it stands. */
export interface TableSettings {
  readonly name: string;
  readonly id: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** Epoch milliseconds until which the table is CREATING or UPDATING. */
  readonly readyAt: number;
  readonly keys: KeySchema;
  readonly attributes: readonly { readonly AttributeName: string; readonly AttributeType: string }[];
  readonly indexes: readonly IndexSchema[];
  readonly billingMode: 'PAY_PER_REQUEST' | 'PROVISIONED';
  readonly throughput: { readonly ReadCapacityUnits: number; readonly WriteCapacityUnits: number };
  readonly deletionProtection: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly timeToLiveAttribute?: string;
  readonly pointInTimeRecovery?: { readonly enabledAt: number; readonly days: number };
  /** Given at creation and described again; without effect here. */
  readonly described: Readonly<Record<string, unknown>>;
}

export class Table {
  private readonly items = new Map<string, StoredItem>();
  readonly primary = new ItemIndex();
  private readonly secondary = new Map<string, ItemIndex>();
  private totalSize = 0;

  constructor(private current: TableSettings) {
    for (const index of current.indexes) this.secondary.set(index.indexName, new ItemIndex());
  }

  get settings(): TableSettings {
    return this.current;
  }

  get keys(): KeySchema {
    return this.settings.keys;
  }

  get itemCount(): number {
    return this.items.size;
  }

  get sizeBytes(): number {
    return this.totalSize;
  }

  get(key: string): StoredItem | undefined {
    return this.items.get(key);
  }

  all(): IterableIterator<StoredItem> {
    return this.items.values();
  }

  index(name: string): ItemIndex | undefined {
    return this.secondary.get(name);
  }

  /** Items that have the index's keys. */
  countIn(index: IndexSchema): number {
    let count = 0;
    for (const { item } of this.items.values()) if (isIn(index, item)) count++;
    return count;
  }

  /** The item is canonical and has been checked. */
  put(item: Item): void {
    const key = keyString(this.keys, item);
    const stored: StoredItem = { item, size: itemSize(item), key };
    const before = this.items.get(key);
    if (before !== undefined) {
      this.totalSize -= before.size;
      for (const index of this.settings.indexes) {
        if (!hasEqualKeys(index, before.item, item)) this.removeFrom(index, before);
      }
    }
    this.items.set(key, stored);
    this.totalSize += stored.size;
    this.primary.put(hashOf(this.keys, item), rangeOf(this.keys, item), stored);
    for (const index of this.settings.indexes) this.putInto(index, stored);
  }

  delete(key: string): void {
    const stored = this.items.get(key);
    if (stored === undefined) return;
    this.items.delete(key);
    this.totalSize -= stored.size;
    this.primary.remove(hashOf(this.keys, stored.item), { range: rangeOf(this.keys, stored.item), key });
    for (const index of this.settings.indexes) this.removeFrom(index, stored);
  }

  /** Indexes that are new are filled, dropped ones forgotten. */
  change(settings: TableSettings): void {
    this.current = settings;
    const names = new Set(this.settings.indexes.map((index) => index.indexName));
    for (const name of this.secondary.keys()) if (!names.has(name)) this.secondary.delete(name);
    for (const index of this.settings.indexes) {
      if (this.secondary.has(index.indexName)) continue;
      this.secondary.set(index.indexName, new ItemIndex());
      for (const stored of this.items.values()) this.putInto(index, stored);
    }
  }

  private removeFrom(index: IndexSchema, { item, key }: StoredItem): void {
    if (!isIn(index, item)) return;
    this.secondary.get(index.indexName)?.remove(hashOf(index, item), { range: rangeOf(index, item), key });
  }

  private putInto(index: IndexSchema, stored: StoredItem): void {
    if (isIn(index, stored.item))
      this.secondary.get(index.indexName)?.put(hashOf(index, stored.item), rangeOf(index, stored.item), stored);
  }
}

/** Then a put into the index takes the place of the item before. */
function hasEqualKeys(index: IndexSchema, one: Item, other: Item): boolean {
  return [index.hash, index.range].every((attribute) => {
    if (attribute === undefined) return true;
    const [left, right] = [one[attribute.name], other[attribute.name]];
    return left === right || (left !== undefined && right !== undefined && equalValues(left, right));
  });
}

/** An index is sparse: it holds the items that have its keys, in the keys' types. */
function isIn(index: IndexSchema, item: Item): boolean {
  const has = ({ name, type }: { name: string; type: string }) => {
    const value = item[name];
    return value !== undefined && type in value;
  };
  return has(index.hash) && (index.range === undefined || has(index.range));
}

function hashOf(schema: KeySchema, item: Item): AttributeValue {
  return item[schema.hash.name] as AttributeValue;
}

function rangeOf(schema: KeySchema, item: Item): AttributeValue | undefined {
  return schema.range === undefined ? undefined : item[schema.range.name];
}
