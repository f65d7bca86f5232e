/** One seed: the whole consumer under a fault plan, watched at every write and judged at rest. */
import { createHash } from 'node:crypto';
import { parsePosition } from '../consumer/lake/position';
import type { SegmentItem } from '../consumer/lake/registry-items';
import { VirtualTime } from '../test/kcl/support/virtual-time';
import { describeFault, LATEST_LANDING_MS, planFaults, type Fault } from './faults';
import { FAILOVER_MS, Fleet } from './fleet';
import type { Mutant } from './mutants/mutant';
import { Observer } from './observer';
import { judge, type Totals } from './oracle';
import { sizeOf, type RunSize } from './size';
import { Publisher, type Elements } from './publisher';
import { Random } from './random';
import { judgeRival, rivalUnrest, type Rival } from './rivals/rival';
import { Bucket } from './services/bucket';
import { Database, LEASES, REGISTRY, type Row } from './services/database';
import { Stream } from './services/stream';
import { HOUR, LATENESS_MS } from './use-case';

export const DEFAULT_FAULT_RATE = 0.02;
/** The longest that all may take to come to rest once the faults have stopped. */
const REST_LIMIT_MS = 1_800_000;
/** Two hours are over at the start, and one ends within the window. */
const HOUR_END = Date.parse('2026-03-04T03:00:00Z');

export interface RunOptions {
  readonly seed: number;
  /** @default {@link DEFAULT_FAULT_RATE} */
  readonly faultRate?: number;
  /** In place of the seed's own plan. */
  readonly faults?: readonly Fault[];
  readonly mutant?: Mutant;
  /** Another design in place of the consumer; of the result only the totals and `I8 stuck` speak of it. */
  readonly rival?: Rival;
  /** Called with every request and its outcome; for looking into one seed. */
  readonly trace?: (line: string) => void;
  /** Stop at the first violation, without waiting for rest. */
  readonly hasty?: boolean;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Digest over every request and outcome, with its time: equal for equal histories. */
  readonly history: string;
  readonly faults: readonly Fault[];
  /** How many of them something met. */
  readonly faultsHit: number;
  readonly requests: number;
  /** Requests that were refused, lost, or whose answer was. */
  readonly failedRequests: number;
  readonly crashes: number;
  readonly commits: number;
  readonly seals: number;
  /** Virtual milliseconds from the end of the faults until all was at rest. */
  readonly restAfter: number;
  readonly totals: Totals | undefined;
}

export function planOf(seed: number, faultRate = DEFAULT_FAULT_RATE): Fault[] {
  return planFaults({ seed, ...sizeOf(seed), rate: faultRate });
}

/** What the consumer logs as an error and no fault of the plan can be the cause of. */
const TROUBLE = /other content|is parked/;

class Run {
  readonly size: RunSize;
  readonly time: VirtualTime;
  readonly stream: Stream<Elements>;
  readonly database: Database;
  readonly bucket = new Bucket();
  readonly observer: Observer;
  readonly fleet: Fleet;
  readonly faults: readonly Fault[];
  faultsHit = 0;
  requests = 0;
  failedRequests = 0;
  restAfter = 0;
  private readonly digest = createHash('sha256');
  private readonly armed: Extract<Fault, { kind: 'call' }>[] = [];
  private scheduleDone = false;

