/** What goes wrong in one round, and when: a function of the seed alone. */
import { Random } from '../simulation/random';

/** Services that the consumer calls, each through a proxy of its own. */
export const SERVICES = ['kinesis', 'dynamodb', 's3'] as const;
export type ServiceName = (typeof SERVICES)[number];

/**
 * What a proxy does to its connections.
 *
 * | mode      | connections that are there               | new ones            |
 * |-----------|------------------------------------------|---------------------|
 * | refuse    | closed                                   | closed at once      |
 * | reset     | reset (RST) when the next bytes come     | the same            |
 * | blackhole | bytes vanish both ways, nothing is closed | the same            |
 * | half-open | requests arrive, answers vanish          | the same            |
 * | delay     | bytes wait both ways                     | the same            |
 */
export const NETWORK_MODES = ['refuse', 'reset', 'blackhole', 'half-open', 'delay'] as const;
export type NetworkMode = (typeof NETWORK_MODES)[number];

/** Milliseconds since the first publish; `for` is a length. `task` picks one of those that run then. */
export type ChaosFault =
  | { readonly kind: 'kill' | 'terminate'; readonly at: number; readonly task: number }
  /** SIGSTOP, and SIGCONT later: longer than a lease lives without renewal. */
  | { readonly kind: 'pause'; readonly at: number; readonly for: number; readonly task: number }
  | {
      readonly kind: 'network';
      readonly at: number;
      readonly for: number;
      readonly service: ServiceName;
      readonly mode: NetworkMode;
    }
  /** A share of the calls is refused by the service, or fails in it. */
  | {
      readonly kind: 'throttle' | 'server-error';
      readonly at: number;
      readonly for: number;
      readonly service: ServiceName;
      readonly share: number;
    }
  /** The disk under DynamoDB and S3 is full: what they write fails, and may have been applied all the same. */
  | { readonly kind: 'disk-full'; readonly at: number; readonly for: number }
  /** From the two shards of the local environment, or from where the last one led: splits, merges, or both. */
  | { readonly kind: 'reshard'; readonly at: number; readonly shards: number }
  /** A rolling replacement by another build; both run for a while. */
  | { readonly kind: 'deploy'; readonly at: number }
  /** A rolling replacement by tasks that die of memory; after it, by sound ones. */
  | { readonly kind: 'memory'; readonly at: number; readonly for: number; readonly heapMebibytes: number };

export type FaultKind = ChaosFault['kind'];

const KINDS: readonly FaultKind[] = [
  'kill',
  'terminate',
  'pause',
  'network',
  'throttle',
  'server-error',
  'disk-full',
  'reshard',
  'deploy',
  'memory',
];

/** Publishing and faults begin within this time, milliseconds. */
export const WINDOW_MS = 16_000;
const MINIMUM_FAULTS = 4;
const MAXIMUM_FAULTS = 8;
/** The consumer has 13 MiB on its heap once it is loaded: it dies as it starts, or soon once it works. */
const HEAP_MEBIBYTES = [13, 18] as const;
/** A lease of the local environment expires after 8 s without renewal. */
const PAUSE_MS = [10_000, 15_000] as const;

/** Of ten rounds in a row each kind is certain in one: a short run has met them all. */
export function planRound(seed: number): readonly ChaosFault[] {
  const random = new Random(seed, 'chaos');
  const count = MINIMUM_FAULTS + random.below(MAXIMUM_FAULTS - MINIMUM_FAULTS + 1);
  const kinds = [KINDS[seed % KINDS.length]!];
  while (kinds.length < count) kinds.push(KINDS[random.below(KINDS.length)]!);
  return kinds.map((kind) => faultOf(kind, random)).sort((a, b) => a.at - b.at);
}

function faultOf(kind: FaultKind, random: Random): ChaosFault {
  const at = 500 + random.below(WINDOW_MS - 500);
  const between = (low: number, high: number): number => low + random.below(high - low + 1);
  const service = SERVICES[random.below(SERVICES.length)]!;
  switch (kind) {
    case 'kill':
    case 'terminate':
      return { kind, at, task: random.below(4) };
    case 'pause':
      return { kind, at, for: between(...PAUSE_MS), task: random.below(4) };
    case 'network':
      return {
        kind,
        at,
        for: between(1_000, 9_000),
        service,
        mode: NETWORK_MODES[random.below(NETWORK_MODES.length)]!,
      };
    case 'throttle':
    case 'server-error':
      return { kind, at, for: between(1_000, 8_000), service, share: between(2, 9) / 10 };
    case 'disk-full':
      return { kind, at, for: between(1_000, 5_000) };
    case 'reshard':
      return { kind, at, shards: between(1, 4) };
    case 'deploy':
      return { kind, at };
    case 'memory':
      return { kind, at, for: between(8_000, 14_000), heapMebibytes: between(...HEAP_MEBIBYTES) };
  }
}

/** One fault in words. */
export function describeFault(fault: ChaosFault): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const rest = Object.entries(fault)
    .filter(([name]) => name !== 'kind' && name !== 'at')
    .map(([name, value]) => (name === 'for' ? `for ${seconds(value as number)}` : `${name} ${String(value)}`));
  return [`${seconds(fault.at)}: ${fault.kind}`, ...rest].join(', ');
}
