import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import cdkJson from '../cdk.json';
import { loadConfig } from '../lib/config/environments';
import { bundleConsumer } from '../lib/constructs/compute/consumer-bundle';
import { PipelineStage } from '../lib/stacks/pipeline-stage';
import { useCases } from '../use-cases';

/**
 * The app of one environment, ready to synthesize.
 *
 * @param environment one of lib/config/environments.ts; default: the context value `env` (`-c env=prod`), else `dev`
 * @param outdir where the assembly goes; default `cdk.out`
 * @throws Error that lists the known environments, or all problems of the configuration
 */
export function buildApp(environment?: string, outdir?: string): App {
  // The flags of cdk.json for those who synthesize without the CLI; what the CLI passes wins.
  const app = new App({ outdir, context: cdkJson.context });
  const config = loadConfig(environment ?? app.node.tryGetContext('env') ?? 'dev');
  new PipelineStage(app, `Telemetry-${config.name}`, { config, useCases, bundle: bundleConsumer() });
  Tags.of(app).add('Project', 'telemetry-training-pipeline');
  Tags.of(app).add('Environment', config.name);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

if (require.main === module) {
  try {
    buildApp().synth();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
