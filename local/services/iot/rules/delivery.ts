/** Trying an action again while its service asks for patience. */
import type { Clock } from '../../../gateway/service';

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 1_000;
/**
 * How long an action is tried before it goes to the error action. AWS does not document its own; this one ends well
 * before a device's keep-alive (1.5 × 30 s at the least) gives up on a connection that waits for its PUBACK.
 */
const PATIENCE_MS = 20_000;

const THROTTLES = /Throttl|ThroughputExceeded|TooManyRequests|SlowDown|LimitExceeded|RequestTimeout/;

/** Rejects with the last error: at once where trying again cannot help. */
export async function deliver(run: () => Promise<void>, clock: Clock): Promise<void> {
  const deadline = clock.now() + PATIENCE_MS;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
    try {
      await run();
      return;
    } catch (error) {
      if (!isTransient(error) || clock.now() + delay > deadline) throw error;
    }
    await new Promise<void>((resolve) => void clock.after(delay, resolve));
  }
}

function isTransient(error: unknown): boolean {
  const { status, code } = error as { readonly status?: unknown; readonly code?: unknown };
  if (typeof code === 'string' && THROTTLES.test(code)) return true;
  return typeof status === 'number' && status >= 500;
}
