import { createHash } from 'node:crypto';
import { toInt, toText } from '../values';
import type { SqlValue } from '../values';
import { define, ofTexts } from './function';
import type { FunctionTable } from './function';

const hash = (algorithm: string) => ofTexts(1, (text) => createHash(algorithm).update(text).digest('hex'));
const withPattern = (text: string, pattern: string, apply: (text: string, regexp: RegExp) => SqlValue): SqlValue => {
  const regexp = compile(pattern);
  return regexp === undefined ? undefined : apply(text, regexp);
};

export const textFunctions: FunctionTable = {
  chr: define([1, 1], ([value]) => {
    const code = toInt(value);
    return code !== undefined && code >= 0 && code <= 127 ? String.fromCharCode(code) : undefined;
  }),
  endswith: ofTexts(2, (text, end) => text.endsWith(end)),
  startswith: ofTexts(2, (text, start) => text.startsWith(start)),
  indexof: ofTexts(2, (text, part) => text.indexOf(part)),
  length: ofTexts(1, (text) => text.length),
  numbytes: ofTexts(1, (text) => Buffer.byteLength(text)),
  lower: ofTexts(1, (text) => text.toLowerCase()),
  upper: ofTexts(1, (text) => text.toUpperCase()),
  ltrim: ofTexts(1, (text) => text.replace(/^[ \t]+/, '')),
  rtrim: ofTexts(1, (text) => text.replace(/[ \t]+$/, '')),
  trim: ofTexts(1, (text) => text.trim()),
  // The number is how many spaces to add, not how long to become.
  lpad: define([2, 2], ([value, count]) => pad(value, count, (text, spaces) => spaces + text)),
  rpad: define([2, 2], ([value, count]) => pad(value, count, (text, spaces) => text + spaces)),
  replace: ofTexts(3, (text, part, by) => text.replaceAll(part, () => by)),
  substring: define([2, 3], substring),
  regexp_matches: ofTexts(2, (text, pattern) => withPattern(text, pattern, (subject, regexp) => regexp.test(subject))),
  regexp_replace: ofTexts(3, (text, pattern, by) =>
    withPattern(text, pattern, (subject, regexp) => subject.replace(new RegExp(regexp, `${regexp.flags}g`), by)),
  ),
  regexp_substr: ofTexts(2, (text, pattern) =>
    withPattern(text, pattern, (subject, regexp) => regexp.exec(subject)?.[0]),
  ),
  md5: hash('md5'),
  sha1: hash('sha1'),
  sha224: hash('sha224'),
  sha256: hash('sha256'),
  sha384: hash('sha384'),
  sha512: hash('sha512'),
};

function pad(value: SqlValue, count: SqlValue, join: (text: string, spaces: string) => string): SqlValue {
  const [text, spaces] = [toText(value), toInt(count)];
  return text === undefined || spaces === undefined
    ? undefined
    : join(text, ' '.repeat(Math.min(1_000, Math.max(0, spaces))));
}

function substring([value, from, to]: readonly SqlValue[], _context: unknown): SqlValue {
  const [text, start] = [toText(value), toInt(from)];
  const end = to === undefined ? text?.length : toInt(to);
  if (text === undefined || start === undefined || end === undefined) return undefined;
  return end > start ? text.slice(Math.max(0, start), Math.max(0, end)) : '';
}

/** Java's leading `(?i)` is JavaScript's flag. */
function compile(pattern: string): RegExp | undefined {
  const insensitive = pattern.startsWith('(?i)');
  try {
    return new RegExp(insensitive ? pattern.slice(4) : pattern, insensitive ? 'i' : '');
  } catch {
    return undefined;
  }
}
