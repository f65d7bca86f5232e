/** The fault plan of a seed: an explicit list, made before the run, so that a failing run can be tried with fewer. */
import { Random } from './random';

export type Service = 'kinesis' | 'dynamodb' | 's3' | 'sagemaker';
/** Those that the consumer works with: cut and throttled for one worker. */
const SERVICES: readonly Service[] = ['kinesis', 'dynamodb', 's3'];

/** What happens to one request. */
export type CallEffect =
  | 'lose-request'
  | 'lose-answer'
  /** The caller is told of a timeout, and the message lands later all the same. */
  | 'late'
  | 'throttle'
  /** DynamoDB's transaction conflict, S3's 409; of Kinesis an expired iterator. */
  | 'conflict'
  | 'slow'
  | 'crash-before'
  | 'crash-after'
  | 'pause-before'
  | 'pause-after';

/** `at` is in milliseconds from the start of the run; `slot` is a task of the service, which is started again after it died. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'crash' | 'stop'; readonly slot: number; readonly restartAfter: number }
  | { readonly kind: 'pause' | 'clock'; readonly slot: number; readonly ms: number }
  | { readonly kind: 'cut' | 'throttled'; readonly slot: number; readonly service: Service; readonly ms: number }
  | {
      readonly kind: 'call';
      /** Undefined: whichever worker comes first. */
      readonly slot?: number;
      readonly service: Service;
      /** Part of `<operation> <subject>`; the first such request after `at` is hit. */
      readonly match: string;
      readonly effect: CallEffect;
      readonly ms: number;
    }
  | { readonly kind: 'split' | 'merge'; readonly pick: number }
  /** A device that was offline sends one reading of `age` milliseconds before the last hour's end; may come after the rest. */
  | { readonly kind: 'straggler'; readonly age: number }
  /**
   * Every worker dies, or stands still, and none is there until the stream has trimmed what was not read. All that follows
   * moves by as much.
   */
  | { readonly kind: 'outage' | 'standstill'; readonly ms: number }
);

export interface PlanOptions {
  readonly seed: number;
  readonly slots: number;
  /** Length of the time with faults, milliseconds. */
  readonly window: number;
  /** Share of requests that meet a fault of their own, 0…1; the other faults scale with it. */
  readonly rate: number;
}

/** About what one worker sends in a second. */
const REQUESTS_PER_SECOND = 8;
const HOUR = 3_600_000;
/** The longest after its sender gave up that a message lands, milliseconds: longer than a lease. */
export const LATEST_LANDING_MS = 25_000;

/** The protocol's steps, by the requests that make them. */
export const STEPS: readonly { readonly service: Service; readonly match: string }[] = [
  { service: 'dynamodb', match: 'UpdateItem registry/HEADS' },
  { service: 'dynamodb', match: 'TransactWriteItems registry/HEADS' },
  { service: 'dynamodb', match: 'TransactWriteItems registry/PARTITION' },
  { service: 'dynamodb', match: 'UpdateItem registry/PARTITION' },
  { service: 'dynamodb', match: 'GetItem registry/HEADS' },
  { service: 'dynamodb', match: 'Query registry/HEADS' },
  { service: 'dynamodb', match: 'Query registry/PARTITION' },
  { service: 'dynamodb', match: 'UpdateItem leases/' },
  { service: 's3', match: 'PutObject readings/' },
  { service: 's3', match: 'PutObject quarantine/' },
  { service: 's3', match: '_inputs.json' },
  { service: 's3', match: 'PutObject features/' },
  { service: 's3', match: '_manifest.json' },
  { service: 'dynamodb', match: 'UpdateItem registry/USE_CASE' },
  { service: 'sagemaker', match: 'StartPipelineExecution' },
];

const EFFECTS: readonly CallEffect[] = [
  'lose-request',
  'lose-answer',
  'lose-answer',
  'late',
  'late',
  'throttle',
  'conflict',
  'slow',
  'slow',
  'pause-before',
  'pause-after',
];
const CRASHES: readonly CallEffect[] = ['crash-before', 'crash-after'];

function callFault(random: Random, at: number, slots: number): Fault {
  const effect = random.pick(random.chance(0.07) ? CRASHES : EFFECTS);
  const ms =
    effect === 'late'
      ? random.below(LATEST_LANDING_MS)
      : effect === 'slow'
        ? random.below(12_000)
        : random.below(25_000);
  if (random.chance(0.5)) return { at, kind: 'call', ...random.pick(STEPS), effect, ms };
  return { at, kind: 'call', slot: random.below(slots), service: random.pick(SERVICES), match: '', effect, ms };
}

function otherFault(random: Random, at: number, slots: number): Fault {
  const slot = random.below(slots);
  const dice = random.below(100);
  if (dice < 20) return { at, kind: 'crash', slot, restartAfter: random.below(20_000) };
  if (dice < 32) return { at, kind: 'stop', slot, restartAfter: random.below(5_000) };
  if (dice < 50) return { at, kind: 'pause', slot, ms: random.below(25_000) };
  if (dice < 66) return { at, kind: 'cut', slot, service: random.pick(SERVICES), ms: random.below(25_000) };
  if (dice < 76) return { at, kind: 'throttled', slot, service: random.pick(SERVICES), ms: random.below(20_000) };
  if (dice < 82) return { at, kind: 'clock', slot, ms: random.below(1_200_000) - 600_000 };
  if (dice < 92) return { at, kind: 'split', pick: random.below(1_000) };
  return { at, kind: 'merge', pick: random.below(1_000) };
}

/** In order of time. */
export function planFaults({ seed, slots, window, rate }: PlanOptions): Fault[] {
  const random = new Random(seed, 'faults');
  const faults: Fault[] = [];
  const calls = Math.round((window / 1_000) * slots * REQUESTS_PER_SECOND * rate);
  const others = Math.round((2 + window / 15_000) * Math.min(2, rate / 0.02) * (0.5 + random.unit()));
  for (let n = 0; n < calls; n++) faults.push(callFault(random, random.below(window), slots));
  for (let n = 0; n < others; n++) faults.push(otherFault(random, random.below(window), slots));
  if (rate > 0 && random.chance(0.08)) {
    const kind = random.chance(0.7) ? 'outage' : 'standstill';
    faults.push({ at: random.below(window), kind, ms: 24 * HOUR + random.below(2 * HOUR) });
  }
  if (rate > 0) faults.push(...lateReadings(new Random(seed, 'stragglers'), window, slots));
  return faults.sort((a, b) => a.at - b.at);
}

/** In every fourth seed, readings for an hour that is long sealed, and trouble while it and the hour after fold anew. */
function lateReadings(random: Random, window: number, slots: number): Fault[] {
  if (!random.chance(0.25)) return [];
  const from = window + 20_000 + random.below(60_000);
  const readings = Array.from({ length: 1 + random.below(3) }, (): Fault => {
    const age = HOUR / 2 + random.below(HOUR);
    return { at: from + random.below(5_000), kind: 'straggler', age };
  });
  const calls = Array.from({ length: random.below(6) }, () => callFault(random, from + random.below(60_000), slots));
  return [...readings, ...calls];
}

export function describeFault(fault: Fault): string {
  const { at, kind, ...rest } = fault;
  const members = Object.entries(rest).map(([name, value]) => `${name} ${value === '' ? 'any' : value}`);
  return `${(at / 1_000).toFixed(3)} s ${kind}: ${members.join(', ')}`;
}
