/** What the benchmark reads: compact JSON readings of about 216 bytes, the same in every run. */
import { createHash } from 'node:crypto';

export const RECORDS_PER_RESPONSE = 10_000;

/** A reading as a device publishes it. */
export function reading(index: number): Buffer {
  const wave = (period: number) => Math.round(1e4 * Math.sin(index / period)) / 1e4;
  return Buffer.from(
    JSON.stringify({
      deviceId: partitionKeyOf(index),
      timestamp: 1_763_871_735_000 + index,
      sequence: index,
      temperature: 20 + wave(7),
      humidity: 50 + wave(11),
      pressure: 101_325 + wave(13),
      vibration: { x: wave(3), y: wave(5), z: wave(17) },
      battery: 3.7,
      rssi: -60 - (index % 30),
      status: 'OK',
      firmware: '1.4.2',
    }),
  );
}

/** The key under which a device publishes. */
export const partitionKeyOf = (index: number): string => `device-${String(index % 1_000).padStart(6, '0')}`;

/** A GetRecords response in the shape and member order of the service. */
export function getRecordsResponse(count: number): Record<string, unknown> {
  const Records = Array.from({ length: count }, (_, index) => ({
    ApproximateArrivalTimestamp: 1_763_871_735 + (index % 1_000) / 1_000,
    Data: reading(index).toString('base64'),
    PartitionKey: partitionKeyOf(index),
    SequenceNumber: String(49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898n + BigInt(index)),
  }));
  return { MillisBehindLatest: 0, NextShardIterator: 'A'.repeat(224), Records };
}

const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

const field = (number: number, content: Buffer) =>
  Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);

/**
 * A KPL aggregate.
 * @see https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 */
export function aggregateOf(records: readonly { readonly partitionKey: string; readonly data: Buffer }[]): Buffer {
  const keys = [...new Set(records.map(({ partitionKey }) => partitionKey))];
  const message = Buffer.concat([
    ...keys.map((key) => field(1, Buffer.from(key))),
    ...records.map(({ partitionKey, data }) =>
      field(3, Buffer.concat([varint(8), varint(keys.indexOf(partitionKey)), field(3, data)])),
    ),
  ]);
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()]);
}
