/** Buffered bytes of all shards of this process: one limit, since the task's memory is one. */
export class MemoryBudget {
  private readonly held = new Map<object, number>();
  private total = 0;

  constructor(
    /** Bytes. */
    readonly limit: number,
  ) {
    if (!(limit > 0)) throw new Error(`memory budget must be above 0 bytes, got ${limit}`);
  }

  get used(): number {
    return this.total;
  }

  /** Says how much `holder` holds now. False = all together are over the limit, so the holder should flush. */
  update(holder: object, bytes: number): boolean {
    this.total += bytes - (this.held.get(holder) ?? 0);
    if (bytes === 0) this.held.delete(holder);
    else this.held.set(holder, bytes);
    return this.total <= this.limit;
  }
}
