/**
 * A use case's payloads from bytes to columns, driven by its schema: no JSON.parse, no object per reading. It takes the
 * JSON that devices write when all is well: readings of known members, each once, in any order, with plain ASCII texts
 * and numbers that a double holds exactly or rounds in one step. Anything else is not its own, and it says so.
 */
import { afterSpace, MemberNames, standsAt } from './ascii';
import { YEAR_10000 } from './envelope';
import type { ReadingField, ReadingSchema } from './schema';
import { FORBIDDEN_NAMES, MAXIMUM_MESSAGE_ID, type EventTimeLimits } from './validate';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const DELETE = 0x7f;

/** Names of a reading's own members; the schema's fields follow them. */
const OWN_NAMES = ['timestamp', 'deviceId', 'messageId'];
const TIMESTAMP = 0;
const DEVICE_ID = 1;
const MESSAGE_ID = 2;
const FIRST_FIELD = OWN_NAMES.length;

/**
 * An integer of up to 15 digits divided by a power of ten up to 22 is rounded once, from two exact doubles, and so is
 * the double nearest to the decimal text (Clinger, "How to Read Floating Point Numbers Accurately", 1990).
 */
const MAXIMUM_MANTISSA = 999_999_999_999_999;
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

export class ReadingParser {
  /** Readings of the last payload. */
  rows = 0;
  /** Epoch milliseconds by row. */
  eventTime = new Float64Array(1);
  readonly messageId: (string | null)[] = [];
  /** Row after row, the schema's fields in order; NaN where missing. */
  values: Float64Array;

  private readonly fields: readonly ReadingField[];
  private readonly names: MemberNames;
  /** By member: the reading, counted over all payloads, that had it last. */
  private readonly seen: Float64Array;
  private readings = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  /** Undefined for a schema whose names have another meaning in a reading. */
  static of(schema: ReadingSchema, limits: EventTimeLimits): ReadingParser | undefined {
    const taken: readonly string[] = [...OWN_NAMES, ...FORBIDDEN_NAMES];
    const isPlain = ({ name }: ReadingField): boolean => /^\w+$/.test(name) && !taken.includes(name);
    return schema.fields.every(isPlain) ? new ReadingParser(schema, limits) : undefined;
  }

  private constructor(
    schema: ReadingSchema,
    private readonly limits: EventTimeLimits,
  ) {
    this.fields = schema.fields;
    this.names = new MemberNames([...OWN_NAMES, ...schema.fields.map(({ name }) => name)]);
    this.seen = new Float64Array(OWN_NAMES.length + schema.fields.length);
    this.values = new Float64Array(schema.fields.length);
  }

  /**
   * Reads the payload in `bytes` up to `length`, where a zero byte stands.
   * @returns false where the payload is not of this parser's kind; what the columns hold then means nothing.
   */
  parse(bytes: Buffer, length: number, device: string, received: number): boolean {
    this.bytes = bytes;
    this.rows = 0;
    this.at = afterSpace(bytes, 0);
    if (bytes[this.at] === OPEN_BRACKET) {
      let separator: number;
      do {
        this.at = afterSpace(bytes, this.at + 1);
        if (!this.reading(device, received)) return false;
        this.at = afterSpace(bytes, this.at);
        separator = bytes[this.at]!;
      } while (separator === COMMA);
      if (separator !== CLOSE_BRACKET) return false;
      this.at++;
    } else if (!this.reading(device, received)) return false;
    return afterSpace(bytes, this.at) === length;
  }

  private reading(device: string, received: number): boolean {
    const { bytes, seen } = this;
    if (bytes[this.at] !== OPEN_BRACE) return false;
    if (this.rows === this.eventTime.length) this.grow();
    this.messageId[this.rows] = null;
    const reading = ++this.readings;
    let previous = -1;
    let separator: number;
    do {
      this.at = afterSpace(bytes, this.at + 1);
      const member = this.names.find(bytes, this.at, previous);
      if (member < 0 || seen[member] === reading) return false;
      seen[member] = reading;
      previous = member;
      this.at = afterSpace(bytes, this.at + this.names.length(member));
      if (bytes[this.at] !== COLON) return false;
      this.at = afterSpace(bytes, this.at + 1);
      if (!this.value(member, device, received)) return false;
      this.at = afterSpace(bytes, this.at);
      separator = bytes[this.at]!;
    } while (separator === COMMA);
    if (separator !== CLOSE_BRACE || seen[TIMESTAMP] !== reading || !this.fillMissing(reading)) return false;
    this.at++;
    this.rows++;
    return true;
  }

