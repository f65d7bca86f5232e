/** A use case is one file and one line: everything in the templates derives from its definition. */
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { loadConfig } from '../../lib/config/environments';
import { useCases } from '../../use-cases';
import { example } from '../use-cases/example';
import { buildStage, type StackName, templatesOf } from './support/synthesize';

const templates: ReadonlyMap<StackName, Template> = templatesOf(
  buildStage(loadConfig('dev'), [...useCases, example]).stage,
);

test('a rule for its topics', () => {
  templates.get('Ingest')!.hasResourceProperties('AWS::IoT::TopicRule', {
    RuleName: 'telemetry_dev_cold_chain',
    TopicRulePayload: { Sql: Match.stringLikeRegexp("FROM 'dt/cold-chain/\\+'$") },
  });
});

test("its devices' topics in the policy", () => {
  const policies = templates.get('Ingest')!.findResources('AWS::IoT::Policy');
  expect(JSON.stringify(policies)).toContain('topic/dt/cold-chain/${iot:Connection.Thing.ThingName}');
  expect(JSON.stringify(policies)).toContain('topic/$aws/rules/telemetry_dev_cold_chain/dt/cold-chain/');
});

test('tables with its columns', () => {
  const columns = (kind: string): string[] => {
    const tables = Object.values(templates.get('Lake')!.findResources('AWS::Glue::Table'));
    const table = tables.find(({ Properties }) => Properties.TableInput.Name === `${kind}_cold_chain`);
    return table?.Properties.TableInput.StorageDescriptor.Columns.map(
      ({ Name, Type }: { Name: string; Type: string }) => `${Name} ${Type}`,
    );
  };
  expect(columns('readings')).toEqual(
    expect.arrayContaining(['event_time timestamp', 'temperature double', 'lid double']),
  );
  expect(columns('features')).toEqual([
    'device string',
    'window_start timestamp',
    'window_end timestamp',
    'readings int',
    'temperature_mean double',
    'temperature_lookback double',
    'lid_mean double',
  ]);
});

test('a pipeline with its hyperparameters, a model package group, and a target of the trigger', () => {
  const training = templates.get('Training')!;
  const pipelines = JSON.stringify(training.findResources('AWS::SageMaker::Pipeline'));
  expect(pipelines).toContain('telemetry-dev-cold-chain');
  expect(pipelines).toContain('\\"num_round\\":\\"20\\"');
  training.hasResourceProperties('AWS::SageMaker::ModelPackageGroup', {
    ModelPackageGroupName: 'telemetry-dev-cold-chain',
  });
  const functions = JSON.stringify(training.findResources('AWS::Lambda::Function'));
  expect(functions).toContain('\\"pipelineName\\":\\"telemetry-dev-cold-chain\\"');
});

test('more of them than the environment of the partition trigger can hold are refused, with the limit and the way out', () => {
  const many = Array.from({ length: 20 }, (_, at) => ({ ...example, name: `${example.name}-${at}` }));
  expect(() => buildStage(loadConfig('dev'), many)).toThrow(
    /TRAINING_TARGETS of 20 use cases takes \d+ bytes, and a function's environment has 3584 left for it: deploy some/,
  );
});
