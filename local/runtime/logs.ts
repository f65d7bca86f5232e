/** Lines of tasks, functions and jobs: into files of the state directory, and to whoever listens. */
import { createWriteStream, mkdirSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import path from 'node:path';

export interface LogLine {
  /** Such as `<service>/<task>`, a function's name, or `local` for the run itself. */
  readonly source: string;
  readonly line: string;
}

export class Logs {
  private readonly files = new Map<string, WriteStream>();

  constructor(
    readonly directory: string,
    private readonly onLog: (line: LogLine) => void,
  ) {
    mkdirSync(directory, { recursive: true });
  }

  /** Appends to `<directory>/<source>.log`. */
  write(source: string, line: string): void {
    let file = this.files.get(source);
    if (file === undefined) {
      const name = path.join(this.directory, `${source}.log`);
      mkdirSync(path.dirname(name), { recursive: true });
      file = createWriteStream(name, { flags: 'a' });
      // A full disk must not take the services down with the log.
      file.on('error', () => undefined);
      this.files.set(source, file);
    }
    file.write(`${line}\n`);
    this.onLog({ source, line });
  }

  /** No more lines come from this source. */
  end(source: string): void {
    this.files.get(source)?.end();
    this.files.delete(source);
  }

  async close(): Promise<void> {
    const files = [...this.files.values()];
    this.files.clear();
    await Promise.all(files.map((file) => new Promise<void>((resolve) => file.end(resolve))));
  }
}
