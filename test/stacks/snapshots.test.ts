import { masked, resourcesOf, stackNames, synthesize } from './support/synthesize';

/** Replacing one of these loses data, identities or names that devices know. */
const STATEFUL = new Set([
  'AWS::DynamoDB::Table',
  'AWS::Glue::Database',
  'AWS::IoT::Policy',
  'AWS::IoT::ThingType',
  'AWS::IoT::TopicRule',
  'AWS::KMS::Key',
  'AWS::Kinesis::Stream',
  'AWS::S3::Bucket',
  'AWS::SageMaker::ModelPackageGroup',
  'AWS::SageMaker::Pipeline',
]);

describe('prod', () => {
  const prod = synthesize('prod');

  test.each(stackNames)('stack %s', (name) => {
    expect(masked(prod.templates.get(name)!)).toMatchSnapshot();
  });

  test('logical ids of what must never be replaced', () => {
    const stateful = [...resourcesOf(prod)].filter(([, { Type }]) => STATEFUL.has(Type));
    expect(stateful.map(([id, { Type }]) => `${id} ${Type}`).sort()).toMatchSnapshot();
  });
});

test('local differs from prod in settings only: the same resources but for scaling and its alarms', () => {
  const types = (environment: string): string[] =>
    [...resourcesOf(synthesize(environment)).values()]
      .map(({ Type }) => Type)
      .filter((type) => !type.startsWith('AWS::ApplicationAutoScaling') && type !== 'AWS::CloudWatch::Alarm')
      .filter((type) => type !== 'AWS::IAM::Role')
      .sort();
  expect(types('local')).toEqual(types('prod'));
});
