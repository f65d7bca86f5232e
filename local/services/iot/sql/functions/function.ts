import type { RuleMessage, SqlEnvironment } from '../message';
import { toInt, toNumber, toText } from '../values';
import type { SqlValue } from '../values';

export interface FunctionContext {
  readonly message: RuleMessage;
  readonly environment: SqlEnvironment;
}

export interface SqlFunction {
  /** Fewest and most arguments; another number makes the call Undefined. */
  readonly arity: readonly [number, number];
  readonly apply: (values: readonly SqlValue[], context: FunctionContext) => SqlValue;
}

export type FunctionTable = Readonly<Record<string, SqlFunction>>;

export function define(arity: readonly [number, number], apply: SqlFunction['apply']): SqlFunction {
  return { arity, apply };
}

/** A function of texts: arguments convert, and one that does not makes the call Undefined. */
export function ofTexts(count: number, apply: (...texts: string[]) => SqlValue): SqlFunction {
  return define([count, count], (values) => {
    const texts = values.map(toText);
    return texts.includes(undefined) ? undefined : apply(...(texts as string[]));
  });
}

/** A function of numbers. */
export function ofNumbers(count: number, apply: (...numbers: number[]) => SqlValue): SqlFunction {
  return define([count, count], (values) => {
    const numbers = values.map(toNumber);
    return numbers.includes(undefined) ? undefined : apply(...(numbers as number[]));
  });
}

/** A function of whole numbers, others rounded down. */
export function ofInts(count: number, apply: (...numbers: number[]) => SqlValue): SqlFunction {
  return define([count, count], (values) => {
    const numbers = values.map(toInt);
    return numbers.includes(undefined) ? undefined : apply(...(numbers as number[]));
  });
}
