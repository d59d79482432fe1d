/** Pauses between attempts: growing by half each time from 100 ms, never over a bound, and never the same for two clients. */

const firstMs = 100;

/** Between half of the pause and all of it, so that clients of one server do not return in one moment. */
export function backoffMs(attempt: number, maxMs: number): number {
  const full = Math.min(maxMs, firstMs * 1.5 ** Math.min(attempt, 40));
  return full / 2 + (Math.random() * full) / 2;
}

/** Resolves after the time, or at once when `signal` is aborted. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
