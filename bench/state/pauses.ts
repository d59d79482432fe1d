/** What holds up the event loop. */
import { PerformanceObserver } from "node:perf_hooks";
import { threadMs } from "../report.ts";

export interface Pauses {
  /** Milliseconds of processor time between two turns of the event loop, at most: what other processes take does not count. */
  readonly turnMs: number;
  /** The longest garbage collection. */
  readonly gcMs: number;
}

export async function pausesDuring(work: () => Promise<void>): Promise<Pauses> {
  let gcMs = 0;
  let turnMs = 0;
  let last = threadMs();
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcMs = Math.max(gcMs, duration);
  });
  observer.observe({ entryTypes: ["gc"] });
  const timer = setInterval(() => {
    const now = threadMs();
    turnMs = Math.max(turnMs, now - last);
    last = now;
  }, 1);
  try {
    await work();
  } finally {
    clearInterval(timer);
    // What it has seen last, it tells a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    observer.disconnect();
  }
  return { turnMs, gcMs };
}
