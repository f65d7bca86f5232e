/**
 * `npm run test:java-kcl`: workers of the Java KCL 3 and of consumer/kcl on one lease table and one stream, against the
 * local services. Optional: without a JDK 11 or newer, Maven, or a connection to fetch the KCL, it says so and exits with 0.
 * Arguments are names of scenarios to run, such as `cold-migration`; without any all are run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureInstalled, root } from './ensure-installed.mjs';

const MINIMUM_JAVA = 11;
const sources = path.join(root, 'test', 'java-kcl');
const classes = path.join(root, 'build', 'java-kcl');
const shell = process.platform === 'win32';
/** What Maven says when it cannot reach where it fetches from, as opposed to a fault of the pom. */
const UNREACHABLE =
  /Could not (transfer|resolve)|Unknown host|No versions available|Connection (refused|timed out|reset)/i;

ensureInstalled();
const javac = run('javac', ['-version']);
const version = Number(/javac (?:1\.)?(\d+)/.exec(`${javac.stdout}${javac.stderr}`)?.[1]);
if (javac.status !== 0) skip(`there is no javac: install a JDK ${MINIMUM_JAVA} or newer`);
if (!(version >= MINIMUM_JAVA)) skip(`javac is of Java ${version}; KCL 3 needs a JDK ${MINIMUM_JAVA} or newer here`);
if (run('mvn', ['--version']).status !== 0) skip('there is no mvn: install Maven');

mkdirSync(classes, { recursive: true });
const classpathFile = path.join(classes, 'classpath.txt');
console.log('Fetching KCL 3 with Maven…');
const fetched = run('mvn', [
  '-B',
  '-f',
  path.join(sources, 'pom.xml'),
  'dependency:build-classpath',
  `-Dmdep.outputFile=${classpathFile}`,
]);
if (fetched.status !== 0) {
  const errors = fetched.stdout.split('\n').filter((line) => line.startsWith('[ERROR]'));
  if (UNREACHABLE.test(errors.join('\n'))) skip(`Maven cannot fetch the KCL: ${errors[0]}`);
  console.error(`Maven failed:\n${errors.join('\n')}${fetched.stderr}`);
  process.exit(1);
}
const dependencies = readFileSync(classpathFile, 'utf8').trim();
console.log(`Java ${version}, KCL ${/amazon-kinesis-client-(\d[\w.-]*)\.jar/.exec(dependencies)?.[1]}`);
const compiled = run('javac', ['-cp', dependencies, '-d', classes, path.join(sources, 'src', 'Worker.java')]);
if (compiled.status !== 0) {
  console.error(`The Java worker does not compile:\n${compiled.stderr}`);
  process.exit(1);
}

const suite = spawnSync(
  process.execPath,
  ['--import', 'tsx', path.join(sources, 'suite.ts'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, JAVA_KCL_CLASSPATH: `${classes}${path.delimiter}${dependencies}` },
  },
);
process.exit(suite.status ?? 1);

function run(command, args) {
  return spawnSync(command, args, { encoding: 'utf8', shell });
}

function skip(reason) {
  console.log(`SKIPPED: npm run test:java-kcl ran nothing, ${reason}.`);
  process.exit(0);
}
