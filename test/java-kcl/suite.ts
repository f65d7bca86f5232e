/**
 * Workers of the Java KCL 3 and of consumer/kcl on one lease table. Started by scripts/java-kcl.mjs; arguments are names of
 * scenarios to run.
 */
import { Application, startServices } from './harness';
import { scenarios } from './scenarios';

async function main(): Promise<boolean> {
  const wanted = process.argv.slice(2);
  for (const name of wanted) {
    if (!(name in scenarios)) throw new Error(`${name} is no scenario; there are ${Object.keys(scenarios).join(', ')}`);
  }
  const services = await startServices();
  let failed = 0;
  let ran = 0;
  for (const [name, { run, ...settings }] of Object.entries(scenarios)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const application = new Application({ name, ...settings }, services.environment);
    const started = Date.now();
    const say = (text: string): void =>
      console.log(`  ${((Date.now() - started) / 1_000).toFixed(0).padStart(4)} s  ${text}`);
    ran++;
    console.log(name);
    try {
      await application.createStream();
      await run(application, say);
      console.log(`  ok: ${application.written.length} records, ${application.processed.length} deliveries`);
    } catch (error) {
      failed++;
      console.error(error);
      console.log(`  FAILED; notes and logs of the workers: ${application.directory}`);
    } finally {
      await application.stop();
    }
  }
  services.stop();
  console.log(`${ran - failed} of ${ran} scenarios passed`);
  return failed === 0 && ran > 0;
}

void main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
