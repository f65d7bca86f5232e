/** The local services in a process of their own; DynamoDB Local in place of the local DynamoDB where a scenario asks for it. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type TableService = 'LOCAL' | 'DYNAMODB_LOCAL';

export interface Services {
  readonly environment: Readonly<Record<string, string>>;
  stop(): void;
}

const START_SECONDS = 30;

export async function startServices(): Promise<Services> {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(__dirname, 'services.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const environment = JSON.parse(line.toString()) as Record<string, string>;
  return {
    environment: { ...environment, AWS_ENDPOINT_URL_DYNAMODB: environment['AWS_ENDPOINT_URL'] as string },
    stop: () => child.stdin.end(),
  };
}

/** @returns undefined where Maven could not fetch it */
export async function startDynamoDbLocal({ environment }: Services): Promise<Services | undefined> {
  const classpath = process.env['DYNAMODB_LOCAL_CLASSPATH'];
  if (classpath === undefined) return undefined;
  const port = await freePort();
  // Its SQLite is a native library among the jars.
  const libraries = classpath.split(path.delimiter).filter((file) => /\.(so|dylib|dll)$/.test(file));
  const directories = [...new Set(libraries.map((file) => path.dirname(file)))].join(path.delimiter);
  const child = spawn(
    'java',
    [
      `-Djava.library.path=${directories}`,
      '-Xmx256m',
      ...['-cp', classpath, 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner'],
      ...['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)],
    ],
    { stdio: 'ignore' },
  );
  process.once('exit', () => child.kill());
  const endpoint = `http://127.0.0.1:${port}`;
  await untilItAnswers(endpoint, child);
  return { environment: { ...environment, AWS_ENDPOINT_URL_DYNAMODB: endpoint }, stop: () => child.kill() };
}

async function untilItAnswers(endpoint: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < START_SECONDS * 5; attempt++) {
    assert.equal(child.exitCode, null, 'DynamoDB Local ended at its start');
    if (await fetch(endpoint).catch(() => undefined)) return;
    await sleep(200);
  }
  assert.fail(`DynamoDB Local does not answer after ${START_SECONDS} s`);
}

/** DynamoDB Local does not say which port it took, so it cannot choose. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
