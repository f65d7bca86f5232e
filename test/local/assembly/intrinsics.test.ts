import type { Template } from '../../../local/assembly/assembly';
import { Resolver, dependenciesOf } from '../../../local/assembly/intrinsics';

const template: Template = {
  Parameters: {
    Size: { Type: 'Number', Default: 3 },
    Zones: { Type: 'CommaDelimitedList', Default: 'x, y' },
    NoDefault: { Type: 'String' },
  },
  Mappings: { Accounts: { 'us-east-1': { xgboost: '683313688378' } } },
  Conditions: {
    IsLocal: { 'Fn::Equals': [{ Ref: 'AWS::AccountId' }, '000000000000'] },
    IsChina: { 'Fn::Equals': [{ Ref: 'AWS::Partition' }, 'aws-cn'] },
    Both: { 'Fn::And': [{ Condition: 'IsLocal' }, { 'Fn::Not': [{ Condition: 'IsChina' }] }] },
    Neither: { 'Fn::Not': [{ 'Fn::Or': [{ Condition: 'IsLocal' }, { Condition: 'IsChina' }] }] },
  },
};

const resolver = new Resolver('App-Lake', template, {
  ref: (id) => ({ Bucket: 'bucket-name', Role: 'role-name' })[id],
  attribute: (id, attribute) => {
    if (id === 'Bucket' && attribute === 'Arn') return 'arn:aws:s3:::bucket-name';
    if (id === 'Table' && attribute === 'Deep.Name') return 'deep';
    throw new Error(`${id} has no attribute ${attribute} here`);
  },
  importValue: (name) => ({ 'App-Stream:Ref': 'stream' })[name],
  stackOutput: (stack, output) => (`${stack} ${output}` === 'App-Stream Name' ? 'stream' : undefined),
});

