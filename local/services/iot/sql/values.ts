/**
 * Values of AWS IoT SQL (version 2016-03-23) and the conversions between their types. Undefined is a value of the
 * language; Int and Decimal are told apart by whether the number is whole, as that version does (10.0 is 10). Numbers
 * are doubles here, where AWS keeps 34 digits.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-data-types.html
 */
export type SqlValue = undefined | null | boolean | number | string | SqlArray | SqlObject;
export type SqlArray = readonly SqlValue[];
export interface SqlObject {
  readonly [name: string]: SqlValue;
}

/** A statement that cannot be evaluated on this message: logged, the rule's actions do not run. */
export class SqlFault extends Error {
  override readonly name = 'SqlFault';
}

const NUMBER = /^-?\d+(\.\d+)?(E-?\d+)?$/i;

export function isArray(value: SqlValue): value is SqlArray {
  return Array.isArray(value);
}

export function isObject(value: SqlValue): value is SqlObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Numbers, and strings that look like one. Booleans never convert by themselves. */
export function toNumber(value: SqlValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && NUMBER.test(value) ? finite(Number(value)) : undefined;
}

/** Rounded down. */
export function toInt(value: SqlValue): number | undefined {
  const number = toNumber(value);
  return number === undefined ? undefined : Math.floor(number);
}

/** Arrays and objects as JSON; Null has no string. */
export function toText(value: SqlValue): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function toBoolean(value: SqlValue): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.toLowerCase() : undefined;
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

/** Imaginary and infinite results are Undefined. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

/** A member that the object itself has: names such as `constructor` are members of no payload. */
export function memberOf(value: SqlValue, name: string): SqlValue {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** An object whose keys may be anything a payload holds, `__proto__` included. */
export function emptyObject(): Record<string, SqlValue> {
  return Object.create(null) as Record<string, SqlValue>;
}

export function deepEqual(left: SqlValue, right: SqlValue): boolean {
  if (isArray(left) && isArray(right)) {
    return left.length === right.length && left.every((item, index) => deepEqual(item, right[index]));
  }
  if (isObject(left) && isObject(right)) {
    const names = Object.keys(left);
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => Object.hasOwn(right, name) && deepEqual(left[name], right[name]))
    );
  }
  return left === right;
}
