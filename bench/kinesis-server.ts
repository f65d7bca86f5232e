/** A process of its own that answers every GetRecords with the same response, over HTTP/1.1 and h2c. Prints its port. */
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';
import { sniffProtocol } from '../local/gateway/protocol-sniffing';
import { getRecordsResponse, RECORDS_PER_RESPONSE } from './records';

const body = Buffer.from(JSON.stringify(getRecordsResponse(RECORDS_PER_RESPONSE)));
const headers = { 'content-type': 'application/x-amz-json-1.1', 'content-length': body.length };
const http = createHttpServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, headers).end(body));
});
const http2 = createHttp2Server((request, response) => {
  request.resume().on('end', () => response.writeHead(200, headers).end(body));
});
const server = createServer(sniffProtocol(http, http2));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
