/** One seed: the whole consumer under a fault plan, watched at every write and judged at rest. */
import { createHash } from 'node:crypto';
import { VirtualTime } from '../test/kcl/support/virtual-time';
import { describeFault, LATEST_LANDING_MS, planFaults, type Fault } from './faults';
import { FAILOVER_MS, Fleet } from './fleet';
import type { Mutant } from './mutants/mutant';
import { checkLeases, unrest } from './liveness';
import { invariantOf, Observer } from './observer';
import { judge, type Totals } from './oracle';
import { sizeOf, type RunSize } from './size';
import { Publisher, type Elements } from './publisher';
import type { ProcessContext } from './process';
import { Random } from './random';
import { judgeRival, rivalUnrest, type Rival } from './rivals/rival';
import { Bucket } from './services/bucket';
import { Database, REGISTRY } from './services/database';
import { Stream } from './services/stream';
import { Training } from './training';
import { HOUR } from './use-case';

export const DEFAULT_FAULT_RATE = 0.02;
/** The longest that all may take to come to rest once the faults have stopped. */
const REST_LIMIT_MS = 1_800_000;
const REST_LOOK_MS = 1_000;
/** Requests from one look at the buffers to the next. */
const REQUESTS_PER_LOOK = 10;
const NOTED_CHARACTERS = 65_536;
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
  /** Of a hasty run: the only invariant (`I6`) whose violation stops it. */
  readonly invariant?: string;
  /**
   * Give the wait for rest up once nothing has changed for so many virtual milliseconds. The consumer's own waits are
   * up to 300 s long; its longest ones are not waited out, so this is for runs whose verdict another run confirms.
   * @default the limit of the wait
   */
  readonly patience?: number;
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
  /** Training executions, each of another dataset. */
  readonly executions: number;
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
  readonly training: Training;
  readonly faults: readonly Fault[];
  faultsHit = 0;
  requests = 0;
  failedRequests = 0;
  restAfter = 0;
  private readonly digest = createHash('sha256');
  /** Lines that the digest has yet to take in: many at once cost less. */
  private noted = '';
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
    const faultOf: ProcessContext['faultOf'] = ({ slot }, service, request) => {
      const at = this.armed.findIndex(
        (fault) =>
          fault.service === service &&
          (fault.slot === undefined || fault.slot === slot) &&
          request.includes(fault.match),
      );
      if (at < 0) return undefined;
      this.faultsHit++;
      return this.armed.splice(at, 1)[0];
    };
    const record: ProcessContext['record'] = ({ name }, request, outcome) => {
      this.requests++;
      if (outcome !== 'applied' && outcome !== 'landed late') this.failedRequests++;
      this.note(`${name} ${request}: ${outcome}`);
      if (this.requests % REQUESTS_PER_LOOK > 0) return;
      for (const task of this.fleet.overBudget()) this.observer.violate(`I10 ${task}`);
    };
    this.fleet = new Fleet({
      seed,
      slots: this.size.slots,
      time: this.time,
      stream: this.stream,
      database: this.database,
      bucket: this.bucket,
      mutant,
      rival: options.rival,
      faultOf,
      record,
      onTrouble: (worker, event, fields) => {
        this.note(`${worker} logged ${event} ${JSON.stringify(fields)}`);
        if (TROUBLE.test(event)) this.observer.violate(`I0 logged: ${event} ${JSON.stringify(fields)}`);
      },
    });
    const { time, database, observer } = this;
    const violate = (violation: string): void => observer.violate(violation);
    const standsFor = (): number => this.fleet.standsFor();
    this.training = new Training({ seed, time, database, faultOf, record, standsFor, violate });
    observer.onSealed = (key) => this.training.sealed(key);
  }

  private note(text: string): void {
    const line = `${this.time.monotonic().toFixed(3)} ${text}`;
    this.noted += `${line}\n`;
    if (this.noted.length >= NOTED_CHARACTERS) this.digestNoted();
    this.options.trace?.(line);
  }

  private digestNoted(): void {
    this.digest.update(this.noted);
    this.noted = '';
  }

  async run(): Promise<RunResult> {
    await this.database.createTables();
    await this.stream.create(this.size.shards);
    for (let slot = 0; slot < this.size.slots; slot++) this.fleet.start(slot);
    void this.schedule();
    await this.time.runUntil(() => this.scheduleDone || this.isOver, 72 * HOUR);
    const totals = this.isOver ? undefined : await this.settle();
    this.fleet.end();
    this.training.end();
    this.digestNoted();
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
      executions: this.training.executions.length,
      restAfter: this.restAfter,
      totals,
    };
  }

  /** A hasty run has what it was for. */
  private get isOver(): boolean {
    const { hasty, invariant } = this.options;
    const { violations } = this.observer;
    if (hasty !== true || violations.length === 0) return false;
    return invariant === undefined || violations.some((violation) => invariantOf(violation) === invariant);
  }

  /** Publishes and lets the faults happen, each at its time; an outage moves all that follows. */
  private async schedule(): Promise<void> {
    const { seed } = this.options;
    const random = new Random(seed, 'publisher');
    const aggregates = new Random(seed, 'aggregates');
    const publisher = new Publisher(random, this.time, this.stream, HOUR_END, aggregates);
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
        shift += await this.apply(fault, publisher);
      }
    }
    this.armed.length = 0;
    this.fleet.heal();
    this.training.heal();
    this.scheduleDone = true;
  }

  /** @returns by how much all later times move */
  private async apply(fault: Fault, publisher: Publisher): Promise<number> {
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
      case 'straggler':
        await publisher.straggler(fault.age);
        return 0;
      case 'standstill':
        fleet.standstill(fault.ms);
        return fault.ms;
    }
  }

  /**
   * Waits until the consumer has nothing left to do, and a while longer; then, without it, until the trigger has not
   * either; then judges.
   */
  private async settle(): Promise<Totals | undefined> {
    const { rival } = this.options;
    const from = this.time.monotonic();
    const isAtRest = await this.rest(from, () => (rival === undefined ? unrest(this) : rivalUnrest(this)));
    this.restAfter = this.time.monotonic() - from;
    // What wakes up late, and should change nothing.
    if (isAtRest) await this.time.run(Math.max(FAILOVER_MS, LATEST_LANDING_MS + FAILOVER_MS - this.restAfter));
    checkLeases(this);
    if (rival !== undefined) return judgeRival(this);
    if (isAtRest) {
      // Nothing that is left to come is the consumer's, and its polling would go on for nothing.
      this.fleet.end();
      await this.rest(from, () => this.training.unrest());
    }
    if (this.isOver) return undefined;
    const { stream, bucket, observer } = this;
    return judge({ stream, bucket, observer, registry: this.database.rows(REGISTRY) });
  }

  /** @returns whether nothing is left to wait for */
  private async rest(from: number, waitingFor: () => readonly string[]): Promise<boolean> {
    const { patience = REST_LIMIT_MS } = this.options;
    let before = '';
    let changedAt = this.time.monotonic();
    for (;;) {
      await this.time.run(REST_LOOK_MS);
      const waiting = waitingFor();
      if (waiting.length === 0 || this.isOver) return waiting.length === 0;
      const now = this.time.monotonic();
      const state = JSON.stringify([
        waiting,
        this.bucket.objects.size,
        this.observer.commits,
        this.training.executions,
      ]);
      if (state !== before) changedAt = now;
      before = state;
      if (now - from < REST_LIMIT_MS && now - changedAt < patience) continue;
      for (const what of waiting.slice(0, 5)) this.observer.violate(`I8 stuck: ${what}`);
      return false;
    }
  }
}

export function simulate(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
