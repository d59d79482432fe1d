/**
 * Time for views that ask for it. Rows come and go at moments at which nothing else may happen, so at these a tick is appended: a commit that
 * says nothing but its time. It goes through the log like everything else, and a replay gives the same rows next year.
 *
 * A tick is appended only when a row is due and no other commit has brought its moment, at most one a second.
 */
import type { CommitReceipt } from "../log/log.ts";

export const TICK_US = 1_000_000;

export interface TickerContext {
  /** What a commit would be stamped with, microseconds since 1970. */
  readonly nowUs: () => number;
  /** When the next row comes or goes by itself; Infinity: none does. */
  readonly nextDue: () => number;
  readonly tick: () => Promise<CommitReceipt>;
  readonly report: (message: string) => void;
}

export class Ticker {
  readonly #context: TickerContext;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #lastUs = Number.NEGATIVE_INFINITY;
  #running = false;
  #ticking = false;
  /** Whether the last tick was refused, which has been reported. */
  #failing = false;

  constructor(context: TickerContext) {
    this.#context = context;
  }

  /** Before this nothing is due: history is replayed. */
  start(): void {
    this.#running = true;
    this.stepped();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Number.POSITIVE_INFINITY;
  }

  /** A step is complete, or a view has come or gone. */
  stepped(): void {
    if (!this.#running || this.#ticking) return;
    const due = this.#context.nextDue();
    if (due === this.#due && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = due;
    if (due === Number.POSITIVE_INFINITY) return;
    const waitUs = Math.max(due, this.#lastUs + TICK_US) - this.#context.nowUs();
    // Longer timers than 2^31 ms fire at once; this one is set again when it has come.
    this.#timer = setTimeout(
      () => void this.wake(),
      Math.min(Math.max(0, Math.ceil(waitUs / 1000)), 2 ** 31 - 1),
    );
    this.#timer.unref();
  }

  /** The timer's moment: appends a tick if one is due. */
  async wake(): Promise<void> {
    this.#timer = undefined;
    this.#due = Number.POSITIVE_INFINITY;
    const { nowUs, nextDue, tick, report } = this.#context;
    const now = nowUs();
    if (!this.#running || this.#ticking) return;
    if (nextDue() <= now && now >= this.#lastUs + TICK_US) {
      this.#lastUs = now;
      this.#ticking = true;
      try {
        await tick();
        this.#failing = false;
      } catch (error) {
        // A full disk may have room again: it is tried again as long as the row is due.
        if (this.#running && !this.#failing) report(`no tick could be appended: ${(error as Error).message}`);
        this.#failing = true;
      } finally {
        this.#ticking = false;
      }
    }
    this.stepped();
  }
}
