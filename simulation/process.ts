/** A worker's process in virtual time: it can crash, be paused or cut off, and any of its requests can meet a fault. */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../consumer/kcl/dependencies';
import type { VirtualTime } from '../test/kcl/support/virtual-time';
import type { CallEffect, Service } from './faults';
import type { Random } from './random';

/** Largest latency of one way, milliseconds. */
const LATENCY_MS = 20;
/** After this long without an answer the client gives up. */
const CLIENT_TIMEOUT_MS = 3_000;

/** An error as the SDK throws it. */
export function serviceError(name: string, httpStatusCode = 400, members: object = {}): Error {
  return Object.assign(new Error(`${name} (simulated)`), members, { name, $metadata: { httpStatusCode } });
}

export interface CallFault {
  readonly effect: CallEffect;
  readonly ms: number;
}

export interface ProcessContext {
  readonly time: VirtualTime;
  readonly random: Random;
  /** The fault that this request meets, if any; takes it off the plan. */
  readonly faultOf: (process: SimulatedProcess, service: Service, request: string) => CallFault | undefined;
  /** Every request and what came of it. */
  readonly record: (process: SimulatedProcess, request: string, outcome: string) => void;
  readonly onCrash: (process: SimulatedProcess) => void;
}

type Outcome<Result> = { readonly value: Result } | { readonly error: unknown };

export class SimulatedProcess {
  crashed = false;
  /** Added to the wall clock, never to the monotonic one. */
  clockOffset = 0;
  private resumesAt = 0;
  /** What a process that crashed waits for; its own, so that its frames go when it goes. */
  private readonly never = new Promise<never>(() => undefined);
  private readonly healing = new AbortController();
  private readonly cutUntil = new Map<Service, number>();
  private readonly throttledUntil = new Map<Service, number>();

  constructor(
    readonly name: string,
    readonly slot: number,
    private readonly context: ProcessContext,
  ) {
    // Everything that a process does may stand still at once.
    setMaxListeners(0, this.healing.signal);
  }

  /** kill -9: nothing that waits ever goes on. What was sent arrives. */
  crash(): void {
    if (this.crashed) return;
    this.crashed = true;
    this.context.onCrash(this);
  }

  /** SIGSTOP … SIGCONT; none after the end of all faults, as by a request that met its fault before. */
  pause(ms: number): void {
    if (this.healing.signal.aborted) return;
    this.resumesAt = Math.max(this.resumesAt, this.context.time.monotonic() + ms);
  }

  cut(service: Service, ms: number): void {
    this.cutUntil.set(service, this.context.time.monotonic() + ms);
  }

  throttle(service: Service, ms: number): void {
    this.throttledUntil.set(service, this.context.time.monotonic() + ms);
  }

  /** The end of all faults. */
  heal(): void {
    this.resumesAt = 0;
    this.healing.abort('healed');
    this.cutUntil.clear();
    this.throttledUntil.clear();
  }

  readonly clock: Clock = {
    now: () => this.context.time.now() + this.clockOffset,
    monotonic: () => this.context.time.monotonic(),
    sleep: (ms, signal) => this.context.time.sleep(ms, signal).then(this.goOn),
    after: (ms, action) =>
      this.context.time.after(ms, () => void (this.stands ? this.running().then(action) : action())),
  };

  /** Nothing goes on now. */
  private get stands(): boolean {
    return this.crashed || this.resumesAt > this.context.time.monotonic();
  }

  private readonly goOn = (): Promise<void> | void => (this.stands ? this.running() : undefined);

  private async running(): Promise<void> {
    const { time } = this.context;
    while (!this.crashed && this.resumesAt > time.monotonic()) {
      // The end of all faults ends a pause too.
      await time.sleep(this.resumesAt - time.monotonic(), this.healing.signal);
    }
    if (this.crashed) return this.never;
  }

  /** A request that was sent takes effect even where its sender is gone by then. */
  async request<Result>(service: Service, request: string, apply: () => Result | Promise<Result>): Promise<Result> {
    const { time, random, record } = this.context;
    if (this.stands) await this.running();
    const fault = this.context.faultOf(this, service, request);
    const lost = (outcome: string): Promise<never> => this.timeOut(request, outcome);
    if (fault?.effect === 'crash-before') this.crash();
    if (fault?.effect === 'pause-before') this.pause(fault.ms);
    if (this.stands) await this.running();
    const now = time.monotonic();
    if ((this.cutUntil.get(service) ?? 0) > now) return lost('cut');
    if (fault?.effect === 'lose-request') return lost('request lost');
    const throttled = (this.throttledUntil.get(service) ?? 0) > now && random.chance(0.7);
    if (throttled || fault?.effect === 'throttle') return this.refuse(request, throttling(service));
    if (fault?.effect === 'conflict') return this.refuse(request, conflict(service, request));
    if (fault?.effect === 'late') {
      void time.sleep(fault.ms).then(async () => {
        await this.outcomeOf(apply);
        record(this, request, 'landed late');
      });
      return lost('late');
    }
    await time.sleep(1 + random.below(LATENCY_MS) + (fault?.effect === 'slow' ? fault.ms : 0));
    const answer = await this.outcomeOf(apply);
    record(this, request, 'error' in answer ? (answer.error as Error).name : 'applied');
    if (fault?.effect === 'crash-after') this.crash();
    if (fault?.effect === 'pause-after') this.pause(fault.ms);
    if (fault?.effect === 'lose-answer') return lost('answer lost');
    await time.sleep(1 + random.below(LATENCY_MS));
    if (this.stands) await this.running();
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  private async outcomeOf<Result>(apply: () => Result | Promise<Result>): Promise<Outcome<Result>> {
    try {
      return { value: await apply() };
    } catch (error) {
      return { error };
    }
  }

  private async timeOut(request: string, outcome: string): Promise<never> {
    this.context.record(this, request, outcome);
    await this.context.time.sleep(this.context.random.below(CLIENT_TIMEOUT_MS));
    await this.running();
    throw serviceError('TimeoutError', 0);
  }

  private async refuse(request: string, error: Error): Promise<never> {
    this.context.record(this, request, error.name);
    await this.context.time.sleep(1 + this.context.random.below(LATENCY_MS));
    await this.running();
    throw error;
  }
}

function throttling(service: Service): Error {
  return service === 's3' ? serviceError('SlowDown', 503) : serviceError('ProvisionedThroughputExceededException');
}

function conflict(service: Service, request: string): Error {
  if (service === 's3') return serviceError('ConditionalRequestConflict', 409);
  if (service === 'kinesis') {
    return request.startsWith('GetRecords') ? serviceError('ExpiredIteratorException') : throttling(service);
  }
  if (!request.startsWith('TransactWriteItems')) return serviceError('TransactionConflictException');
  const CancellationReasons = [{ Code: 'TransactionConflict' }, { Code: 'None' }];
  return serviceError('TransactionCanceledException', 400, { CancellationReasons });
}

const operations = new Map<string, string>();

/** `PutObject` of the SDK's class name; a bundler may have put something before or after it. */
export function operationOf(command: string): string {
  let operation = operations.get(command);
  if (operation === undefined) operations.set(command, (operation = command.replace(/^_+|Command\d*$/g, '')));
  return operation;
}
