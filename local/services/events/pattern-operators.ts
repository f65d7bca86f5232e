/** The operators of event patterns, each a test of one leaf value. Errors are plain; the pattern adds the path. */

export type Matcher =
  | { readonly matches: (leaf: unknown) => boolean }
  /** `exists`: about the field, not about a value of it. */
  | { readonly present: boolean };

/** @throws Error for an unknown operator or an operand of the wrong kind. */
export function compileOperator(name: string, operand: unknown): Matcher {
  if (name === 'exists') {
    if (typeof operand !== 'boolean') throw new Error('exists wants true or false');
    return { present: operand };
  }
  return { matches: name === 'anything-but' ? anythingBut(operand) : positive(name, operand) };
}

type LeafTest = (leaf: unknown) => boolean;

function positive(name: string, operand: unknown): LeafTest {
  switch (name) {
    case 'prefix':
      return affix(name, operand, (text, part) => text.startsWith(part));
    case 'suffix':
      return affix(name, operand, (text, part) => text.endsWith(part));
    case 'equals-ignore-case': {
      const wanted = requireString(name, operand).toLowerCase();
      return onText((text) => text.toLowerCase() === wanted);
    }
    case 'wildcard':
      return onText(wildcard(requireString(name, operand)));
    case 'numeric':
      return numeric(operand);
    case 'cidr':
      return cidr(requireString(name, operand));
    default:
      throw new Error(`${name} is no operator of event patterns`);
  }
}

function affix(name: string, operand: unknown, test: (text: string, part: string) => boolean): LeafTest {
  const nested = (operand as { 'equals-ignore-case'?: unknown } | null)?.['equals-ignore-case'];
  if (typeof operand === 'object' && nested !== undefined) {
    const part = requireString(`${name} equals-ignore-case`, nested).toLowerCase();
    return onText((text) => test(text.toLowerCase(), part));
  }
  const part = requireString(name, operand);
  return onText((text) => test(text, part));
}

/** True for a value that none of the alternatives matches; the field has to be there. */
function anythingBut(operand: unknown): LeafTest {
  if (typeof operand === 'object' && operand !== null && !Array.isArray(operand)) {
    const [name, ...more] = Object.keys(operand);
    if (name === undefined || more.length > 0 || !NESTED_IN_ANYTHING_BUT.has(name)) {
      throw new Error(`anything-but takes one of ${[...NESTED_IN_ANYTHING_BUT].join(', ')}`);
    }
    const alternatives = [(operand as Record<string, unknown>)[name]].flat().map((item) => positive(name, item));
    return (leaf) => !alternatives.some((test) => test(leaf));
  }
  const values = [operand].flat();
  if (values.length === 0 || !values.every((value) => typeof value === 'string' || typeof value === 'number')) {
    throw new Error('anything-but wants strings or numbers');
  }
  return (leaf) => !values.includes(leaf as string | number);
}

const NESTED_IN_ANYTHING_BUT = new Set(['prefix', 'suffix', 'wildcard', 'equals-ignore-case']);

const COMPARISONS: Readonly<Record<string, (value: number, limit: number) => boolean>> = {
  '=': (value, limit) => value === limit,
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
};

/** EventBridge compares numbers from −5.0e9 to 5.0e9. */
const NUMERIC_LIMIT = 5.0e9;

function numeric(operand: unknown): LeafTest {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) {
    throw new Error('numeric wants [comparison, number] once or twice');
  }
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < operand.length; index += 2) {
    const compare = COMPARISONS[String(operand[index])];
    const limit: unknown = operand[index + 1];
    if (compare === undefined || typeof limit !== 'number' || Math.abs(limit) > NUMERIC_LIMIT) {
      throw new Error(`numeric wants =, <, <=, > or >= and a number from -${NUMERIC_LIMIT} to ${NUMERIC_LIMIT}`);
    }
    tests.push((value) => compare(value, limit));
  }
  return (leaf) => typeof leaf === 'number' && tests.every((test) => test(leaf));
}

/** `*` stands for any characters, `\*` and `\\` for themselves. */
function wildcard(pattern: string): (text: string) => boolean {
  if (/(?<!\\)\*\*/.test(pattern)) throw new Error('wildcard allows no two * beside each other');
  let source = '';
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index]!;
    if (character === '*') {
      source += '.*';
    } else if (character === '\\') {
      const escaped = pattern[++index];
      if (escaped !== '*' && escaped !== '\\') throw new Error('wildcard knows the escapes \\* and \\\\');
      source += `\\${escaped}`;
    } else {
      source += character.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }
  }
  const expression = new RegExp(`^${source}$`, 's');
  return (text) => expression.test(text);
}

function cidr(block: string): LeafTest {
  const [address, length] = block.split('/');
  const network = ipv4(address ?? '');
  const bits = Number(length);
  if (network === undefined || !/^\d{1,2}$/.test(length ?? '') || bits > 32) {
    throw new Error(`cidr wants an IPv4 block such as 10.0.0.0/24`);
  }
  const size = 2 ** (32 - bits);
  return onText((text) => {
    const candidate = ipv4(text);
    return candidate !== undefined && Math.floor(candidate / size) === Math.floor(network / size);
  });
}

function ipv4(text: string): number | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function onText(test: (text: string) => boolean): LeafTest {
  return (leaf) => typeof leaf === 'string' && test(leaf);
}

function requireString(name: string, operand: unknown): string {
  if (typeof operand !== 'string') throw new Error(`${name} wants a string`);
  return operand;
}
