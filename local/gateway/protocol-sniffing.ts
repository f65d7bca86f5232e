/**
 * One port for HTTP/1.1 and for HTTP/2 with prior knowledge. The AWS SDK for JavaScript calls Kinesis over HTTP/2 and
 * everything else over HTTP/1.1; without TLS there is no ALPN to tell them apart, so the first bytes must.
 */
import type { Server as HttpServer } from 'node:http';
import type { Http2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** First bytes of an HTTP/2 connection (RFC 9113, section 3.4). No HTTP/1.1 method starts like this. */
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

/** Hands each new connection to the server that speaks its protocol. */
export function sniffProtocol(http: HttpServer, http2: Http2Server): (socket: Socket) => void {
  return (socket) => {
    socket.setNoDelay(true);
    let head: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const compared = Math.min(head.length, HTTP2_PREFACE.length);
      const maybeHttp2 = head.compare(HTTP2_PREFACE, 0, compared, 0, compared) === 0;
      if (maybeHttp2 && compared < HTTP2_PREFACE.length) return;
      socket.off('data', onData);
      socket.off('error', onError);
      socket.pause();
      if (maybeHttp2) {
        http2.emit('connection', new SocketStream(socket, head));
      } else {
        socket.unshift(head);
        http.emit('connection', socket);
        socket.resume();
      }
    };
    const onError = () => socket.destroy();
    socket.on('data', onData);
    socket.on('error', onError);
  };
}

/**
 * The socket with its first bytes put back. An HTTP/2 session reads a net.Socket below the stream layer, where bytes that
 * were pushed back are not seen; over any other Duplex it reads the stream.
 */
class SocketStream extends Duplex {
  constructor(
    private readonly socket: Socket,
    head: Buffer,
  ) {
    super();
    this.push(head);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
