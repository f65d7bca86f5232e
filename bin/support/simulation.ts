/**
 * Runs a use case's simulated devices: first a backlog at high speed, hour by hour, as a gateway does after an outage;
 * then, when asked, live. What was acknowledged is written down (`sent/<fleet>/<use case>.ndjson`), so that tests can compare it
 * with what the lake holds, and where it stands (`position/<fleet>/<use case>.json`), so that the next run goes on from there.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { HOUR_MS } from '../../lib/contracts/lake-layout';
import type { UseCase } from '../../use-cases/define-use-case';
import { publishes, type Publish } from '../../use-cases/imperfections';
import { pause } from './command-line';
import type { Device } from './device';

export interface SimulationOptions {
  readonly useCase: UseCase;
  readonly devices: readonly Device[];
  /** Name of the fleet that the devices belong to. */
  readonly fleet: string;
  readonly seed: number;
  readonly backlogHours: number;
  /** Go on publishing in real time after the backlog, until the signal aborts. */
  readonly live: boolean;
  /** Where `sent/` and `position/` are kept. */
  readonly directory: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SimulationProgress) => void;
}

export interface SimulationProgress {
  readonly useCase: string;
  readonly phase: 'backlog' | 'live' | 'done';
  /** Acknowledged since this run began. */
  readonly publishes: number;
  readonly readings: number;
  /** Event time reached, epoch milliseconds. */
  readonly eventTime: number;
  /** Event time at which the backlog ends. */
  readonly until: number;
}

/** One acknowledged publish, as `sent/<use case>.ndjson` keeps it. */
export interface SentPublish {
  readonly device: string;
  /** Readings in it that are well formed, by message id. */
  readonly messageIds: readonly string[];
  /** Readings in it that must end in quarantine. */
  readonly malformed: number;
}

/** A backlog and how far each device got with it; `publishedUntil` once live publishing went beyond it. */
interface Position {
  readonly from: number;
  readonly to: number;
  readonly seed: number;
  readonly acknowledged: Record<string, number>;
  publishedUntil: number;
}

const LIVE_TICK_MS = 1_000;

export async function simulate(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  await simulation.backlog();
  if (options.live) await simulation.live();
  simulation.finish();
}

class Simulation {
  private readonly position: Position;
  private readonly positionFile: string;
  private readonly sentFile: string;
  private publishCount = 0;
  private readingCount = 0;
  private sentLines: string[] = [];

  constructor(private readonly options: SimulationOptions) {
    const { useCase, fleet, directory } = options;
    this.positionFile = path.join(directory, 'position', fleet, `${useCase.name}.json`);
    this.sentFile = path.join(directory, 'sent', fleet, `${useCase.name}.ndjson`);
    for (const file of [this.positionFile, this.sentFile]) mkdirSync(path.dirname(file), { recursive: true });
    this.position = this.readPosition();
  }

  async backlog(): Promise<void> {
    const { from, to } = this.position;
    if (this.position.publishedUntil >= to) return;
    const { devices, signal } = this.options;
    const feeds = devices.map((device, index) =>
      this.feed(device, index, from, to, this.options.useCase.simulator.batch),
    );
    for (let sliceEnd = from + HOUR_MS; !signal.aborted; sliceEnd += HOUR_MS) {
      const last = sliceEnd >= to;
      await Promise.all(feeds.map((feed) => this.publishUntil(feed, last ? Infinity : sliceEnd)));
      await Promise.all(devices.map((device) => device.drain()));
      if (last && !signal.aborted) this.position.publishedUntil = to;
      this.save();
      this.report('backlog', Math.min(sliceEnd, to));
      if (last) return;
    }
  }

  async live(): Promise<void> {
    const { devices, signal, now } = this.options;
    const from = this.position.publishedUntil;
    // A live device publishes each reading by itself.
    const feeds = devices.map((device, index) => this.feed(device, index, from, Infinity, 1));
    while (!signal.aborted) {
      const until = now();
      await Promise.all(feeds.map((feed) => this.publishUntil(feed, until)));
      this.position.publishedUntil = until;
      this.save();
      this.report('live', until);
      await pause(LIVE_TICK_MS, signal);
    }
    await Promise.all(devices.map((device) => device.drain()));
  }

  finish(): void {
    this.save();
    this.report('done', this.position.publishedUntil);
  }

  private feed(device: Device, index: number, from: number, to: number, batch: number): Feed {
    const { useCase, seed } = this.options;
    const name = device.identity.name;
    const iterator = publishes({ useCase, device: index, deviceName: name, seed, from, to, batch })[Symbol.iterator]();
    const backlog = to === this.position.to;
    const feed: Feed = { device, iterator, next: iterator.next(), backlog };
    if (backlog) for (let done = this.position.acknowledged[name] ?? 0; done > 0; done--) feed.next = iterator.next();
    return feed;
  }

  private async publishUntil(feed: Feed, eventTime: number): Promise<void> {
    while (!feed.next.done && feed.next.value.timestamp < eventTime && !this.options.signal.aborted) {
      const publish = feed.next.value;
      await feed.device.publish(publish.payload, () => this.acknowledged(feed, publish));
      feed.next = feed.iterator.next();
    }
  }

  private acknowledged(feed: Feed, publish: Publish): void {
    const device = feed.device.identity.name;
    const sent: SentPublish = { device, messageIds: publish.messageIds, malformed: publish.malformed };
    this.sentLines.push(JSON.stringify(sent));
    if (feed.backlog) this.position.acknowledged[device] = (this.position.acknowledged[device] ?? 0) + 1;
    this.publishCount += 1;
    this.readingCount += publish.readings;
    if (this.publishCount % 200 === 0) this.report('backlog', publish.timestamp);
  }

  private report(phase: SimulationProgress['phase'], eventTime: number): void {
    this.options.onProgress({
      useCase: this.options.useCase.name,
      phase,
      publishes: this.publishCount,
      readings: this.readingCount,
      eventTime,
      until: this.position.to,
    });
  }

  private readPosition(): Position {
    const { seed, backlogHours, now } = this.options;
    const to = Math.floor(now() / HOUR_MS) * HOUR_MS;
    const from = to - backlogHours * HOUR_MS;
    if (!existsSync(this.positionFile)) return { from, to, seed, acknowledged: {}, publishedUntil: from };
    const saved = JSON.parse(readFileSync(this.positionFile, 'utf8')) as Position;
    if (saved.publishedUntil < saved.to) return saved;
    return {
      from: Math.max(from, saved.publishedUntil),
      to,
      seed,
      acknowledged: {},
      publishedUntil: saved.publishedUntil,
    };
  }

  private save(): void {
    if (this.sentLines.length > 0) appendFileSync(this.sentFile, `${this.sentLines.join('\n')}\n`);
    this.sentLines = [];
    writeFileSync(`${this.positionFile}.next`, JSON.stringify(this.position));
    renameSync(`${this.positionFile}.next`, this.positionFile);
  }
}

interface Feed {
  readonly device: Device;
  readonly iterator: Iterator<Publish>;
  next: IteratorResult<Publish>;
  readonly backlog: boolean;
}
