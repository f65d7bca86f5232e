/**
 * Reads the records of a GetRecords response from its bytes: what a JSON parser makes of 10,000 records (a tree of objects,
 * a string of base64 for each, a buffer for each) costs several times what the records themselves do.
 * Response: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
 */
import type { KinesisRecord } from '../../dependencies';
import { JsonCursor, UnexpectedJson } from './json-cursor';

export interface ScannedResponse {
  /** Their data are views of one buffer: a record that is kept keeps the data of all. */
  readonly records: readonly KinesisRecord[];
  /** The same response with an empty list of records. */
  readonly rest: Uint8Array;
}

const key = (name: string): Buffer => Buffer.from(`"${name}":`);
const RECORDS = key('Records');
const ARRIVAL = key('ApproximateArrivalTimestamp');
const DATA = key('Data');
const PARTITION_KEY = key('PartitionKey');
const SEQUENCE_NUMBER = key('SequenceNumber');
const ENCRYPTION_TYPE = key('EncryptionType');

const PADDING = 0x3d;
const EMPTY = new Uint8Array(0);

interface Draft {
  sequenceNumber: string;
  partitionKey: string;
  data: Uint8Array;
  approximateArrivalTimestamp: number;
}

/**
 * Undefined for every response that is not as Kinesis writes it today (other members of a record, whitespace, escapes in
 * base64, a body that is cut): those are for a JSON parser, which also knows what is wrong with them.
 * @param body the whole response body
 */
export function scanGetRecords(body: Buffer): ScannedResponse | undefined {
  try {
    return new ResponseScanner(body).scan();
  } catch (error) {
    if (error instanceof UnexpectedJson) return undefined;
    throw error;
  }
}

class ResponseScanner {
  private readonly cursor: JsonCursor;
  private readonly drafts: Draft[] = [];
  /** First byte and end of each record's base64. */
  private readonly base64: number[] = [];
  private dataBytes = 0;

  constructor(private readonly body: Buffer) {
    this.cursor = new JsonCursor(body);
  }

  scan(): ScannedResponse {
    const { body, cursor } = this;
    let listAt: number | undefined;
    let listEnd = 0;
    cursor.openObject();
    do {
      if (!cursor.take(RECORDS)) {
        cursor.skipKey();
        cursor.skipValue();
        continue;
      }
      if (listAt !== undefined) throw new UnexpectedJson();
      cursor.openList();
      listAt = cursor.at;
      if (!cursor.closeEmptyList()) {
        do this.scanRecord();
        while (cursor.hasElement());
      }
      listEnd = cursor.at - 1;
    } while (cursor.hasMember());
    if (listAt === undefined || !cursor.done) throw new UnexpectedJson();
    this.decodeData();
    return { records: this.drafts, rest: Buffer.concat([body.subarray(0, listAt), body.subarray(listEnd)]) };
  }

  private scanRecord(): void {
    const { cursor } = this;
    let arrival: number | undefined;
    let dataAt: number | undefined;
    let dataEnd = 0;
    let partitionKey: string | undefined;
    let sequenceNumber: string | undefined;
    cursor.openObject();
    do {
      if (cursor.take(ARRIVAL)) {
        arrival = cursor.epochMillis();
      } else if (cursor.take(DATA)) {
        dataAt = cursor.skipPlainString();
        dataEnd = cursor.at - 1;
      } else if (cursor.take(PARTITION_KEY)) {
        partitionKey = cursor.text();
      } else if (cursor.take(SEQUENCE_NUMBER)) {
        sequenceNumber = cursor.text();
      } else if (cursor.take(ENCRYPTION_TYPE)) {
        cursor.text();
      } else {
        throw new UnexpectedJson();
      }
    } while (cursor.hasMember());
    if (dataAt === undefined || arrival === undefined || partitionKey === undefined || sequenceNumber === undefined) {
      throw new UnexpectedJson();
    }
    this.drafts.push({ sequenceNumber, partitionKey, data: EMPTY, approximateArrivalTimestamp: arrival });
    this.base64.push(dataAt, dataEnd);
    this.dataBytes += this.decodedLength(dataAt, dataEnd);
  }

  private decodedLength(start: number, end: number): number {
    const { body } = this;
    if ((end - start) % 4 !== 0) throw new UnexpectedJson();
    const whole = ((end - start) / 4) * 3;
    if (whole === 0 || body[end - 1] !== PADDING) return whole;
    return body[end - 2] === PADDING ? whole - 2 : whole - 1;
  }

  private decodeData(): void {
    const { body, base64, drafts } = this;
    const block = Buffer.allocUnsafeSlow(this.dataBytes);
    let from = 0;
    for (let i = 0; i < drafts.length; i++) {
      const start = base64[2 * i] as number;
      const end = base64[2 * i + 1] as number;
      const to = from + this.decodedLength(start, end);
      // The decoder skips what is not base64, and then comes out short.
      if (block.write(body.toString('latin1', start, end), from, to - from, 'base64') !== to - from) {
        throw new UnexpectedJson();
      }
      (drafts[i] as Draft).data = new Uint8Array(block.buffer, from, to - from);
      from = to;
    }
  }
}
