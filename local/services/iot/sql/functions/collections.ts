import { isArray, isObject, memberOf, toInt, toText } from '../values';
import type { SqlArray, SqlValue } from '../values';
import { define } from './function';
import type { FunctionTable } from './function';

/** Of what `transform` returns. */
const LARGEST_TRANSFORM = 128 * 1024;

export const collectionFunctions: FunctionTable = {
  concat: define([0, Number.POSITIVE_INFINITY], concat),
  get: define([2, 2], ([collection, key]) => get(collection, key)),
  get_or_default: define([2, 2], ([value, otherwise]) => (value === undefined ? otherwise : value)),
  isnull: define([1, 1], ([value]) => value === null),
  isundefined: define([1, 1], ([value]) => value === undefined),
  nanvl: define([2, 2], ([value, otherwise]) => value ?? otherwise),
  decode: define([2, 2], ([value, scheme]) => decode(value, scheme)),
  encode: define([2, 2], ([value, scheme]) => {
    const text = toText(value);
    return text === undefined || scheme !== 'base64' ? undefined : Buffer.from(text).toString('base64');
  }),
  transform: define([3, 3], ([mode, attributes, items]) => enrich(mode, attributes, items)),
};

function concat(values: readonly SqlValue[]): SqlValue {
  if (values.length <= 1) return values[0];
  if (values.some(isArray)) return values.flatMap((value) => (isArray(value) ? [...value] : [value]));
  if (!values.some((value) => typeof value === 'string')) return undefined;
  const texts = values.map(toText);
  return texts.includes(undefined) ? undefined : texts.join('');
}

function get(collection: SqlValue, key: SqlValue): SqlValue {
  if (isObject(collection)) return typeof key === 'string' ? memberOf(collection, key) : undefined;
  const index = toInt(key);
  if (index === undefined || index < 0) return undefined;
  return isArray(collection) || typeof collection === 'string' ? collection[index] : undefined;
}

/** JSON where the decoded text is an object or array, else the text; Null where it is no base64. */
function decode(value: SqlValue, scheme: SqlValue): SqlValue {
  const text = toText(value);
  if (text === undefined || scheme !== 'base64') return undefined;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  try {
    const parsed = JSON.parse(decoded) as SqlValue;
    return typeof parsed === 'object' ? parsed : decoded;
  } catch {
    return decoded;
  }
}

function enrich(mode: SqlValue, attributes: SqlValue, items: SqlValue): SqlValue {
  if (mode !== 'enrichArray' || !isObject(attributes) || !isArray(items) || !items.every(isObject)) return undefined;
  const enriched: SqlArray = items.map((item) => ({ ...item, ...attributes }));
  return Buffer.byteLength(JSON.stringify(enriched)) <= LARGEST_TRANSFORM ? enriched : undefined;
}
