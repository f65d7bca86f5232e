import { physicalName, uuidOf } from '../../../local/assembly/names';

describe('physicalName', () => {
  test('is stack, logical id and hash, the same every time', () => {
    const name = physicalName('App-Lake', 'Bucket83908E77', { maximumLength: 128 });
    expect(name).toMatch(/^App-Lake-Bucket83908E77-[0-9A-F]{12}$/);
    expect(physicalName('App-Lake', 'Bucket83908E77', { maximumLength: 128 })).toBe(name);
    expect(physicalName('App-Lake2', 'Bucket83908E77', { maximumLength: 128 })).not.toBe(name);
  });

  test('long ids that differ at the end do not collide when they are cut', () => {
    const long = 'x'.repeat(100);
    const one = physicalName('Stack', `${long}One`, { maximumLength: 63, lowerCase: true });
    const two = physicalName('Stack', `${long}Two`, { maximumLength: 63, lowerCase: true });
    expect(one).toHaveLength(63);
    expect(one).toBe(one.toLowerCase());
    expect(one).not.toBe(two);
  });
});

test('uuidOf has the form of a version 4 UUID', () => {
  expect(uuidOf('a', 'b')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
});