describe('Resolver', () => {
  test.each<[string, unknown, unknown]>([
    ['plain values', { a: 1, b: ['x', true, null] }, { a: 1, b: ['x', true, null] }],
    ['Ref of a resource', { Ref: 'Bucket' }, 'bucket-name'],
    ['Ref of a parameter', { Ref: 'Size' }, 3],
    ['Ref of a list parameter', { Ref: 'Zones' }, ['x', 'y']],
    [
      'Ref of pseudo parameters',
      [{ Ref: 'AWS::Region' }, { Ref: 'AWS::AccountId' }, { Ref: 'AWS::URLSuffix' }],
      ['us-east-1', '000000000000', 'amazonaws.com'],
    ],
    ['Ref of the stack', { Ref: 'AWS::StackName' }, 'App-Lake'],
    ['AWS::NoValue of a member', { a: 1, b: { Ref: 'AWS::NoValue' } }, { a: 1 }],
    ['AWS::NoValue of an item', ['a', { Ref: 'AWS::NoValue' }, 'b'], ['a', 'b']],
    ['AWS::NoValue through Fn::If', { a: { 'Fn::If': ['IsChina', 'x', { Ref: 'AWS::NoValue' }] } }, {}],
    ['Fn::GetAtt as a list', { 'Fn::GetAtt': ['Bucket', 'Arn'] }, 'arn:aws:s3:::bucket-name'],
    ['Fn::GetAtt as text with a dotted attribute', { 'Fn::GetAtt': 'Table.Deep.Name' }, 'deep'],
    ['Fn::Join', { 'Fn::Join': [':', ['a', { Ref: 'Bucket' }, 3]] }, 'a:bucket-name:3'],
    ['Fn::Join of a function that gives a list', { 'Fn::Join': ['+', { 'Fn::Split': [',', 'a,b'] }] }, 'a+b'],
    [
      'Fn::Sub of text',
      { 'Fn::Sub': 'x-${Bucket}-${Bucket.Arn}-${AWS::Region}' },
      'x-bucket-name-arn:aws:s3:::bucket-name-us-east-1',
    ],
    ['Fn::Sub with variables', { 'Fn::Sub': ['${V}/${Bucket}', { V: { Ref: 'Role' } }] }, 'role-name/bucket-name'],
    ['Fn::Sub keeps what ${!x} escapes', { 'Fn::Sub': '${!topic(2)} ${Bucket}' }, '${topic(2)} bucket-name'],
    ['Fn::Sub does not substitute twice', { 'Fn::Sub': ['${V}', { V: '${Bucket}' }] }, '${Bucket}'],
    ['substitution templates of IoT in plain text', '${topic(3)}', '${topic(3)}'],
    ['Fn::Select', { 'Fn::Select': ['1', ['a', 'b']] }, 'b'],
    ['Fn::Select of Fn::GetAZs', { 'Fn::Select': [0, { 'Fn::GetAZs': '' }] }, 'us-east-1a'],
    ['Fn::Split', { 'Fn::Split': ['/', { 'Fn::GetAtt': ['Bucket', 'Arn'] }] }, ['arn:aws:s3:::bucket-name']],
    ['Fn::If', { 'Fn::If': ['Both', 'yes', 'no'] }, 'yes'],
    ['Fn::If, otherwise', { 'Fn::If': ['Neither', 'yes', 'no'] }, 'no'],
    ['Fn::FindInMap', { 'Fn::FindInMap': ['Accounts', { Ref: 'AWS::Region' }, 'xgboost'] }, '683313688378'],
    ['Fn::Base64', { 'Fn::Base64': 'text' }, 'dGV4dA=='],
    ['Fn::Cidr', { 'Fn::Cidr': ['10.0.0.0/16', 3, 8] }, ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24']],
    ['Fn::ImportValue', { 'Fn::ImportValue': { 'Fn::Sub': 'App-Stream:Ref' } }, 'stream'],
    [
      'Fn::GetStackOutput',
      { 'Fn::GetStackOutput': { StackName: 'App-Stream', Region: { Ref: 'AWS::Region' }, OutputName: 'Name' } },
      'stream',
    ],
    [
      'Condition of a policy statement is data',
      { Condition: { Bool: { a: 'true' } } },
      { Condition: { Bool: { a: 'true' } } },
    ],
  ])('%s', (_name, value, expected) => {
    expect(resolver.resolve(value, 'R.Properties')).toEqual(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['a resource that is not there', { Ref: 'Missing' }, /^stack App-Lake: R\.Properties\.a\[0\]: Ref of Missing/],
    [
      'an attribute that is not there',
      { 'Fn::GetAtt': ['Bucket', 'Color'] },
      /R\.Properties\.a\[0\]: Bucket has no attribute Color/,
    ],
    ['an unknown function', { 'Fn::Transform': {} }, /Fn::Transform is not known/],
    ['an unknown export', { 'Fn::ImportValue': 'nobody' }, /no stack before this one exports nobody/],
    ['an unknown output', { 'Fn::GetStackOutput': { StackName: 'A', OutputName: 'B' } }, /stack A has no output B/],
    ['a parameter without default', { Ref: 'NoDefault' }, /parameter NoDefault has no default/],
    ['an object in a Join', { 'Fn::Join': ['', [{ a: 1 }]] }, /a string is wanted here, the value is of type object/],
    ['an index beyond the list', { 'Fn::Select': [5, ['a']] }, /no item 5 of 1/],
    [
      'a map without the key',
      { 'Fn::FindInMap': ['Accounts', 'mars', 'xgboost'] },
      /no value at Accounts\.mars\.xgboost/,
    ],
    ['an unknown condition', { 'Fn::If': ['Nope', 1, 2] }, /there is no condition Nope/],
    ['a block too small', { 'Fn::Cidr': ['10.0.0.0/30', 8, 1] }, /does not hold 8 subnets/],
  ])('names stack and path of %s', (_name, value, message) => {
    expect(() => resolver.resolve({ a: [value] }, 'R.Properties')).toThrow(message);
  });
});

test('dependenciesOf finds every kind of reference', () => {
  expect(
    [
      ...dependenciesOf({
        Type: 'T',
        DependsOn: ['A'],
        Properties: {
          x: { Ref: 'B' },
          y: [{ 'Fn::GetAtt': ['C', 'Arn'] }, { 'Fn::GetAtt': 'D.Arn' }],
          z: { 'Fn::Sub': ['${E} ${F.Arn} ${!No} ${V}', { V: { Ref: 'G' } }] },
        },
      }),
    ].sort(),
  ).toEqual(['!No', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'V']);
});
