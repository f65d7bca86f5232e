import { App, Tags, Validations } from 'aws-cdk-lib';
import { FAIL_SYNTH_ON_VALIDATION_ERRORS_CONTEXT } from 'aws-cdk-lib/cx-api';
import cdkJson from '../cdk.json';
import { AcknowledgedAwsSolutionsChecks } from '../lib/checks/aws-solutions';
import { IotPipelineChecks } from '../lib/checks/iot-pipeline-checks';
import { loadConfig } from '../lib/config/environments';
import { bundleConsumer } from '../lib/constructs/compute/consumer-bundle';
import { PipelineStage } from '../lib/stacks/pipeline-stage';
import { useCases } from '../use-cases';

/**
 * The app of one environment, ready to synthesize.
 *
 * @param environment one of lib/config/environments.ts; default: the context value `env` (`-c env=prod`), else `dev`
 * @param outdir where the assembly goes; default `cdk.out`
 * @param checks whether the synthesis fails on findings of the policy packs and of CDK's own template validation
 * @throws Error that lists the known environments, or all problems of the configuration
 */
export function buildApp(environment?: string, outdir?: string, checks = false): App {
  // The flags of cdk.json, for those who synthesize without the CLI. They are CDK's recommended ones but for strong
  // references between stacks: a weak one is not resolved again when a stream, bucket, table or key is replaced.
  const app = new App({
    outdir,
    context: cdkJson.context,
    builtinCloudFormationValidation: checks,
    // The CLI would judge only the stacks that it was asked for, and by default those outside of stages: none.
    postCliContext: { [FAIL_SYNTH_ON_VALIDATION_ERRORS_CONTEXT]: checks },
  });
  const config = loadConfig(environment ?? app.node.tryGetContext('env') ?? 'dev');
  const stage = new PipelineStage(app, `Telemetry-${config.name}`, { config, useCases, bundle: bundleConsumer() });
  Tags.of(stage).add('Project', 'telemetry-training-pipeline');
  Tags.of(stage).add('Environment', config.name);
  if (checks) Validations.of(app).addPlugins(new AcknowledgedAwsSolutionsChecks(), new IotPipelineChecks());
  return app;
}

if (require.main === module) {
  try {
    buildApp(undefined, undefined, true).synth();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
