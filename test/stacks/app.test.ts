/** The app as the command line and the local run build it: really bundled, without account, network or Docker. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import recommendedFlags from 'aws-cdk-lib/recommended-feature-flags.json';
import { buildApp } from '../../bin/app';
import cdkJson from '../../cdk.json';

const outdir = mkdtempSync(path.join(tmpdir(), 'cdk.out-'));
const nested = path.join(outdir, 'assembly-Telemetry-local');

beforeAll(() => {
  buildApp('local', outdir).synth();
});

test('an unknown environment lists the known ones', () => {
  expect(() => buildApp('live')).toThrow(/unknown environment "live": .*local, dev, staging, prod/);
});

test('seven stacks with stable names', () => {
  const manifest = JSON.parse(readFileSync(path.join(nested, 'manifest.json'), 'utf8'));
  const stacks = Object.values<{ type: string; properties: { stackName?: string } }>(manifest.artifacts)
    .filter(({ type }) => type === 'aws:cloudformation:stack')
    .map(({ properties }) => properties.stackName);
  expect(stacks.sort()).toEqual(
    ['Consumer', 'Ingest', 'Lake', 'Network', 'Observability', 'Stream', 'Training'].map(
      (name) => `Telemetry-local-${name}`,
    ),
  );
});

test('every resource carries the tags of the project and the environment', () => {
  const file = readdirSync(nested).find((name) => /Stream.*\.template\.json$/.test(name))!;
  const { Resources } = JSON.parse(readFileSync(path.join(nested, file), 'utf8'));
  const stream = Object.values<{ Type: string; Properties: { Tags: unknown } }>(Resources).find(
    ({ Type }) => Type === 'AWS::Kinesis::Stream',
  );
  expect(stream!.Properties.Tags).toEqual([
    { Key: 'Environment', Value: 'local' },
    { Key: 'Project', Value: 'telemetry-training-pipeline' },
  ]);
});

test.each([
  ['Ingest', { STREAM_NAME: 's' }],
  [
    'Training',
    {
      REGISTRY_TABLE_NAME: 'r',
      LAKE_BUCKET_NAME: 'l',
      ARTIFACT_BUCKET_NAME: 'a',
      GLUE_DATABASE_NAME: 'g',
      TRAINING_TARGETS: '{}',
    },
  ],
])('the function of %s runs from its asset, and names a variable that is missing', (stack, environment) => {
  const file = readdirSync(nested).find((name) => name.includes(stack) && name.endsWith('.template.json'))!;
  const { Resources } = JSON.parse(readFileSync(path.join(nested, file), 'utf8'));
  const [definition] = Object.values<{ Type: string; Properties: { Code: { S3Key: string }; Handler: string } }>(
    Resources,
  ).filter(({ Type }) => Type === 'AWS::Lambda::Function');
  const asset = path.join(outdir, `asset.${definition!.Properties.Code.S3Key.replace('.zip', '')}`);
  expect(definition!.Properties.Handler).toBe('index.handler');
  const run = (env: Record<string, string>) =>
    spawnSync(
      process.execPath,
      ['-e', `require('./index').handler({ Records: [] }).then((r) => console.log(JSON.stringify(r)))`],
      {
        cwd: asset,
        encoding: 'utf8',
        env: { PATH: process.env.PATH!, AWS_REGION: 'us-east-1', ...env },
      },
    );
  expect(run(environment).stdout.trim().split('\n').at(-1)).toBe('{"batchItemFailures":[]}');
  const [missing, ...others] = Object.entries(environment);
  expect(run(Object.fromEntries(others)).stderr).toContain(`environment variable ${missing![0]} is missing`);
});

test('the flags are those that CDK recommends, but for strong references', () => {
  const differing = Object.entries(recommendedFlags).filter(
    ([flag, value]) => JSON.stringify((cdkJson.context as Record<string, unknown>)[flag]) !== JSON.stringify(value),
  );
  expect(differing.map(([flag]) => flag)).toEqual(['@aws-cdk/core:defaultCrossStackReferences']);
  expect(cdkJson.context['@aws-cdk/core:defaultCrossStackReferences']).toBe('strong');
});
