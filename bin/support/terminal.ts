/** Progress for people: a block that is redrawn in a terminal, or a line now and then elsewhere. */

const LINE_INTERVAL_MS = 5_000;

export class ProgressDisplay {
  private drawn = 0;
  private lastLine = -Infinity;

  /** With `json`, stdout belongs to the result and progress goes to stderr. */
  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly now: () => number,
  ) {}

  /** `block` is drawn over the one before in a terminal; elsewhere `line` is written every few seconds. */
  update(block: readonly string[], line: string): void {
    if (this.stream.isTTY) {
      const width = this.stream.columns ?? 120;
      const up = this.drawn > 0 ? `\u001b[${this.drawn}A\u001b[J` : '';
      this.stream.write(up + block.map((text) => `${text.slice(0, width - 1)}\n`).join(''));
      this.drawn = block.length;
    } else if (this.now() - this.lastLine >= LINE_INTERVAL_MS) {
      this.lastLine = this.now();
      this.stream.write(`${line}\n`);
    }
  }

  /** A lasting message; the block is drawn anew below it. */
  say(text: string): void {
    if (this.stream.isTTY && this.drawn > 0) {
      this.stream.write(`\u001b[${this.drawn}A\u001b[J`);
      this.drawn = 0;
    }
    this.stream.write(`${text}\n`);
  }
}

/** Columns aligned by their widest cell; numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        /^[\d,.%-]+$/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}
