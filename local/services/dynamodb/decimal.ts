/** DynamoDB's Number: exact decimals of 38 significant digits, magnitudes 1E-130 to 9.99…E+125. */
import { AwsError } from '../../gateway/service';

const MAXIMUM_DIGITS = 38;
const MAXIMUM_MAGNITUDE = 125;
const MINIMUM_MAGNITUDE = -130;
const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;
/** Digits that a double holds exactly, sign and point aside: short numbers compare as doubles. */
const EXACT_CHARACTERS = 15;

/** coefficient × 10^exponent; the coefficient has no trailing zeros, and zero has exponent 0. */
interface Decimal {
  readonly coefficient: bigint;
  readonly exponent: number;
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

function parse(text: string): Decimal {
  const match = PATTERN.exec(text);
  const [, sign, whole = '', fraction = '', power = '0'] = match ?? [];
  if (match === null || whole.length + fraction.length === 0) {
    throw invalid(`The parameter cannot be converted to a numeric value: ${text.slice(0, 100)}`);
  }
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return { coefficient: 0n, exponent: 0 };
  const exponent = Number(power) - fraction.length + digits.length - significant.length;
  return { coefficient: BigInt(significant) * (sign === '-' ? -1n : 1n), exponent };
}

/** @throws AwsError ValidationException beyond the range or 38 digits. */
function format({ coefficient, exponent }: Decimal): string {
  if (coefficient === 0n) return '0';
  const negative = coefficient < 0n;
  const digits = String(negative ? -coefficient : coefficient);
  const magnitude = exponent + digits.length - 1;
  if (magnitude > MAXIMUM_MAGNITUDE) {
    throw invalid('Number overflow. Attempting to store a number with magnitude larger than supported range');
  }
  if (magnitude < MINIMUM_MAGNITUDE) {
    throw invalid('Number underflow. Attempting to store a number with magnitude smaller than supported range');
  }
  if (digits.length > MAXIMUM_DIGITS)
    throw invalid(`Attempting to store more than ${MAXIMUM_DIGITS} significant digits in a Number`);
  const point = digits.length + exponent;
  const plain =
    exponent >= 0
      ? digits + '0'.repeat(exponent)
      : point > 0
        ? `${digits.slice(0, point)}.${digits.slice(point)}`
        : `0.${'0'.repeat(-point)}${digits}`;
  return negative ? `-${plain}` : plain;
}

function reduce(coefficient: bigint, exponent: number): Decimal {
  return parse(`${coefficient}e${exponent}`);
}

/** The plain notation that DynamoDB returns: no exponent, no leading or trailing zeros. */
export function canonicalNumber(text: string): string {
  if (/^(0|-?[1-9]\d{0,14})$/.test(text)) return text;
  return format(parse(text));
}

/** Both canonical. */
export function addNumbers(left: string, right: string): string {
  const one = parse(left);
  const other = parse(right);
  const exponent = Math.min(one.exponent, other.exponent);
  const scaled = (value: Decimal) => value.coefficient * 10n ** BigInt(value.exponent - exponent);
  return format(reduce(scaled(one) + scaled(other), exponent));
}

/** Both canonical. */
export function subtractNumbers(left: string, right: string): string {
  return addNumbers(left, right.startsWith('-') ? right.slice(1) : `-${right}`);
}

/** Both canonical; negative, 0 or positive. */
export function compareNumbers(left: string, right: string): number {
  if (left === right) return 0;
  if (left.length <= EXACT_CHARACTERS && right.length <= EXACT_CHARACTERS) return Number(left) - Number(right);
  const difference = parse(left);
  const subtrahend = parse(right);
  const exponent = Math.min(difference.exponent, subtrahend.exponent);
  const scaled = (value: Decimal) => value.coefficient * 10n ** BigInt(value.exponent - exponent);
  const one = scaled(difference);
  const other = scaled(subtrahend);
  return one < other ? -1 : one > other ? 1 : 0;
}
