/**
 * Workers of the Java KCL and of consumer/kcl on one lease table. Started by scripts/java-kcl.mjs; arguments are names of
 * scenarios to run.
 */
import assert from 'node:assert/strict';
import { Application, clientOptions } from './application';
import { checkDeliveries, checkLogs, type Deliveries } from './deliveries';
import { printReport, type Result } from './report';
import { scenarios, type Scenario } from './scenarios';
import { startDynamoDbLocal, startServices, type Services } from './start-services';
import { Stream } from './stream';
import { TableWatch } from './table-watch';

async function main(): Promise<boolean> {
  const wanted = process.argv.slice(2);
  for (const name of wanted) {
    if (!(name in scenarios)) throw new Error(`${name} is no scenario; there are ${Object.keys(scenarios).join(', ')}`);
  }
  const local = await startServices();
  const chosen = Object.entries(scenarios).filter(([name]) => wanted.length === 0 || wanted.includes(name));
  const needsDynamoDbLocal = chosen.some(([, { tables }]) => tables === 'DYNAMODB_LOCAL');
  const dynamoDbLocal = needsDynamoDbLocal ? await startDynamoDbLocal(local) : undefined;
  const results: Result[] = [];
  try {
    for (const [name, scenario] of chosen) {
      const services = scenario.tables === 'LOCAL' ? local : dynamoDbLocal;
      console.log(name);
      if (services) results.push(await run(name, scenario, services));
      else console.log('  SKIPPED: there is no DynamoDB Local');
    }
  } finally {
    dynamoDbLocal?.stop();
    local.stop();
  }
  printReport(results);
  return results.length > 0 && results.every(({ failure }) => failure === undefined);
}

/** Never throws: a failure is part of the result. */
async function run(name: string, scenario: Scenario, services: Services): Promise<Result> {
  const { environment } = services;
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 1_000);
  const say = (text: string): void => console.log(`  ${String(seconds()).padStart(4)} s  ${text}`);
  const stream = new Stream(name, clientOptions(environment, 'AWS_ENDPOINT_URL'));
  const applications: { application: Application; watch: TableWatch }[] = [];
  const open = (applicationName: string): { application: Application; watch: TableWatch } => {
    const application = new Application({ ...scenario, name: applicationName }, stream, environment);
    const opened = { application, watch: new TableWatch(application) };
    applications.push(opened);
    return opened;
  };
  let failure: unknown;
  const deliveries: Deliveries[] = [];
  const first = open(name);
  try {
    await stream.create(scenario.shards);
    await scenario.run({ ...first, second: (other) => open(other).application, say });
    for (const { application, watch } of applications) {
      await application.stop();
      await watch.stop();
      deliveries.push(await check(scenario, application, watch));
    }
    say('ok');
  } catch (error) {
    failure = error;
    console.error(error);
    say(
      `FAILED; notes and logs of the workers: ${applications.map(({ application }) => application.directory).join(', ')}`,
    );
  } finally {
    for (const { application, watch } of applications) {
      await application.stop();
      await watch.stop();
      application.close();
    }
    stream.close();
  }
  const movements = applications.map(({ watch }) => watch.movements);
  return { name, kcl: scenario.kcl, seconds: seconds(), reshards: stream.reshards, deliveries, movements, failure };
}

async function check(scenario: Scenario, application: Application, watch: TableWatch): Promise<Deliveries> {
  assert.deepEqual(watch.faults, [], 'faults of the rows');
  checkLogs(application);
  const deliveries = await checkDeliveries(application);
  if (scenario.noneTwice) assert.equal(deliveries.duplicates, 0, 'records processed twice');
  if (scenario.isMixed) {
    const { javaToNode, nodeToJava } = watch.movements;
    assert.ok(
      javaToNode > 0 && nodeToJava > 0,
      `leases moved to Node ${javaToNode} times, to Java ${nodeToJava} times`,
    );
    const { shardsEnded, childrenOfJavaOnNode, childrenOfNodeOnJava } = deliveries;
    assert.ok(shardsEnded.java > 0 && shardsEnded.node > 0, 'workers of both kinds handled ends of shards');
    assert.ok(
      childrenOfJavaOnNode + childrenOfNodeOnJava > 0,
      'a shard ended by the one kind was followed by the other',
    );
  }
  return deliveries;
}

// The workers end with this process.
process.setMaxListeners(0);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
void main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
