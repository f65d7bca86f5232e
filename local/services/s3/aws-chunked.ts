/**
 * The `aws-chunked` content encoding of streamed uploads: `<size hex>[;chunk-signature=…]\r\n<bytes>\r\n … 0\r\n`,
 * then trailing headers. Signatures are not checked: nothing here checks any.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
import { AwsError } from '../../gateway/service';

const LONGEST_LINE = 4_096;

/**
 * Yields the decoded bytes; `trailers` is filled (names in lower case) once the last one was yielded.
 * @throws AwsError IncompleteBody where the framing is broken or ends early.
 */
export async function* decodeAwsChunked(
  body: AsyncIterable<Uint8Array>,
  trailers: Record<string, string>,
): AsyncGenerator<Uint8Array> {
  const reader = new ChunkReader(body);
  for (;;) {
    const size = parseSize(await reader.line());
    if (size === 0) break;
    yield* reader.bytes(size);
    if ((await reader.line()) !== '') throw incomplete('a chunk does not end where its size says');
  }
  for (let line = await reader.lastLine(); line !== ''; line = await reader.lastLine()) {
    const colon = line.indexOf(':');
    if (colon === -1) throw incomplete('a trailing header has no colon');
    trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
}

function parseSize(line: string): number {
  const size = line.split(';', 1)[0]!.trim();
  if (!/^[0-9a-fA-F]{1,12}$/.test(size)) throw incomplete('a chunk has no size');
  return Number.parseInt(size, 16);
}

function incomplete(detail: string): AwsError {
  return new AwsError('IncompleteBody', `The aws-chunked body is broken: ${detail}`, 400);
}

class ChunkReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private held: Buffer = Buffer.alloc(0);

  constructor(body: AsyncIterable<Uint8Array>) {
    this.source = body[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.held.indexOf('\r\n');
      if (end !== -1) {
        const line = this.held.toString('latin1', 0, end);
        this.held = this.held.subarray(end + 2);
        return line;
      }
      if (this.held.length > LONGEST_LINE) throw incomplete(`a line is longer than ${LONGEST_LINE} bytes`);
      if (!(await this.more())) throw incomplete('it ends inside a line');
    }
  }

  /** Like `line`, but the end of the body is an empty line: clients leave out the last one. */
  async lastLine(): Promise<string> {
    if (this.held.length === 0 && !(await this.more())) return '';
    return this.line();
  }

  async *bytes(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (this.held.length === 0 && !(await this.more())) throw incomplete('it ends inside a chunk');
      const part = this.held.subarray(0, left);
      this.held = this.held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  private async more(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done === true) return false;
    const bytes = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    this.held = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
    return true;
  }
}
