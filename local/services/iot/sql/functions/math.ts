import { finite } from '../values';
import { define, ofInts, ofNumbers } from './function';
import type { FunctionTable } from './function';

const real = (apply: (x: number) => number) => ofNumbers(1, (x) => finite(apply(x)));
const remainder = ofNumbers(2, (a, b) => finite(a % b));
/** Bits of 64-bit integers, as Java's long has them. */
const bits = (apply: (a: bigint, b: bigint) => bigint) =>
  ofInts(2, (a, b) => Number(BigInt.asIntN(64, apply(BigInt(a), BigInt(b)))));

export const mathFunctions: FunctionTable = {
  abs: real(Math.abs),
  acos: real(Math.acos),
  asin: real(Math.asin),
  atan: real(Math.atan),
  atan2: ofNumbers(2, (a, b) => finite(Math.atan2(a, b))),
  ceil: real(Math.ceil),
  cos: real(Math.cos),
  cosh: real(Math.cosh),
  exp: real(Math.exp),
  floor: real(Math.floor),
  ln: real(Math.log),
  log: real(Math.log10),
  mod: remainder,
  remainder,
  power: ofNumbers(2, (a, b) => finite(a ** b)),
  // Away from zero at the half: Round(-1.5) = -2.
  round: real((x) => Math.sign(x) * Math.round(Math.abs(x))),
  sign: real(Math.sign),
  sin: real(Math.sin),
  sinh: real(Math.sinh),
  sqrt: real(Math.sqrt),
  tan: real(Math.tan),
  tanh: real(Math.tanh),
  trunc: ofNumbers(2, (x, places) => truncate(x, Math.min(34, Math.max(0, Math.floor(places))))),
  bitand: bits((a, b) => a & b),
  bitor: bits((a, b) => a | b),
  bitxor: bits((a, b) => a ^ b),
  bitnot: ofInts(1, (a) => Number(~BigInt(a))),
  rand: define([0, 0], (_values, { environment }) => environment.random()),
};

/** By the decimal digits that the number shows, so that trunc(2.3, 1) is 2.3. */
function truncate(x: number, places: number): number {
  const text = String(x);
  if (text.includes('e')) return Math.abs(x) < 1 ? 0 : x;
  const point = text.indexOf('.');
  return point === -1 ? x : Number(text.slice(0, point + 1 + places));
}
