import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { filesBelow } from './upload';

/** model.tar.gz of everything in the model directory; equal files give equal bytes. */
export async function modelArchive(directory: string): Promise<Buffer> {
  const archive = pack();
  for (const name of await filesBelow(directory))
    archive.entry({ name, mtime: new Date(0) }, await readFile(join(directory, name)));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
