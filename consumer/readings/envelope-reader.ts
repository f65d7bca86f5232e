/** The telemetry rule's envelope from bytes: four members, each once, in any order; nothing escaped, nothing added. */
import { afterSpace, MemberNames, standsAt } from './ascii';
import { YEAR_10000 } from './envelope';
import { topicAt, type Topic } from './topic-cache';

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const EQUALS = 0x3d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NAMES = ['payload', 'topic', 'device', 'received'];
const PAYLOAD = 0;
const TOPIC = 1;
const DEVICE = 2;
const ALL_SEEN = 0b1111;

export class EnvelopeReader {
  /** The payload's bytes and a zero byte after them; reused for the next envelope. */
  payload: Buffer = Buffer.alloc(1024);
  payloadLength = 0;
  topic: Topic | undefined;
  /** Epoch milliseconds. */
  received = 0;

  private readonly names = new MemberNames(NAMES);
  private deviceStart = 0;
  private deviceEnd = 0;

  /** @returns false where the bytes are not of the kind that a rule writes for a telemetry topic. */
  read(data: Buffer): boolean {
    let at = afterSpace(data, 0);
    if (data[at] !== OPEN_BRACE) return false;
    let seen = 0;
    let previous = -1;
    let separator: number;
    do {
      at = afterSpace(data, at + 1);
      const member = this.names.find(data, at, previous);
      if (member < 0 || (seen & (1 << member)) !== 0) return false;
      seen |= 1 << member;
      previous = member;
      at = afterSpace(data, at + this.names.length(member));
      if (data[at] !== COLON) return false;
      at = this.value(member, data, afterSpace(data, at + 1));
      if (at < 0) return false;
      at = afterSpace(data, at);
      separator = data[at]!;
    } while (separator === COMMA);
    if (seen !== ALL_SEEN || separator !== CLOSE_BRACE || afterSpace(data, at + 1) !== data.length) return false;
    const { device } = this.topic!;
    return this.deviceEnd - this.deviceStart === device.length && standsAt(device, data, this.deviceStart);
  }

  /** @returns the position after the value, or -1 where it is of another kind. */
  private value(member: number, data: Buffer, start: number): number {
    if (member > DEVICE) return this.time(data, start);
    if (data[start] !== QUOTE) return -1;
    if (member === PAYLOAD) return this.decodePayload(data, start + 1);
    let end = start + 1;
    while (end < data.length && data[end] !== QUOTE) end++;
    if (member === TOPIC) {
      this.topic = topicAt(data, start + 1, end);
      if (this.topic === undefined) return -1;
    } else {
      this.deviceStart = start + 1;
      this.deviceEnd = end;
    }
    return end + 1;
  }

  private decodePayload(data: Buffer, start: number): number {
    const end = data.indexOf(QUOTE, start);
    const encoded = end - start;
    if (encoded <= 0 || encoded % 4 !== 0) return -1;
    const padding = data[end - 1] !== EQUALS ? 0 : data[end - 2] !== EQUALS ? 1 : 2;
    const length = (encoded / 4) * 3 - padding;
    if (this.payload.length <= length) this.payload = Buffer.alloc(2 * length + 1);
    // What is no base64 is passed over, which leaves fewer bytes.
    if (this.payload.write(data.toString('latin1', start, end), 'base64') !== length) return -1;
    this.payload[length] = 0;
    this.payloadLength = length;
    return end + 1;
  }

  private time(data: Buffer, start: number): number {
    let at = start;
    let time = 0;
    for (let byte = data[at]!; byte >= ZERO && byte <= NINE; byte = data[++at]!) time = time * 10 + (byte - ZERO);
    if (at === start || (data[start] === ZERO && at - start > 1) || time >= YEAR_10000) return -1;
    this.received = time;
    return at;
  }
}
