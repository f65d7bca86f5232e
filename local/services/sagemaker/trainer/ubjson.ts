/**
 * Universal Binary JSON as XGBoost writes it (https://ubjson.org): objects without count, keys with an int64 length,
 * strongly typed arrays for numbers, everything big-endian.
 */
export type UbjValue =
  | string
  | number
  | Float32Array
  | Int32Array
  | Uint8Array
  | BigInt64Array
  | readonly UbjValue[]
  | { readonly [key: string]: UbjValue };

export function writeUbjson(value: UbjValue): Buffer {
  const parts: Buffer[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: UbjValue, parts: Buffer[]): void {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    parts.push(Buffer.from('S'), length(bytes.length), bytes);
  } else if (typeof value === 'number') {
    parts.push(integer(value));
  } else if (value instanceof Float32Array) {
    typedArray('d', 4, value.length, (into, index) => into.writeFloatBE(value[index]!, index * 4), parts);
  } else if (value instanceof Int32Array) {
    typedArray('l', 4, value.length, (into, index) => into.writeInt32BE(value[index]!, index * 4), parts);
  } else if (value instanceof Uint8Array) {
    typedArray('U', 1, value.length, (into, index) => into.writeUInt8(value[index]!, index), parts);
  } else if (value instanceof BigInt64Array) {
    typedArray('L', 8, value.length, (into, index) => into.writeBigInt64BE(value[index]!, index * 8), parts);
  } else if (Array.isArray(value)) {
    parts.push(Buffer.from('[#'), length(value.length));
    for (const element of value as readonly UbjValue[]) write(element, parts);
  } else {
    parts.push(Buffer.from('{'));
    for (const [key, member] of Object.entries(value as { readonly [key: string]: UbjValue })) {
      const bytes = Buffer.from(key, 'utf8');
      parts.push(length(bytes.length), bytes);
      write(member, parts);
    }
    parts.push(Buffer.from('}'));
  }
}

function length(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write('L', 'latin1');
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

/** The smallest of int8, int16 and int32 that holds the value. */
function integer(value: number): Buffer {
  if (!Number.isInteger(value) || value < -2147483648 || value > 2147483647) {
    throw new RangeError(`a number outside typed arrays must be a 32-bit integer, not ${value}`);
  }
  if (value >= -128 && value <= 127) {
    const bytes = Buffer.from('i\0', 'latin1');
    bytes.writeInt8(value, 1);
    return bytes;
  }
  if (value >= -32768 && value <= 32767) {
    const bytes = Buffer.from('I\0\0', 'latin1');
    bytes.writeInt16BE(value, 1);
    return bytes;
  }
  const bytes = Buffer.from('l\0\0\0\0', 'latin1');
  bytes.writeInt32BE(value, 1);
  return bytes;
}

function typedArray(
  type: string,
  size: number,
  count: number,
  put: (into: Buffer, index: number) => void,
  parts: Buffer[],
): void {
  const body = Buffer.alloc(size * count);
  for (let index = 0; index < count; index++) put(body, index);
  parts.push(Buffer.from(`[$${type}#`, 'latin1'), length(count), body);
}
