/** What devices publish: on time, late, out of order, twice, in arrays, malformed. */
import { telemetryTopic } from '../lib/contracts/topics';
import { aggregate } from '../test/kcl/support/kpl';
import type { VirtualTime } from '../test/kcl/support/virtual-time';
import type { Random } from './random';
import type { Stream } from './services/stream';
import { BUILD_1_MAXIMUM, HOUR, USE_CASE } from './use-case';

export interface PublishedReading {
  readonly device: string;
  readonly time: number;
  readonly temperature: number;
  readonly humidity: number | undefined;
  readonly messageId: string | undefined;
}

/** One element of a payload, and what must become of it. `by-build`: a reading for build-2, quarantined by build-1. */
export type Element =
  { readonly expect: 'reading' | 'by-build'; readonly reading: PublishedReading } | { readonly expect: 'quarantine' };

/** Everything in one record of the stream, with the user record (of an aggregate) and the place in its array. */
export type Elements = readonly (Element & { readonly sub: number; readonly index: number })[];

export const MAXIMUM_AHEAD_MS = 300_000;
const DEVICES = 5;

interface Payload {
  readonly device: string;
  readonly body: string;
  readonly elements: readonly Element[];
}

interface Part {
  readonly json: object;
  readonly element: Element;
}

/** Another reading under the same message id, a little before: a device that counts anew. Whichever came first stays. */
function namesake(first: PublishedReading): Part {
  const { device, humidity, messageId } = first;
  // Within one window, so that both stand before the same fold.
  const time = first.time % (HOUR / 4) === 0 ? first.time : first.time - 1;
  const temperature = first.temperature + 0.5;
  return {
    json: { timestamp: time, temperature, humidity, messageId },
    element: { expect: 'reading', reading: { device, time, temperature, humidity, messageId } },
  };
}

export class Publisher {
  private count = 0;
  private recent: Payload[] = [];

  constructor(
    private readonly random: Random,
    private readonly time: VirtualTime,
    private readonly stream: Stream<Elements>,
    /** Event times are mostly before this instant, so that their hours come to an end within the run. */
    private readonly lastHourEnd: number,
    /** Whether some records are KPL aggregates; not drawn from `random`, whose payloads stay the same with it. */
    private readonly aggregates: Random | undefined,
  ) {}

  async publish(): Promise<void> {
    const { random } = this;
    const again = this.recent.length > 0 && random.chance(0.12);
    const payload = again ? random.pick(this.recent) : this.payload();
    if (!again) this.recent = [...this.recent.slice(-30), payload];
    // A gateway's retry puts the same bytes twice within one millisecond now and then.
    for (let copies = random.chance(0.08) ? 2 : 1; copies > 0; copies--) await this.put(this.aggregated(payload));
  }

  /** One reading of so many milliseconds before the last hour's end. */
  async straggler(age: number): Promise<void> {
    const device = `device-${this.random.below(DEVICES)}`;
    const time = this.lastHourEnd - age;
    const reading = { device, time, temperature: 20 + this.random.below(100) / 10, humidity: 50, messageId: undefined };
    const body = JSON.stringify({ timestamp: time, temperature: reading.temperature, humidity: 50 });
    await this.put([{ device, body, elements: [{ expect: 'reading', reading }] }]);
  }

  /** A gateway that aggregates puts what it sent of the device before into the same record once more. */
  private aggregated(payload: Payload): readonly Payload[] {
    if (this.aggregates?.chance(0.1) !== true) return [payload];
    const before = this.recent.filter(({ device }) => device === payload.device);
    return [payload, ...before.slice(-1 - this.aggregates.below(3))];
  }

  /** @param payloads Of one device; several are aggregated. */
  private async put(payloads: readonly Payload[]): Promise<void> {
    const { device } = payloads[0]!;
    const topic = telemetryTopic(USE_CASE, device);
    const envelopes = payloads.map(({ body }) =>
      Buffer.from(
        JSON.stringify({ payload: Buffer.from(body).toString('base64'), topic, device, received: this.time.now() }),
      ),
    );
    const data =
      envelopes.length === 1
        ? envelopes[0]!
        : aggregate(envelopes.map((envelope) => ({ partitionKey: device, data: envelope })));
    const elements = payloads.flatMap((payload, sub) =>
      payload.elements.map((element, index) => ({ ...element, sub, index })),
    );
    await this.stream.put(device, data, elements).catch(() => undefined);
  }

  private payload(): Payload {
    const { random } = this;
    const device = `device-${random.below(DEVICES)}`;
    if (random.chance(0.04)) return { device, body: '{"timestamp":', elements: [{ expect: 'quarantine' }] };
    const parts = Array.from({ length: random.chance(0.3) ? 1 + random.below(5) : 1 }, () => this.element(device));
    if (parts.length > 2 && parts[0]!.element.expect === 'reading') parts[1] = namesake(parts[0]!.element.reading);
    const body = JSON.stringify(parts.length === 1 ? parts[0]!.json : parts.map(({ json }) => json));
    return { device, body, elements: parts.map(({ element }) => element) };
  }

  private element(device: string): Part {
    const { random } = this;
    if (random.chance(0.04)) return { json: { timestamp: this.time.now() }, element: { expect: 'quarantine' } };
    if (random.chance(0.02)) {
      // Still ahead where a retry brings it again after an outage.
      const timestamp = this.time.now() + MAXIMUM_AHEAD_MS + 100 * 24 * HOUR;
      return { json: { timestamp, temperature: 20 }, element: { expect: 'quarantine' } };
    }
    const reading: PublishedReading = {
      device,
      time: this.eventTime(),
      temperature: random.below(1_000) / 10,
      humidity: random.chance(0.5) ? random.below(100) : undefined,
      messageId: random.chance(0.6) ? `m-${this.count++}` : undefined,
    };
    const warm = random.chance(0.03);
    const temperature = warm ? BUILD_1_MAXIMUM + 5 : reading.temperature;
    const { time: timestamp, humidity, messageId } = reading;
    return {
      json: { timestamp, temperature, humidity, messageId },
      element: { expect: warm ? 'by-build' : 'reading', reading: { ...reading, temperature } },
    };
  }

  private eventTime(): number {
    const { random, lastHourEnd } = this;
    const late = random.chance(0.25) ? random.below(2 * HOUR) : random.below(20_000);
    const time = this.time.now() - late;
    return time < lastHourEnd || random.chance(0.05) ? time : lastHourEnd - 1 - random.below(HOUR);
  }
}
