/** Looks at an application's tables over and over: follows its leases from worker to worker, and judges every row it sees. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compareExtended } from '../../consumer/kcl';
import { LEGACY_TABLES, type Application, type Item } from './application';
import { faultsOf, kindOfRow } from './rows';
import { kindOf } from './worker-process';

export interface Movements {
  /** Leases that went from one kind of worker to the other, and those of them by a graceful handoff. */
  readonly javaToNode: number;
  readonly nodeToJava: number;
  readonly handoffsJavaToNode: number;
  readonly handoffsNodeToJava: number;
  /** Owners of the leader's lock, as they followed each other. */
  readonly leaders: readonly string[];
  /** Looks at the tables, and different kinds of rows in them. */
  readonly looks: number;
  readonly kinds: ReadonlySet<string>;
}

const LOOK_MILLIS = 50;

export class TableWatch {
  private readonly leases = new Map<string, Item>();
  /** The last worker that owned the lease, also while nobody does. */
  private readonly owners = new Map<string, string>();
  private readonly counts = { javaToNode: 0, nodeToJava: 0, handoffsJavaToNode: 0, handoffsNodeToJava: 0 };
  private readonly leaders: string[] = [];
  private readonly kinds = new Set<string>();
  private readonly wrong = new Set<string>();
  private looks = 0;
  private readonly stopped = new AbortController();
  private readonly watching: Promise<void>;

  constructor(private readonly application: Application) {
    this.watching = this.watch();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.watching;
  }

  get movements(): Movements {
    return { ...this.counts, leaders: this.leaders, looks: this.looks, kinds: this.kinds };
  }

  /** Rows with attributes or types that KCL does not give them, counters or checkpoints that went back, and the like. */
  get faults(): string[] {
    return [...this.wrong];
  }

  private async watch(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      await this.look().catch((error: unknown) => this.wrong.add(`the tables could not be read: ${String(error)}`));
      await sleep(LOOK_MILLIS);
    }
  }

  private async look(): Promise<void> {
    const rows = await this.application.rows();
    this.looks++;
    for (const row of rows) this.judge(row, 'leaseKey');
    const seen = new Set(rows.map((row) => row['leaseKey']?.S ?? ''));
    for (const key of this.leases.keys()) if (!seen.has(key)) this.leases.delete(key);
    if (this.application.settings.kcl !== '3.4') return;
    for (const [suffix, key] of Object.entries(LEGACY_TABLES)) {
      for (const row of await this.application.rows(`-${suffix}`)) this.judge(row, key);
    }
  }

  private judge(row: Item, keyAttribute: string): void {
    for (const fault of faultsOf(row, keyAttribute)) this.wrong.add(fault);
    const kind = kindOfRow(row, keyAttribute);
    this.kinds.add(kind);
    if (kind === 'LEASE') this.follow(row);
    const leader = kind === 'LEADER' ? row['ownerName']?.S : undefined;
    if (leader !== undefined && this.leaders.at(-1) !== leader) this.leaders.push(leader);
  }

  private follow(row: Item): void {
    const key = row['leaseKey']?.S ?? '';
    const before = this.leases.get(key);
    this.leases.set(key, row);
    if (before) this.compare(key, before, row);
    const owner = row['leaseOwner']?.S;
    const last = this.owners.get(key);
    if (owner === undefined || owner === last) return;
    this.owners.set(key, owner);
    if (last === undefined || kindOf(last) === kindOf(owner)) return;
    const graceful = row['checkpointOwner']?.S === last;
    if (kindOf(owner) === 'node') {
      this.counts.javaToNode++;
      if (graceful) this.counts.handoffsJavaToNode++;
    } else {
      this.counts.nodeToJava++;
      if (graceful) this.counts.handoffsNodeToJava++;
    }
  }

  private compare(key: string, before: Item, row: Item): void {
    const number = (item: Item): number => Number(item['leaseCounter']?.N);
    if (number(row) < number(before))
      this.wrong.add(`the counter of ${key} went from ${number(before)} to ${number(row)}`);
    if (compareExtended(checkpointOf(row), checkpointOf(before)) < 0) {
      this.wrong.add(
        `the checkpoint of ${key} went from ${before['checkpoint']?.S} back to ${row['checkpoint']?.S}, at counter ${number(row)}`,
      );
    }
    for (const name of ['startingHashKey', 'endingHashKey', 'parentShardId', 'entityType']) {
      const [old, now] = [before[name], row[name]].map((value) =>
        JSON.stringify(value?.SS ? [...value.SS].sort() : value),
      );
      if (old !== undefined && old !== now) this.wrong.add(`${name} of ${key} went from ${old} to ${now}`);
    }
  }
}

function checkpointOf(row: Item) {
  return {
    sequenceNumber: row['checkpoint']?.S ?? '',
    subSequenceNumber: Number(row['checkpointSubSequenceNumber']?.N ?? 0),
  };
}
