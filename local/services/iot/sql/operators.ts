/** @see https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-operators.html */
import type { BinaryOperator } from './ast';
import { deepEqual, finite, toBoolean, toNumber, toText } from './values';
import type { SqlValue } from './values';

export type Operator = (left: SqlValue, right: SqlValue) => SqlValue;

export const OPERATORS: Readonly<Record<BinaryOperator, Operator>> = {
  '+': (left, right) => {
    if (typeof left === 'string' || typeof right === 'string') return concatenate(left, right);
    return typeof left === 'number' && typeof right === 'number' ? finite(left + right) : undefined;
  },
  '-': numeric((left, right) => left - right),
  '*': numeric((left, right) => left * right),
  '/': numeric((left, right) =>
    Number.isInteger(left) && Number.isInteger(right) ? Math.trunc(left / right) : left / right,
  ),
  '%': numeric((left, right) => left % right),
  '=': equality((equal) => equal),
  '<>': equality((equal) => !equal),
  '<': numeric((left, right) => left < right),
  '<=': numeric((left, right) => left <= right),
  '>': numeric((left, right) => left > right),
  '>=': numeric((left, right) => left >= right),
  and: logical((left, right) => left && right),
  or: logical((left, right) => left || right),
};

export function not(value: SqlValue): SqlValue {
  const boolean = toBoolean(value);
  return boolean === undefined ? undefined : !boolean;
}

export function negate(value: SqlValue): SqlValue {
  const number = toNumber(value);
  return number === undefined ? undefined : -number;
}

function concatenate(left: SqlValue, right: SqlValue): SqlValue {
  const texts = [toText(left), toText(right)];
  return texts.includes(undefined) ? undefined : texts.join('');
}

function numeric(apply: (left: number, right: number) => number | boolean): Operator {
  return (left, right) => {
    const [a, b] = [toNumber(left), toNumber(right)];
    if (a === undefined || b === undefined) return undefined;
    const result = apply(a, b);
    return typeof result === 'number' ? finite(result) : result;
  };
}

/** Types that differ are unequal; Undefined compares to nothing. */
function equality(answer: (equal: boolean) => boolean): Operator {
  return (left, right) => (left === undefined || right === undefined ? undefined : answer(deepEqual(left, right)));
}

function logical(apply: (left: boolean, right: boolean) => boolean): Operator {
  return (left, right) => {
    const [a, b] = [toBoolean(left), toBoolean(right)];
    return a === undefined || b === undefined ? undefined : apply(a, b);
  };
}
