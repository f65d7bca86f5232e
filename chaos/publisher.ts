/** Simulated devices of every use case, which publish a backlog within a set time and remember what they sent. */
import type { Device } from '../bin/support/device';
import { HOUR_MS } from '../lib/contracts/lake-layout';
import type { UseCase } from '../use-cases/define-use-case';
import { publishes, type Publish } from '../use-cases/imperfections';

export const BACKLOG_HOURS = 24;

export interface Sent {
  readonly useCase: string;
  readonly device: string;
  readonly publish: Publish;
}

export interface PublisherOptions {
  readonly useCase: UseCase;
  readonly devices: readonly Device[];
  readonly seed: number;
  /** The hour before which the backlog ends, epoch milliseconds. */
  readonly until: number;
  /** How long it takes, milliseconds. */
  readonly spread: number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly monotonic: () => number;
  /** Ends the publishing early. */
  readonly signal: AbortSignal;
  /** Called with what the broker has acknowledged. */
  readonly acknowledged: (sent: Sent) => void;
}

/** Publishes all of it, evenly over the time; resolves when everything is acknowledged. */
export async function publishBacklog(options: PublisherOptions): Promise<void> {
  const { useCase, seed, until, spread, sleep, monotonic, signal, acknowledged } = options;
  const began = monotonic();
  const from = until - BACKLOG_HOURS * HOUR_MS;
  await Promise.all(
    options.devices.map(async (device, index) => {
      const { name } = device.identity;
      const { batch } = useCase.simulator;
      for (const publish of publishes({ useCase, device: index, deviceName: name, seed, from, to: until, batch })) {
        const due = began + (spread * Math.max(0, publish.timestamp - from)) / (until - from);
        if (due > monotonic()) await sleep(due - monotonic());
        if (signal.aborted) return;
        await device.publish(publish.payload, () => acknowledged({ useCase: useCase.name, device: name, publish }));
      }
      await device.drain();
    }),
  );
}
