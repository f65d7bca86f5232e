// @ts-check
/**
 * One execution environment of a function, in a worker thread: plain JavaScript, because a worker starts without the
 * loader that runs the rest. It loads the handler at start, then answers one invocation at a time.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {{ directory: string, handler: string, functionArn: string }} */
const { directory, handler: handlerName, functionArn } = workerData;

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}

/** `index.handler` is the export `handler` of index.mjs, index.cjs or index.js. */
async function loadHandler() {
  const dot = handlerName.lastIndexOf('.');
  const module = path.join(directory, handlerName.slice(0, dot));
  const file = ['.mjs', '.cjs', '.js'].map((extension) => module + extension).find((name) => existsSync(name));
  if (file === undefined) throw new Error(`Cannot find module '${handlerName.slice(0, dot)}' in ${directory}`);
  /** @type {Record<string, unknown>} */
  let exported;
  try {
    exported = file.endsWith('.mjs') ? await import(pathToFileURL(file).href) : createRequire(file)(file);
  } catch (error) {
    // A .js file is an ES module where the package.json beside it says so.
    if (/** @type {{ code?: string }} */ (error).code !== 'ERR_REQUIRE_ESM') throw error;
    exported = await import(pathToFileURL(file).href);
  }
  const found = exported[handlerName.slice(dot + 1)];
  if (typeof found !== 'function') throw new Error(`${handlerName} is undefined or not exported`);
  return /** @type {(event: unknown, context: unknown) => unknown} */ (found);
}

const loaded = loadHandler();
loaded.then(
  () => port.postMessage({ type: 'ready' }),
  (error) => port.postMessage({ type: 'init-failed', error: describe(error) }),
);

/** @param {{ requestId: string, payload: string, deadline: number }} invocation */
async function invoke({ requestId, payload, deadline }) {
  const context = {
    awsRequestId: requestId,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  try {
    const result = await (await loaded)(JSON.parse(payload), context);
    port.postMessage({ type: 'result', requestId, payload: JSON.stringify(result) ?? 'null' });
  } catch (error) {
    port.postMessage({ type: 'failed', requestId, error: describe(error) });
  }
}

port.on('message', invoke);
