/**
 * `npm run test:java-kcl`: workers of the Java KCL and of consumer/kcl on one lease table and one stream, against the local
 * services. Optional: without a JDK 11 or newer, Maven, or a connection to fetch the KCL, it says so and exits with 0.
 * Arguments are names of scenarios to run, such as `cold-migration`; without any all are run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureInstalled, root } from './ensure-installed.mjs';

const MINIMUM_JAVA = 11;
/** The newest of each: 2 knows no leader, 3.4 is the last with tables of their own for metrics and coordinator state. */
const KCL_VERSIONS = { 2: '[2.7,3)', 3.4: '[3.4,3.5)', 3.5: '[3.5,4)' };
const sources = path.join(root, 'test', 'java-kcl');
const build = path.join(root, 'build', 'java-kcl');
const shell = process.platform === 'win32';
/** What Maven says when it cannot reach where it fetches from, as opposed to a fault of the pom. */
const UNREACHABLE =
  /Could not (transfer|resolve)|could not be resolved|No plugin found|offline mode|Unknown host|No versions available|Connection (refused|timed out|reset)/i;

ensureInstalled();
const javac = run('javac', ['-version']);
const java = Number(/javac (?:1\.)?(\d+)/.exec(`${javac.stdout}${javac.stderr}`)?.[1]);
if (javac.status !== 0) skip(`there is no javac: install a JDK ${MINIMUM_JAVA} or newer`);
if (!(java >= MINIMUM_JAVA)) skip(`javac is of Java ${java}; KCL 3 needs a JDK ${MINIMUM_JAVA} or newer here`);
if (run('mvn', ['--version']).status !== 0) skip('there is no mvn: install Maven');

console.log('Fetching the KCL with Maven…');
const classpaths = {};
for (const [name, range] of Object.entries(KCL_VERSIONS)) {
  const jars = fetchJars('pom.xml', `classpath-${name}.txt`, [`-Dkcl.version=${range}`]);
  if (jars.unreachable) skip(`Maven cannot fetch the KCL: ${jars.unreachable}`);
  classpaths[name] = compile(name, jars.classpath);
}
const dynamoDbLocal = fetchJars('dynamodb-local-pom.xml', 'classpath-dynamodb-local.txt', []);
if (dynamoDbLocal.unreachable) {
  console.log(`SKIPPED: the scenarios on DynamoDB Local, which Maven cannot fetch: ${dynamoDbLocal.unreachable}`);
}

const suite = spawnSync(
  process.execPath,
  ['--import', 'tsx', path.join(sources, 'suite.ts'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      ...process.env,
      JAVA_KCL_CLASSPATHS: JSON.stringify(classpaths),
      ...(dynamoDbLocal.classpath ? { DYNAMODB_LOCAL_CLASSPATH: dynamoDbLocal.classpath } : {}),
    },
  },
);
process.exit(suite.status ?? 1);

/** @returns the class path; or why Maven could not fetch what is on it. Any other failure ends the program. */
function fetchJars(pom, outputName, settings) {
  mkdirSync(build, { recursive: true });
  const output = path.join(build, outputName);
  const goal = 'dependency:build-classpath';
  const fetched = run('mvn', ['-B', '-f', path.join(sources, pom), goal, `-Dmdep.outputFile=${output}`, ...settings]);
  if (fetched.status === 0) return { classpath: readFileSync(output, 'utf8').trim() };
  const errors = fetched.stdout.split('\n').filter((line) => line.startsWith('[ERROR]'));
  if (UNREACHABLE.test(errors.join('\n'))) return { unreachable: errors[0] };
  console.error(`Maven failed:\n${errors.join('\n')}${fetched.stderr}`);
  process.exit(1);
}

/** @returns the class path with the worker's classes */
function compile(name, dependencies) {
  const classes = path.join(build, `kcl-${name}`);
  mkdirSync(classes, { recursive: true });
  console.log(`Java ${java}, KCL ${/amazon-kinesis-client-(\d[\w.-]*)\.jar/.exec(dependencies)?.[1]}`);
  const files = ['Worker.java', path.join(`kcl-${name[0]}`, 'Fleet.java')].map((file) =>
    path.join(sources, 'src', file),
  );
  const compiled = run('javac', ['-nowarn', '-cp', dependencies, '-d', classes, ...files]);
  if (compiled.status === 0) return `${classes}${path.delimiter}${dependencies}`;
  console.error(`The Java worker does not compile with KCL ${name}:\n${compiled.stderr}`);
  process.exit(1);
}

function run(command, args) {
  return spawnSync(command, args, { encoding: 'utf8', shell });
}

function skip(reason) {
  console.log(`SKIPPED: npm run test:java-kcl ran nothing, ${reason}.`);
  process.exit(0);
}
