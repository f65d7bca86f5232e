import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { LambdaService } from '../../../local/services/lambda/lambda-service';
import type { FunctionDefinition } from '../../../local/services/lambda/lambda-service';
import { ManualClock, settle } from '../gateway/manual-clock';

let root: string;
let clock: ManualClock;
let lambda: LambdaService;
let lines: string[];
let dropped: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lambda-'));
  clock = new ManualClock();
  lines = [];
  dropped = [];
  lambda = new LambdaService({
    clock,
    region: 'us-east-1',
    environment: ({ roleArn }) => ({ ROLE: roleArn }),
    onLine: (name, line) => lines.push(`${name}: ${line}`),
    onDropped: (name, reason) => dropped.push(`${name}: ${reason}`),
  });
});
afterEach(async () => {
  await lambda.close();
  rmSync(root, { recursive: true });
});

async function put(
  name: string,
  files: Record<string, string>,
  overrides: Partial<FunctionDefinition> = {},
): Promise<void> {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  await lambda.putFunction({
    name,
    arn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
    runtime: 'nodejs24.x',
    handler: 'index.handler',
    roleArn: `arn:aws:iam::000000000000:role/${name}`,
    directory,
    environment: {},
    timeout: 10,
    memorySize: 128,
    ...overrides,
  });
}

async function answer(name: string, event: unknown = {}): Promise<unknown> {
  const result = await lambda.invoke(name, JSON.stringify(event));
  return 'payload' in result ? (JSON.parse(result.payload) as unknown) : result.failure;
}

test('each function has an environment of its own, and nothing of this process', async () => {
  process.env['SECRET_OF_HOST'] = 'x';
  const code = { 'index.js': 'exports.handler = async (event) => ({ event, env: process.env });' };
  await put('one', code, { environment: { TABLE: 'a' } });
  await put('two', code, { environment: { TABLE: 'b' } });
  expect(await answer('one', { n: 1 })).toMatchObject({
    event: { n: 1 },
    env: { TABLE: 'a', ROLE: 'arn:aws:iam::000000000000:role/one', AWS_LAMBDA_FUNCTION_NAME: 'one' },
  });
  const second = (await answer('two')) as { env: Record<string, string> };
  expect(second.env['TABLE']).toBe('b');
  expect(second.env).not.toHaveProperty('SECRET_OF_HOST');
  delete process.env['SECRET_OF_HOST'];
});

test('handlers are found in CommonJS, ES modules and .js files of type module', async () => {
  await put('cjs', { 'index.cjs': 'exports.handler = () => "cjs";' });
  await put('mjs', { 'index.mjs': 'export const handler = async () => "mjs";' });
  await put(
    'esm',
    { 'app.js': 'export const run = async () => "esm";', 'package.json': '{"type":"module"}' },
    { handler: 'app.run' },
  );
  expect([await answer('cjs'), await answer('mjs'), await answer('esm')]).toEqual(['cjs', 'mjs', 'esm']);
});

test('a warm environment is used again, and two invocations at once have one each', async () => {
  await put('count', {
    'index.js':
      'let n = 0; exports.handler = async (ms) => { n++; await new Promise((r) => setTimeout(r, ms)); return n; };',
  });
  expect([await answer('count', 0), await answer('count', 0)]).toEqual([1, 2]);
  expect((await Promise.all([answer('count', 50), answer('count', 50)])).sort()).toEqual([1, 3]);
});

test.each<[string, string, Partial<FunctionDefinition>, object]>([
  [
    'throws',
    'exports.handler = async () => { throw new TypeError("no"); };',
    {},
    { errorType: 'TypeError', errorMessage: 'no' },
  ],
  ['throws at load', 'throw new Error("bad start");', {}, { errorMessage: 'bad start' }],
  ['has no such export', 'exports.other = 1;', {}, { errorMessage: 'index.handler is undefined or not exported' }],
  [
    'has no such file',
    '',
    { handler: 'missing.handler' },
    { errorMessage: expect.stringContaining("Cannot find module 'missing'") },
  ],
  [
    'takes too long',
    'exports.handler = () => new Promise(() => setTimeout(() => {}, 1e6));',
    { timeout: 0.1 },
    { errorType: 'Sandbox.Timedout', errorMessage: expect.stringMatching(/Task timed out after 0\.10 seconds/) },
  ],
  ['never yields', 'exports.handler = () => { for (;;); };', { timeout: 0.2 }, { errorType: 'Sandbox.Timedout' }],
  [
    'exits',
    'exports.handler = () => process.exit(3);',
    {},
    { errorType: 'Runtime.ExitError', errorMessage: 'The runtime exited with status 3' },
  ],
])('a handler that %s is a failure, and the next invocation starts afresh', async (_name, code, overrides, failure) => {
  await put('bad', { 'index.js': code }, overrides);
  expect(await answer('bad')).toMatchObject(failure);
  expect(await answer('bad')).toMatchObject(failure);
  expect(lambda.summary()).toEqual([{ name: 'bad', invocations: 2, errors: 2 }]);
});

