import { createServer, type Server } from 'node:http';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TcpProxy } from '../../chaos/tcp-proxy';

let server: Server;
let proxy: TcpProxy;
let requests: string[];
let agent: Agent;

beforeEach(async () => {
  requests = [];
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
  server = createServer((incoming, response) => {
    requests.push(incoming.url!);
    response.end(`answer to ${incoming.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await TcpProxy.listen();
  proxy.forwardTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  agent.destroy();
  await proxy.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function get(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${proxy.url}${path}`, { agent }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(body));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const outcome = (call: Promise<string>): Promise<string> =>
  call.catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
const silent = async (call: Promise<string>): Promise<boolean> =>
  (await Promise.race([outcome(call), new Promise((resolve) => setTimeout(resolve, 300, 'silence'))])) === 'silence';

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('without a mode it is a wire', async () => {
  expect(await get('/1')).toBe('answer to /1');
  expect(await get('/2')).toBe('answer to /2');
});

test('refuse closes what is open and takes nothing new, until it ends', async () => {
  await get('/1');
  proxy.setMode('refuse');
  expect(['ECONNRESET', 'ECONNREFUSED', 'socket hang up']).toContain(await outcome(get('/2')));
  expect(requests).toEqual(['/1']);
  proxy.setMode(undefined);
  expect(await get('/3')).toBe('answer to /3');
});

test('reset: the request arrives and its answer does not', async () => {
  await get('/1');
  proxy.setMode('reset');
  expect(await outcome(get('/2'))).toBe('ECONNRESET');
  await until(() => requests.length === 2);
  proxy.setMode(undefined);
  expect(await get('/3')).toBe('answer to /3');
});

test('blackhole: neither arrives, and nobody is told; afterwards that connection is closed', async () => {
  await get('/1');
  proxy.setMode('blackhole');
  const lost = get('/2');
  expect(await silent(lost)).toBe(true);
  expect(requests).toEqual(['/1']);
  proxy.setMode(undefined);
  expect(await outcome(lost)).toMatch(/ECONNRESET|socket hang up/);
  expect(await get('/3')).toBe('answer to /3');
});

test('half-open: the request arrives, its answer vanishes', async () => {
  await get('/1');
  proxy.setMode('half-open');
  const lost = get('/2');
  expect(await silent(lost)).toBe(true);
  await until(() => requests.length === 2);
  proxy.setMode(undefined);
  expect(await outcome(lost)).toMatch(/ECONNRESET|socket hang up/);
});

test('delay: late, and whole', async () => {
  proxy.setMode('delay');
  const call = get('/1');
  expect(await silent(call)).toBe(true);
  expect(await call).toBe('answer to /1');
});
