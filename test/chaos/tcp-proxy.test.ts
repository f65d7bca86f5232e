import { Agent, createServer, request, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { DELAY_MS, TcpProxy } from '../../chaos/tcp-proxy';

let server: Server;
let proxy: TcpProxy;
let requests: string[];
let agent: Agent;
let timers: { readonly ms: number; readonly callback: () => void }[];

beforeEach(async () => {
  requests = [];
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
  server = createServer((incoming, response) => {
    requests.push(incoming.url!);
    response.end(`answer to ${incoming.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  timers = [];
  proxy = await TcpProxy.listen((ms, callback) => timers.push({ ms, callback }));
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

test('blackhole: neither arrives, and nobody is told; that connection stays silent afterwards, a new one works', async () => {
  await get('/1');
  proxy.setMode('blackhole');
  const lost = get('/2');
  expect(await silent(lost)).toBe(true);
  proxy.setMode(undefined);
  expect(await silent(lost)).toBe(true);
  proxy.setMode('delay');
  proxy.setMode(undefined);
  expect(await silent(lost)).toBe(true);
  expect(requests).toEqual(['/1']);
  agent.destroy();
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
  expect(await silent(lost)).toBe(true);
  proxy.setMode('refuse');
  expect(await outcome(lost)).toMatch(/ECONNRESET|socket hang up/);
});

test('delay: late, and whole', async () => {
  proxy.setMode('delay');
  const call = get('/1');
  await until(() => timers.length === 1);
  expect(requests).toEqual([]);
  expect(timers[0]!.ms).toBe(DELAY_MS);
  timers[0]!.callback();
  await until(() => timers.length === 2);
  expect(requests).toEqual(['/1']);
  timers[1]!.callback();
  expect(await call).toBe('answer to /1');
});

test('nothing overtakes delayed bytes when the delay ends, and its timers find nothing more to send', async () => {
  proxy.setMode('delay');
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
  socket.write('GET /split HTTP/1.1\r\nhost: x\r\n');
  await until(() => timers.length === 1);
  proxy.setMode(undefined);
  socket.write('connection: close\r\n\r\n');
  await until(() => requests.length === 1);
  timers[0]!.callback();
  let answer = '';
  for await (const bytes of socket) answer += String(bytes);
  expect(answer).toContain('answer to /split');
  expect(requests).toEqual(['/split']);
});

test('until it has a target it closes what connects', async () => {
  const lone = await TcpProxy.listen(() => undefined);
  const socket = connect(Number(new URL(lone.url).port), '127.0.0.1');
  await new Promise((resolve) => socket.on('close', resolve));
  await lone.close();
});
