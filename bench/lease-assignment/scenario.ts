/** What a fleet goes through: it starts, rests, grows by a fifth, rests, and loses as many workers by kill -9. */
import type { FleetSize, Shares, SimulatedFleet } from './fleet';
import type { Usage } from './meter';

const STEP_MILLIS = 500;
const START_MILLIS = 30_000;
const REST_MILLIS = 30_000;
const STEADY_MILLIS = 60_000;
/** Who has not found its balance by then does not. */
const PATIENCE_MILLIS = 900_000;
/** A leader moves single leases below KCL's threshold of a tenth, one at each levelling: this is where most of the work is done. */
const TOLERANCE = 0.2;

/** Averages per second. */
export interface Rates {
  readonly requests: number;
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly scanPages: number;
}

export interface Change {
  /** Until every lease was in the hands of a worker that lives; undefined: never. */
  readonly allReadSeconds: number | undefined;
  /** Until every worker had the mean number of leases to within a fifth; undefined: never. */
  readonly balancedSeconds: number | undefined;
  readonly moved: number;
  /** Until the balance. */
  readonly rates: Rates;
}

export interface Report {
  readonly start: Change;
  readonly steady: Rates;
  readonly added: Change;
  readonly killed: Change;
}

export function isBalanced({ unread, leases }: Shares): boolean {
  const mean = leases.reduce((sum, count) => sum + count, 0) / leases.length;
  const [low, high] = [Math.floor(mean * (1 - TOLERANCE)), Math.ceil(mean * (1 + TOLERANCE))];
  return unread === 0 && leases.every((count) => count >= low && count <= high);
}

function rates(before: Usage, after: Usage, millis: number): Rates {
  const perSecond = (name: keyof Usage): number => ((after[name] - before[name]) * 1_000) / Math.max(millis, 1);
  return {
    requests: perSecond('requests'),
    readUnits: perSecond('readUnits'),
    writeUnits: perSecond('writeUnits'),
    scanPages: perSecond('scanPages'),
  };
}

export class Scenario {
  private now = 0;

  constructor(
    private readonly fleet: SimulatedFleet,
    private readonly signal: AbortSignal,
    private readonly progress: (line: string) => void,
  ) {}

  async run({ workers }: FleetSize): Promise<Report> {
    const { fleet } = this;
    const fifth = Math.max(1, Math.floor(workers / 5));
    let started = 0;
    const start = await this.change(START_MILLIS, (elapsed) => {
      const due = Math.min(workers, Math.ceil((workers * (elapsed + STEP_MILLIS)) / START_MILLIS));
      fleet.start(due - started);
      started = due;
    });
    this.progress(`started, ${describe(start)}`);
    await this.pass(REST_MILLIS);
    const before = fleet.meter.usage;
    await this.pass(STEADY_MILLIS);
    const steady = rates(before, fleet.meter.usage, STEADY_MILLIS);
    const added = await this.change(STEP_MILLIS, () => fleet.start(fifth));
    this.progress(`${fifth} workers added, ${describe(added)}`);
    await this.pass(REST_MILLIS);
    const killed = await this.change(STEP_MILLIS, () => fleet.kill(fifth));
    this.progress(`${fifth} workers killed, ${describe(killed)}`);
    return { start, steady, added, killed };
  }

  /** @param step called at every step while the change is made, with the milliseconds since its beginning */
  private async change(duration: number, step: (elapsed: number) => void): Promise<Change> {
    const { fleet } = this;
    const [usage, moved, begun] = [fleet.meter.usage, fleet.moved, this.now];
    let allRead: number | undefined;
    let balanced: number | undefined;
    while (balanced === undefined && this.now - begun < PATIENCE_MILLIS) {
      if (this.now - begun < duration) step(this.now - begun);
      await this.pass(STEP_MILLIS);
      const elapsed = this.now - begun;
      const shares = fleet.shares();
      if (shares.unread === 0) allRead ??= elapsed;
      else allRead = undefined;
      if (elapsed >= duration && isBalanced(shares)) balanced = elapsed;
    }
    return {
      allReadSeconds: allRead === undefined ? undefined : allRead / 1_000,
      balancedSeconds: balanced === undefined ? undefined : balanced / 1_000,
      moved: fleet.moved - moved,
      rates: rates(usage, fleet.meter.usage, this.now - begun),
    };
  }

  private async pass(millis: number): Promise<void> {
    for (let left = millis; left > 0; left -= STEP_MILLIS) {
      this.signal.throwIfAborted();
      await this.fleet.run(Math.min(left, STEP_MILLIS));
      this.now += Math.min(left, STEP_MILLIS);
    }
  }
}

const describe = ({ balancedSeconds }: Change): string =>
  balancedSeconds === undefined ? 'no balance' : `balanced after ${balancedSeconds} s`;
