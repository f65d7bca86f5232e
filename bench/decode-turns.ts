/** What `npm run bench:decode` measures, apart from its command line, so that it can be bundled as the consumer is. */
import { Batch } from '../consumer/lake/append/batch';
import type { KinesisClientRecord } from '../consumer/kcl/processor';
import type { DecodeResult, ReadingSink } from '../consumer/readings/decoded-reading';
import { FastPath } from '../consumer/readings/fast-path';
import { readingSchema } from '../consumer/readings/schema';
import { SlowPath } from '../consumer/readings/slow-path';
import { telemetryTopic, type TelemetryEnvelope } from '../lib/contracts/topics';
import { useCases } from '../use-cases';
import type { UseCase } from '../use-cases/define-use-case';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 2, 4);
const DEVICES = 500;
const LIMITS = { maximumAge: 24 * HOUR, maximumAhead: HOUR };
type Path = (record: KinesisClientRecord, sink: ReadingSink) => DecodeResult | undefined;

export interface Sample {
  readonly name: string;
  readonly useCase: UseCase;
  readonly readings: number;
  readonly records: readonly KinesisClientRecord[];
}

/** What the use case's simulated devices send: one reading in a payload, or `perPayload` of them in an array. */
function sample(useCase: UseCase, count: number, perPayload: number, spaces: boolean): Sample {
  const records: KinesisClientRecord[] = [];
  const sources = Array.from({ length: DEVICES }, (_, device) =>
    useCase.simulator.readings({ device, seed: 7, from: START, to: Infinity })[Symbol.iterator](),
  );
  for (let at = 0; at < count; at++) {
    const device = `${useCase.name}-${String(at % DEVICES).padStart(5, '0')}`;
    const readings = Array.from({ length: perPayload }, () => {
      const { timestamp, values } = sources[at % DEVICES]!.next().value!;
      return { timestamp, messageId: `${device}-${timestamp.toString(36)}`, ...values };
    });
    const json = JSON.stringify(perPayload === 1 ? readings[0] : readings);
    const payload = spaces ? json.replace(/([:,])/g, '$1 ') : json;
    const envelope: TelemetryEnvelope = {
      payload: Buffer.from(payload).toString('base64'),
      topic: telemetryTopic(useCase.name, device),
      device,
      received: readings.at(-1)!.timestamp + 50,
    };
    records.push({
      sequenceNumber: String(49_000_000_000_000_000_000n + BigInt(at)),
      subSequenceNumber: 0,
      aggregated: false,
      partitionKey: device,
      approximateArrivalTimestamp: envelope.received + 20,
      data: Buffer.from(JSON.stringify(envelope)),
    });
  }
  const shape = `${perPayload === 1 ? 'one reading' : `${perPayload} readings`} a payload${spaces ? ', white space' : ''}`;
  return { name: `${useCase.name}, ${shape}`, useCase, readings: count * perPayload, records };
}

/** Takes readings and keeps nothing: what is measured is bytes to checked, hashed values. */
class CountingSink implements ReadingSink {
  readings = 0;

  reading(): boolean {
    this.readings += 1;
    return true;
  }

  quarantine(): void {}
}

/** @throws Error where the path leaves a record to the other one: then this would measure both. */
function decodeAll(path: Path, records: readonly KinesisClientRecord[], sink: ReadingSink & Partial<Batch>): void {
  for (const record of records) {
    sink.beginRecord?.(record);
    const result = path(record, sink);
    if (result === undefined) throw new Error(`record ${record.sequenceNumber} is not for the fast path`);
    sink.endRecord?.(result.elements, result.stoppedAt);
  }
}

/** CPU nanoseconds for each reading. */
function turn(path: Path, { records, readings }: Sample, intoBatch: boolean): number {
  const sink = intoBatch ? new Batch() : new CountingSink();
  const start = process.cpuUsage();
  decodeAll(path, records, sink);
  const { user, system } = process.cpuUsage(start);
  const rows =
    sink instanceof Batch
      ? [...sink.partitions.values()].reduce((sum, { columns }) => sum + columns.rows, 0)
      : sink.readings;
  if (rows !== readings) throw new Error(`${rows} readings were decoded, of ${readings}`);
  return ((user + system) * 1_000) / readings;
}

export function samples(count: number): Sample[] {
  const each = useCases.flatMap((useCase) => [
    sample(useCase, count, 1, false),
    sample(useCase, Math.ceil(count / 20), 20, false),
  ]);
  return [...each, sample(useCases[0]!, count, 1, true)];
}

/** CPU nanoseconds for each reading. */
export interface Pair {
  readonly fast: number;
  readonly slow: number;
}

/** Pairs of turns without end, the first two to warm up; which path comes first alternates. */
export function* pairs(each: Sample, intoBatch: boolean): Generator<Pair, never, undefined> {
  const schemas = new Map([[each.useCase.name, readingSchema(each.useCase)]]);
  const fastPath = new FastPath(schemas, LIMITS);
  const slowPath = new SlowPath(schemas, LIMITS, 'shardId-000000000000');
  const fast: Path = (record, sink) => fastPath.decode(record, sink, 0);
  const slow: Path = (record, sink) => slowPath.decode(record, sink, 0);
  for (let fastFirst = true; ; fastFirst = !fastFirst) {
    const first = turn(fastFirst ? fast : slow, each, intoBatch);
    const second = turn(fastFirst ? slow : fast, each, intoBatch);
    yield fastFirst ? { fast: first, slow: second } : { fast: second, slow: first };
  }
}
