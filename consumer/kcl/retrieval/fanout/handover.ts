/** A place for one thing between one that gives and one that takes. */
export class Handover<T> {
  private content: T | undefined;
  private wakeGiver: () => void = () => undefined;
  private wakeTaker: () => void = () => undefined;

  /** Puts it into the place, which must be empty. */
  give(content: T): void {
    this.content = content;
    this.wakeTaker();
  }

  /** Resolves when the place is empty, or the signal aborts. */
  async empty(signal: AbortSignal): Promise<void> {
    while (this.content !== undefined && !signal.aborted) await this.wait(signal, (wake) => (this.wakeGiver = wake));
  }

  /** What is in the place, as soon as there is something; undefined once the signal aborts. */
  async take(signal: AbortSignal): Promise<T | undefined> {
    while (this.content === undefined && !signal.aborted) await this.wait(signal, (wake) => (this.wakeTaker = wake));
    if (signal.aborted) return undefined;
    const { content } = this;
    this.content = undefined;
    this.wakeGiver();
    return content;
  }

  private wait(signal: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      onWake(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
