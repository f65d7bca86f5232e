/**
 * `Fn::Cidr` for IPv4: the first `count` subnets of the block that leave `hostBits` bits for hosts.
 * @throws Error for a block that is no IPv4 CIDR block or is too small.
 */
export function cidrBlocks(block: string, count: number, hostBits: number): string[] {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(block);
  const numbers = match?.slice(1).map(Number);
  if (numbers === undefined || numbers.slice(0, 4).some((octet) => octet > 255) || numbers[4]! > 32) {
    throw new Error(`${block} is no IPv4 CIDR block`);
  }
  const length = 32 - hostBits;
  const prefix = numbers[4]!;
  if (length < prefix || count > 2 ** (length - prefix)) {
    throw new Error(`${block} does not hold ${count} subnets of /${length}`);
  }
  const size = 2 ** hostBits;
  const address = numbers.slice(0, 4).reduce((sum, octet) => sum * 256 + octet, 0);
  const first = Math.floor(address / 2 ** (32 - prefix)) * 2 ** (32 - prefix);
  return Array.from({ length: count }, (_, index) => {
    const start = first + index * size;
    return `${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')}/${length}`;
  });
}