  private passes(text: string): boolean {
    if (!standsAt(text, this.bytes, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private value(member: number, device: string, received: number): boolean {
    if (member >= FIRST_FIELD) return this.field(member - FIRST_FIELD);
    if (member === TIMESTAMP) return this.timestamp(received);
    if (member === MESSAGE_ID) return this.messageIdText();
    return (
      member === DEVICE_ID && this.bytes[this.at++] === QUOTE && this.passes(device) && this.bytes[this.at++] === QUOTE
    );
  }

  private field(index: number): boolean {
    const { type, minimum, maximum, required } = this.fields[index]!;
    let value: number;
    if (this.bytes[this.at]! <= NINE) {
      value = this.number();
      // NaN, for no number of this parser's kind, is in no range.
      if (!(value >= minimum && value <= maximum) || (type === 'integer' && !Number.isInteger(value))) return false;
    } else {
      if (required || !this.passes('null')) return false;
      value = NaN;
    }
    this.values[this.rows * this.fields.length + index] = value;
    return true;
  }

  private timestamp(received: number): boolean {
    const time = this.number();
    const { maximumAhead, maximumAge } = this.limits;
    if (!Number.isInteger(time) || time - received > maximumAhead || received - time > maximumAge) return false;
    if (time < 0 || time >= YEAR_10000) return false;
    this.eventTime[this.rows] = time;
    return true;
  }

  private messageIdText(): boolean {
    const { bytes } = this;
    if (bytes[this.at] !== QUOTE) return this.passes('null');
    const start = this.at + 1;
    let at = start;
    for (;;) {
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (byte < 0x20 || byte === BACKSLASH || byte >= DELETE) return false;
      at++;
    }
    if (at === start || at - start > MAXIMUM_MESSAGE_ID) return false;
    this.messageId[this.rows] = bytes.toString('latin1', start, at);
    this.at = at + 1;
    return true;
  }

  /** The number that stands here, and passes over it; NaN where it is none, or not exact by {@link MAXIMUM_MANTISSA}. */
  private number(): number {
    const { bytes } = this;
    let { at } = this;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let byte = bytes[at]!;
    if (byte < ZERO || byte > NINE) return NaN;
    let mantissa = byte - ZERO;
    byte = bytes[++at]!;
    if (mantissa !== 0) {
      for (; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) mantissa = mantissa * 10 + (byte - ZERO);
    }
    let value = mantissa;
    if (byte === POINT) {
      const first = ++at;
      for (byte = bytes[at]!; byte >= ZERO && byte <= NINE; byte = bytes[++at]!)
        mantissa = mantissa * 10 + (byte - ZERO);
      const places = at - first;
      if (places === 0 || places >= POWERS.length) return NaN;
      value = mantissa / POWERS[places]!;
    }
    // An exponent, or a digit after a leading zero, is left standing, where the caller finds no separator.
    this.at = at;
    if (mantissa > MAXIMUM_MANTISSA) return NaN;
    return negative ? -value : value;
  }

  private fillMissing(reading: number): boolean {
    const { fields, seen } = this;
    for (let index = 0; index < fields.length; index++) {
      if (seen[FIRST_FIELD + index] === reading) continue;
      if (fields[index]!.required) return false;
      this.values[this.rows * fields.length + index] = NaN;
    }
    return true;
  }

  private grow(): void {
    const [eventTime, values] = [this.eventTime, this.values];
    this.eventTime = new Float64Array(eventTime.length * 2);
    this.eventTime.set(eventTime);
    this.values = new Float64Array(values.length * 2);
    this.values.set(values);
  }
}