  constructor(private readonly options: RunOptions) {
    const { seed, mutant } = options;
    this.size = sizeOf(seed);
    this.time = new VirtualTime(HOUR_END - Math.round(this.size.window * 0.45));
    this.stream = new Stream<Elements>(this.time);
    this.database = new Database(this.time);
    this.observer = new Observer(this.stream, this.bucket, this.database, () => this.time.now());
    this.faults = options.faults ?? planOf(seed, options.faultRate);
    this.fleet = new Fleet({
      seed,
      slots: this.size.slots,
      time: this.time,
      stream: this.stream,
      database: this.database,
      bucket: this.bucket,
      mutant,
      rival: options.rival,
      faultOf: ({ slot }, service, request) => {
        const at = this.armed.findIndex(
          (fault) =>
            fault.service === service &&
            (fault.slot === undefined || fault.slot === slot) &&
            request.includes(fault.match),
        );
        if (at < 0) return undefined;
        this.faultsHit++;
        return this.armed.splice(at, 1)[0];
      },
      record: ({ name }, request, outcome) => {
        this.requests++;
        if (outcome !== 'applied' && outcome !== 'landed late') this.failedRequests++;
        this.note(`${name} ${request}: ${outcome}`);
      },
      onTrouble: (worker, event, fields) => {
        this.note(`${worker} logged ${event} ${JSON.stringify(fields)}`);
        if (TROUBLE.test(event)) this.observer.violate(`I0 logged: ${event} ${JSON.stringify(fields)}`);
      },
    });
  }

  private note(text: string): void {
    const line = `${this.time.monotonic().toFixed(3)} ${text}`;
    this.digest.update(`${line}\n`);
    this.options.trace?.(line);
  }

  async run(): Promise<RunResult> {
    await this.database.createTables();
    await this.stream.create(this.size.shards);
    for (let slot = 0; slot < this.size.slots; slot++) this.fleet.start(slot);
    void this.schedule();
    const stop = (): boolean =>
      this.scheduleDone || (this.options.hasty === true && this.observer.violations.length > 0);
    await this.time.runUntil(stop, 72 * HOUR);
    let totals: Totals | undefined;
    if (!this.options.hasty || this.observer.violations.length === 0) totals = await this.settle();
    this.fleet.end();
    const { violations, commits, seals } = this.observer;
    return {
      seed: this.options.seed,
      violations,
      history: this.digest.digest('hex'),
      faults: this.faults,
      faultsHit: this.faultsHit,
      requests: this.requests,
      failedRequests: this.failedRequests,
      crashes: this.fleet.crashes,
      commits,
      seals,
      restAfter: this.restAfter,
      totals,
    };
  }

  /** Publishes and lets the faults happen, each at its time; an outage moves all that follows. */
  private async schedule(): Promise<void> {
    const random = new Random(this.options.seed, 'publisher');
    const publisher = new Publisher(random, this.time, this.stream, HOUR_END);
    const { publishes: count, window } = this.size;
    const publishes = Array.from({ length: count }, () => random.below(window));
    const items: { readonly at: number; readonly fault?: Fault }[] = [
      ...publishes.map((at) => ({ at })),
      ...this.faults.map((fault) => ({ at: fault.at, fault })),
      { at: window },
    ].sort((a, b) => a.at - b.at);
    let shift = 0;
    for (const { at, fault } of items) {
      await this.time.sleep(at + shift - this.time.monotonic());
      if (fault === undefined) await publisher.publish();
      else {
        this.note(`fault ${describeFault(fault)}`);
        shift += await this.apply(fault);
      }
    }
    this.armed.length = 0;
    this.fleet.heal();
    this.scheduleDone = true;
  }

  /** @returns by how much all later times move */
  private async apply(fault: Fault): Promise<number> {
    const { fleet, stream } = this;
    if (fault.kind !== 'call') this.faultsHit++;
    switch (fault.kind) {
      case 'call':
        this.armed.push(fault);
        return 0;
      case 'crash':
        fleet.crash(fault.slot);
        return 0;
      case 'stop':
        fleet.stop(fault.slot);
        return 0;
      case 'pause':
        fleet.process(fault.slot)?.pause(fault.ms);
        return 0;
      case 'clock': {
        const process = fleet.process(fault.slot);
        if (process !== undefined) process.clockOffset += fault.ms;
        return 0;
      }
      case 'cut':
        fleet.process(fault.slot)?.cut(fault.service, fault.ms);
        return 0;
      case 'throttled':
        fleet.process(fault.slot)?.throttle(fault.service, fault.ms);
        return 0;
      case 'split':
        await stream.split(fault.pick);
        return 0;
      case 'merge':
        await stream.merge(fault.pick);
        return 0;
      case 'outage':
        fleet.outage(fault.ms);
        return fault.ms;
      case 'standstill':
        fleet.standstill(fault.ms);
        return fault.ms;
    }
  }

