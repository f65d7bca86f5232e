import { parseUbjson } from '../../consumer/training/ubjson';

function bytes(...parts: readonly (string | number | Buffer)[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'number' ? Buffer.of(part) : Buffer.isBuffer(part) ? part : Buffer.from(part, 'latin1'),
    ),
  );
}

function float32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatBE(value);
  return buffer;
}

function int64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return buffer;
}

describe('parseUbjson', () => {
  it('reads every number, big-endian', () => {
    const double = Buffer.alloc(8);
    double.writeDoubleBE(0.1);
    const document = bytes(
      '[',
      'i',
      0xff,
      'U',
      0xff,
      'I',
      0x01,
      0x00,
      'l',
      0xff,
      0xff,
      0xff,
      0xfe,
      'L',
      int64(-5),
      'd',
      float32(0.5),
      'D',
      double,
      ']',
    );
    expect(parseUbjson(document)).toEqual([-1, 255, 256, -2, -5, 0.5, 0.1]);
  });

  it('reads text, constants and no-ops', () => {
    expect(parseUbjson(bytes('[', 'T', 'N', 'F', 'Z', 'C', 'x', 'S', 'U', 3, 'a\xc3\xa9', ']'))).toEqual([
      true,
      false,
      null,
      'x',
      'aé',
    ]);
  });

  it('reads typed arrays as XGBoost writes them, and counted and plain containers', () => {
    expect(parseUbjson(bytes('[$d#L', int64(2), float32(1.5), float32(-2)))).toEqual([1.5, -2]);
    expect(parseUbjson(bytes('[#i', 2, 'i', 1, 'Z'))).toEqual([1, null]);
    expect(parseUbjson(bytes('{', 'i', 1, 'a', '[', ']', 'L', int64(1), 'b', '{', '}', '}'))).toEqual({ a: [], b: {} });
    expect(parseUbjson(bytes('{$i#i', 2, 'i', 1, 'a', 7, 'i', 1, 'b', 8))).toEqual({ a: 7, b: 8 });
  });

  it('does not let a key change the prototype', () => {
    const value = parseUbjson(bytes('{', 'i', 9, '__proto__', '{', 'i', 1, 'x', 'i', 1, '}', '}')) as { x?: number };
    expect(value.x).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ['is cut off at byte 1', bytes('{')],
    ['is cut off at byte 2', bytes('S', 'i')],
    ['is cut off at byte 3', bytes('S', 'i', 5, 'abc')],
    ['ends at 1 of 2 bytes', bytes('T', 'T')],
    ['has the unknown marker 0x3f at byte 1', bytes('[', '?')],
    ['has a length that is no whole number', bytes('S', 'i', 0xff)],
    ['has a typed container without a count', bytes('[$d', float32(1))],
    ['counts 1000000000000 entries', bytes('[$T#L', int64(1e12))],
    ['nests deeper than 64 levels', bytes('['.repeat(1000))],
  ])('refuses what %s', (problem, document) => {
    expect(() => parseUbjson(document)).toThrow(`UBJSON ${problem}`);
  });
});
