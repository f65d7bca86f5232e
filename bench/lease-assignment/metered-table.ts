/** The in-memory lease table of the tests, with pages as large as the service's, and a meter. */
import type { Item, UpdateItemInput } from '../../consumer/kcl/dependencies';
import { isLeaseItem, itemFromLease } from '../../consumer/kcl/leases/lease-serializer';
import { newLease, type Lease } from '../../consumer/kcl/leases/lease';
import { FakeTable, type Write } from '../../test/kcl/support/fake-dynamodb';
import { indexEntries, itemBytes, PAGE_BYTES, type Meter } from './meter';

interface Entry {
  readonly key: string;
  item: Item;
  bytes: number;
}

const ENTRY_BYTES = 100;

export class MeteredTable extends FakeTable {
  /** Of leases, by who works on them. */
  readonly ownedBy = new Map<string | undefined, Set<string>>();
  moved = 0;
  private readonly entries = new Map<string, Entry>();
  private sorted: Entry[] | undefined;
  /** Keys by `leaseOwner`, as the index has them. */
  private readonly index = new Map<string, Set<string>>();

  constructor(private readonly meter: Meter) {
    super();
    this.onWrite = (write) => this.note(write);
  }

  /** A row as shard sync makes it, not counted. */
  addLease(shardId: string, hashKeyRange: NonNullable<Lease['hashKeyRange']>): void {
    const after = itemFromLease(
      newLease(shardId, { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 }, [], hashKeyRange),
    );
    this.rows.set(shardId, { ...after });
    this.remember({ operation: 'put', caller: '', key: shardId, before: undefined, after });
  }

  override get(key: Item): Item | undefined {
    const item = super.get(key);
    this.meter.read(this.entries.get(key['leaseKey']?.S ?? '')?.bytes ?? 0, true);
    return item;
  }

  override put(...args: Parameters<FakeTable['put']>): void {
    this.refusedCounts(() => super.put(...args));
  }

  override update(input: UpdateItemInput, caller: string): Item {
    return this.refusedCounts(() => super.update(input, caller));
  }

  /** Of one page, strongly consistent. */
  override scan(start: Item | undefined): { Items: Item[]; LastEvaluatedKey?: Item } {
    this.sorted ??= [...this.entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const Items: Item[] = [];
    let bytes = 0;
    const from = start ? this.sorted.findIndex(({ key }) => key > (start['leaseKey']?.S ?? '')) : 0;
    for (let i = from; i >= 0 && i < this.sorted.length; i++) {
      const entry = this.sorted[i] as Entry;
      if (bytes + entry.bytes > PAGE_BYTES) {
        this.meter.scan(bytes, true);
        return { Items, LastEvaluatedKey: { leaseKey: { S: (this.sorted[i - 1] as Entry).key } } };
      }
      bytes += entry.bytes;
      Items.push(entry.item);
    }
    this.meter.scan(bytes, true);
    return { Items };
  }

  override query(owner: string): Item[] {
    const keys = [...(this.index.get(owner) ?? [])];
    this.meter.read(keys.length * ENTRY_BYTES, false);
    return keys.map((key) => ({ leaseKey: { S: key }, leaseOwner: { S: owner } }));
  }

  /** A write that its condition refuses is paid for, too. */
  private refusedCounts<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      this.meter.write(0, 0);
      throw error;
    }
  }

  private note(write: Write): void {
    const { key, before, after } = write;
    const old = this.entries.get(key)?.bytes ?? 0;
    this.remember(write);
    const bytes = Math.max(old, this.entries.get(key)?.bytes ?? 0);
    this.meter.write(bytes, indexEntries(before?.['leaseOwner']?.S, after?.['leaseOwner']?.S));
  }

  private remember({ key, before, after }: Write): void {
    const entry = this.entries.get(key);
    if (entry && after) [entry.item, entry.bytes] = [after, itemBytes(after)];
    else {
      if (after) this.entries.set(key, { key, item: after, bytes: itemBytes(after) });
      else this.entries.delete(key);
      this.sorted = undefined;
    }
    const [was, is] = [before?.['leaseOwner']?.S, after?.['leaseOwner']?.S];
    if (was !== is) {
      if (was !== undefined) this.index.get(was)?.delete(key);
      if (is !== undefined) setOf(this.index, is).add(key);
    }
    if (after && isLeaseItem(after)) this.noteOwner(key, before !== undefined, readerOf(before), readerOf(after));
  }

  private noteOwner(key: string, existed: boolean, before: string | undefined, after: string | undefined): void {
    if (existed && before === after) return;
    if (existed) this.ownedBy.get(before)?.delete(key);
    setOf(this.ownedBy, after).add(key);
    if (before !== undefined && after !== undefined) this.moved++;
  }
}

/** During a handoff still the old owner. */
const readerOf = (item: Item | undefined): string | undefined =>
  item?.['checkpointOwner']?.S ?? item?.['leaseOwner']?.S;

function setOf<K>(map: Map<K, Set<string>>, key: K): Set<string> {
  let set = map.get(key);
  if (!set) map.set(key, (set = new Set()));
  return set;
}