  /** Waits until there is nothing left to do, and a while longer; then judges. */
  private async settle(): Promise<Totals> {
    const from = this.time.monotonic();
    let waitingFor: string[] = ['everything'];
    while (waitingFor.length > 0 && this.time.monotonic() - from < REST_LIMIT_MS) {
      await this.time.run(2_500);
      waitingFor = await this.unrest();
    }
    this.restAfter = this.time.monotonic() - from;
    for (const what of waitingFor.slice(0, 5)) this.observer.violate(`I8 stuck: ${what}`);
    // What wakes up late, and should change nothing.
    if (waitingFor.length === 0)
      await this.time.run(Math.max(FAILOVER_MS, LATEST_LANDING_MS + FAILOVER_MS - this.restAfter));
    await this.checkLeases();
    const { stream, bucket, observer } = this;
    if (this.options.rival !== undefined) return judgeRival(this);
    return judge({ stream, bucket, observer, registry: await this.database.rows(REGISTRY) });
  }

  /** What is still to be done. */
  private async unrest(): Promise<string[]> {
    if (this.options.rival !== undefined) return rivalUnrest(this);
    const waiting: string[] = [];
    for (const { shardId, records, closed } of this.stream.shards.values()) {
      const head = this.observer.heads.get(shardId);
      const readable = records.filter(({ arrival }) => !this.stream.isTrimmed(arrival));
      const last = readable.at(-1);
      const end = head && parsePosition(head.end)?.sequence;
      if (head === undefined) {
        if (readable.length > 0 || !closed) waiting.push(`${shardId} has no head`);
        continue;
      }
      if (last !== undefined && (end === undefined || end < last.sequenceNumber))
        waiting.push(`${shardId} is not read`);
      if (head.pending !== undefined) waiting.push(`${shardId} has an intent`);
      if (closed && !head.finished) waiting.push(`${shardId} is closed and not finished`);
    }
    if (waiting.length > 0) return waiting;
    for (const row of await this.database.rows(REGISTRY)) {
      const { sk, unfolded, unfoldedPartition } = row as unknown as SegmentItem & { sk: string };
      if (sk.startsWith('TASK#')) waiting.push(`${row['pk']} has the task ${sk} ${row['state']}`);
      if (unfolded === undefined || unfolded.startsWith('#')) continue;
      const due = Date.parse(`${unfoldedPartition}:00:00Z`) + HOUR + LATENESS_MS;
      if (due < this.time.now()) waiting.push(`${unfoldedPartition} is not sealed: ${sk}`);
    }
    return waiting;
  }

  /** Every shard that is not finished has an owner that runs, and the owners have as many each as goes. */
  private async checkLeases(): Promise<void> {
    const workers = new Map(this.fleet.tasks.flatMap((task) => (task === undefined ? [] : [[task.process.name, 0]])));
    const rows = (await this.database.rows(LEASES)).filter(({ leaseKey }) => String(leaseKey).startsWith('shardId'));
    const open = rows.filter((row: Row) => row['checkpoint'] !== 'SHARD_END');
    for (const { leaseKey, leaseOwner } of open) {
      const owned = workers.get(String(leaseOwner));
      if (owned === undefined) this.observer.violate(`I8 ${leaseKey} is owned by ${leaseOwner}, which does not run`);
      else workers.set(String(leaseOwner), owned + 1);
    }
    const counts = [...workers.values()];
    if (Math.max(...counts) - Math.min(...counts) > 1)
      this.observer.violate(`I8 leases are owned ${counts.join(', ')}`);
  }
}

export function simulate(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