test('console output goes to the log', async () => {
  await put('talk', {
    'index.js':
      'exports.handler = async () => { console.log("hello"); console.error("trouble"); await new Promise((r) => setTimeout(r, 20)); };',
  });
  expect(await answer('talk')).toBeNull();
  await settle();
  expect(lines).toEqual(expect.arrayContaining(['talk: hello', 'talk: trouble']));
});

test('a function put again runs its new code', async () => {
  await put('f', { 'index.js': 'exports.handler = () => 1;' });
  expect(await answer('f')).toBe(1);
  await put('f', { 'index.js': 'exports.handler = () => 2;' });
  expect(await answer('f')).toBe(2);
});

test('an asynchronous invocation that fails is tried twice more, after one and two minutes', async () => {
  await put('flaky', { 'index.js': 'exports.handler = async () => { throw new Error("still down"); };' });
  const invocations = () => lambda.summary()[0]!.invocations;
  const reached = async (count: number) => {
    while (invocations() < count || lambda.summary()[0]!.errors < count)
      await new Promise((resolve) => setTimeout(resolve, 5));
    await settle();
  };
  lambda.invokeAsync('flaky', '{}');
  await reached(1);
  await clock.advance(59_999);
  expect(invocations()).toBe(1);
  await clock.advance(1);
  await reached(2);
  await clock.advance(120_000);
  await reached(3);
  expect(dropped).toEqual(['flaky: Error: still down']);
});

test('only Node.js functions with code from an asset are run', async () => {
  await put('python', {}, { runtime: 'python3.13' });
  await put('inline', {}, { directory: undefined });
  await expect(lambda.invoke('python', '{}')).rejects.toMatchObject({ code: 'InvalidRuntimeException' });
  await expect(lambda.invoke('inline', '{}')).rejects.toMatchObject({ code: 'InvalidRuntimeException' });
  await expect(lambda.invoke('nobody', '{}')).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
});

test('its REST API invokes, describes and lists', async () => {
  const credentials = new CredentialRegistry('000000000000');
  const gateway = await Gateway.listen({ port: 0, credentials });
  gateway.add(lambda);
  await put('api', {
    'index.js': 'exports.handler = async (event) => { if (event.fail) throw new Error("x"); return event; };',
  });
  const request = (method: string, path: string, body?: string, headers = {}) =>
    fetch(`${gateway.endpoint}/2015-03-31/functions${path}`, {
      method,
      body,
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${ROOT_ACCESS_KEY_ID}/20260101/us-east-1/lambda/aws4_request`,
        ...headers,
      },
    });
  const arn = encodeURIComponent('arn:aws:lambda:us-east-1:000000000000:function:api:$LATEST');
  expect(await (await request('POST', `/${arn}/invocations`, '{"a":1}')).json()).toEqual({ a: 1 });
  const failed = await request('POST', '/api/invocations', '{"fail":true}');
  expect([failed.status, failed.headers.get('x-amz-function-error')]).toEqual([200, 'Unhandled']);
  expect(await failed.json()).toMatchObject({ errorMessage: 'x' });
  expect((await request('POST', '/api/invocations', '{}', { 'x-amz-invocation-type': 'Event' })).status).toBe(202);
  expect((await request('POST', '/api/invocations', 'no json')).status).toBe(400);
  expect(await (await request('GET', '/api')).json()).toMatchObject({
    Configuration: { FunctionName: 'api', Timeout: 10 },
  });
  expect(((await (await request('GET', '/')).json()) as { Functions: unknown[] }).Functions).toHaveLength(1);
  const missing = await request('GET', '/nobody');
  expect([missing.status, missing.headers.get('x-amzn-errortype')]).toEqual([404, 'ResourceNotFoundException']);
  await gateway.close();
});
