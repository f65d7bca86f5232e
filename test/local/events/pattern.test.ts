import { atPath, renderInput } from '../../../local/services/events/input';
import { compilePattern } from '../../../local/services/events/pattern';

const event = {
  source: 'aws.s3',
  'detail-type': 'Object Created',
  resources: ['arn:aws:s3:::lake', 'arn:aws:s3:::other'],
  detail: {
    bucket: { name: 'lake' },
    object: { key: 'features/sensor-monitoring/dt=2026-01-01/hour=05/gen=1/_manifest.json', size: 512 },
    reason: 'PutObject',
    ratio: 0.5,
    empty: null,
    flag: true,
    address: '10.0.0.77',
    list: [1, 2, 3],
    parts: [
      { name: 'a', size: 1 },
      { name: 'b', size: 20 },
    ],
  },
};

describe('compilePattern', () => {
  test.each<[string, unknown, boolean]>([
    ['exact', { source: ['aws.s3'] }, true],
    ['one of several', { source: ['aws.ec2', 'aws.s3'] }, true],
    ['another value', { source: ['aws.ec2'] }, false],
    ['every field has to match', { source: ['aws.s3'], 'detail-type': ['Object Deleted'] }, false],
    ['nested', { detail: { bucket: { name: ['lake'] } } }, true],
    ['a field that is not there', { detail: { version: ['0'] } }, false],
    ['a number', { detail: { object: { size: [512] } } }, true],
    ['a number is no string', { detail: { object: { size: ['512'] } } }, false],
    ['null', { detail: { empty: [null] } }, true],
    ['null of another value', { detail: { flag: [null] } }, false],
    ['boolean', { detail: { flag: [true] } }, true],
    ['any element of a list', { resources: ['arn:aws:s3:::other'] }, true],
    ['none of a list', { detail: { list: [7] } }, false],
    ['prefix', { detail: { object: { key: [{ prefix: 'features/' }] } } }, true],
    ['prefix of another', { detail: { object: { key: [{ prefix: 'readings/' }] } } }, false],
    ['prefix ignoring case', { detail: { reason: [{ prefix: { 'equals-ignore-case': 'PUT' } }] } }, true],
    ['suffix', { detail: { object: { key: [{ suffix: '_manifest.json' }] } } }, true],
    ['suffix ignoring case', { detail: { reason: [{ suffix: { 'equals-ignore-case': 'OBJECT' } }] } }, true],
    [
      'prefix and suffix in one list are alternatives',
      { detail: { object: { key: [{ prefix: 'x' }, { suffix: '.json' }] } } },
      true,
    ],
    ['equals-ignore-case', { source: [{ 'equals-ignore-case': 'AWS.S3' }] }, true],
    ['wildcard', { detail: { object: { key: [{ wildcard: 'features/*/_manifest.json' }] } } }, true],
    ['wildcard of another', { detail: { object: { key: [{ wildcard: 'features/*/_inputs.json' }] } } }, false],
    ['wildcard covers the whole value', { detail: { object: { key: [{ wildcard: 'features/' }] } } }, false],
    ['wildcard with nothing in place of *', { detail: { reason: [{ wildcard: 'Put*Object' }] } }, true],
    ['wildcard takes . for itself', { source: [{ wildcard: 'aws.s*' }] }, true],
    ['wildcard takes . for nothing else', { detail: { reason: [{ wildcard: 'P.tObject' }] } }, false],
    ['escaped *', { detail: { reason: [{ wildcard: 'Put\\*' }] } }, false],
    ['anything-but', { source: [{ 'anything-but': 'aws.ec2' }] }, true],
    ['anything-but itself', { source: [{ 'anything-but': 'aws.s3' }] }, false],
    ['anything-but a list', { detail: { object: { size: [{ 'anything-but': [1, 512] }] } } }, false],
    ['anything-but prefix', { source: [{ 'anything-but': { prefix: 'aws.' } }] }, false],
    ['anything-but a list of suffixes', { source: [{ 'anything-but': { suffix: ['.ec2', '.sqs'] } }] }, true],
    ['anything-but wildcard', { source: [{ 'anything-but': { wildcard: 'aws.*3' } }] }, false],
    ['anything-but ignoring case', { source: [{ 'anything-but': { 'equals-ignore-case': ['AWS.S3'] } }] }, false],
    ['anything-but of a field that is not there', { detail: { nothing: [{ 'anything-but': 'x' }] } }, false],
    ['numeric =', { detail: { ratio: [{ numeric: ['=', 0.5] }] } }, true],
    ['numeric range', { detail: { object: { size: [{ numeric: ['>', 100, '<=', 512] }] } } }, true],
    ['numeric range, outside', { detail: { object: { size: [{ numeric: ['>=', 0, '<', 512] }] } } }, false],
    ['numeric of text', { source: [{ numeric: ['>', 0] }] }, false],
    ['exists', { detail: { reason: [{ exists: true }] } }, true],
    ['exists of null', { detail: { empty: [{ exists: true }] } }, true],
    ['exists of what is not there', { detail: { deep: { er: [{ exists: true }] } } }, false],
    ['exists false', { detail: { deep: { er: [{ exists: false }] } } }, true],
    ['exists false of what is there', { detail: { reason: [{ exists: false }] } }, false],
    ['cidr', { detail: { address: [{ cidr: '10.0.0.0/24' }] } }, true],
    ['cidr of another net', { detail: { address: [{ cidr: '10.0.1.0/24' }] } }, false],
    ['$or, first', { $or: [{ source: ['aws.s3'] }, { source: ['x'] }] }, true],
    ['$or, second', { detail: { $or: [{ reason: ['x'] }, { ratio: [{ numeric: ['<', 1] }] }] } }, true],
    ['$or, none', { $or: [{ source: ['x'] }, { source: ['y'] }] }, false],
    ['$or beside a field', { source: ['aws.s3'], $or: [{ 'detail-type': ['x'] }, { 'detail-type': ['y'] }] }, false],
    ['a list of objects, one of them', { detail: { parts: { name: ['b'], size: [20] } } }, true],
    ['a list of objects, not across them', { detail: { parts: { name: ['a'], size: [20] } } }, false],
  ])('%s', (_name, pattern, expected) => {
    expect(compilePattern(pattern)(event)).toBe(expected);
    expect(compilePattern(JSON.stringify(pattern))(event)).toBe(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['text that is no JSON', '{', /it is not JSON/],
    ['no object', '[]', /it is not a JSON object/],
    ['a value outside a list', { detail: { a: 'x' } }, /at detail\.a: values stand in a list/],
    ['an empty list', { detail: { a: [] } }, /at detail\.a: an empty list/],
    ['an empty object', { detail: {} }, /at detail: an empty object/],
    ['an unknown operator', { a: [{ like: 'x' }] }, /at a: like is no operator/],
    ['two operators in one', { a: [{ prefix: 'x', suffix: 'y' }] }, /an object with one key/],
    ['numeric with a wrong comparison', { a: [{ numeric: ['!=', 1] }] }, /at a: numeric wants/],
    ['numeric beyond the range', { a: [{ numeric: ['<', 1e12] }] }, /at a: numeric wants/],
    ['exists of text', { a: [{ exists: 'yes' }] }, /exists wants true or false/],
    ['$or with one branch', { $or: [{ a: ['x'] }] }, /at least two patterns/],
    ['two * in a row', { a: [{ wildcard: 'a**b' }] }, /no two \*/],
    ['a broken block', { a: [{ cidr: '10.0.0.0' }] }, /cidr wants an IPv4 block/],
    [
      'an operator that anything-but does not take',
      { a: [{ 'anything-but': { numeric: ['=', 1] } }] },
      /anything-but takes one of/,
    ],
  ])('refuses %s', (_name, pattern, message) => {
    expect(() => compilePattern(pattern)).toThrow(message);
  });
});

describe('renderInput', () => {
  const rule = { arn: 'arn:rule', name: 'sealed' };
  test.each<[string, Parameters<typeof renderInput>[0], unknown]>([
    ['the event itself', {}, event],
    ['a constant', { Input: '{"a":1}' }, { a: 1 }],
    ['a part', { InputPath: '$.detail.bucket' }, { name: 'lake' }],
    ['an element', { InputPath: '$.resources[1]' }, 'arn:aws:s3:::other'],
    ['a part that is not there', { InputPath: '$.detail.missing.deeper' }, null],
    [
      'a template',
      {
        InputTransformer: {
          InputPathsMap: { key: '$.detail.object.key', size: '$.detail.object.size', bucket: '$.detail.bucket' },
          InputTemplate:
            '{"key": <key>, "text": "size <size> of \\"<key>\\"", "bucket": <bucket>, "rule": <aws.events.rule-name>}',
        },
      },
      {
        key: event.detail.object.key,
        text: `size 512 of "${event.detail.object.key}"`,
        bucket: { name: 'lake' },
        rule: 'sealed',
      },
    ],
  ])('%s', (_name, target, expected) => {
    expect(JSON.parse(renderInput(target, event, rule))).toEqual(expected);
  });

  test('refuses a path that is no plain JSONPath', () => {
    expect(() => atPath(event, '$..name')).toThrow(/no JSONPath/);
  });
});
