/** Readings at a steady rate into an open database, their subscriber in the same process, and how long each took from due to seen. */
import type { Db } from "../../src/index.ts";
import { latest, readings, SENSORS } from "../latency/app.ts";

const PATIENCE_MS = 60_000;

export interface Noticed {
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array;
  /** Milliseconds between two turns of the event loop, at most. */
  readonly longestTurnMs: number;
}

export class Steady {
  readonly #db: Db;
  readonly #intervalMs: number;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  /** By sensor: numbers sent and not seen, and when they were due. */
  readonly #waiting: { number: number; due: number }[][] = Array.from({ length: SENSORS }, () => []);
  #next = 0;
  #latencies: number[] = [];

  constructor(db: Db, perSecond: number) {
    this.#db = db;
    this.#intervalMs = 1000 / perSecond;
    this.#watching = this.#watch();
  }

  /** Sends readings until the work is done, then waits until all were seen. */
  async during(work: () => Promise<void>): Promise<Noticed> {
    this.#latencies = [];
    let working = true;
    const done = work().finally(() => {
      working = false;
    });
    let failure: unknown;
    let longestTurnMs = 0;
    let now = performance.now();
    for (let due = now; working && failure === undefined; ) {
      while (due <= now) {
        this.#send(due).catch((error: unknown) => {
          failure ??= error;
        });
        due += this.#intervalMs;
      }
      // Immediates, not timers: those would be late by up to a millisecond, as much as what is measured.
      await new Promise(setImmediate);
      const turned = performance.now();
      longestTurnMs = Math.max(longestTurnMs, turned - now);
      now = turned;
    }
    await done;
    if (failure !== undefined) throw failure;
    const patience = performance.now() + PATIENCE_MS;
    while (this.#waiting.some((w) => w.length > 0)) {
      if (performance.now() > patience) throw new Error("some readings were never seen");
      await new Promise(setImmediate);
    }
    return { latencies: Float64Array.from(this.#latencies).sort(), longestTurnMs };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #send(due: number): Promise<void> {
    const number = ++this.#next;
    const sensor = number % SENSORS;
    this.#waiting[sensor]!.push({ number, due });
    await this.#db.append(readings, { sensor, number });
  }

  async #watch(): Promise<void> {
    for await (const { changes } of this.#db.view(latest).subscribe({ signal: this.#stop.signal })) {
      const now = performance.now();
      for (const change of changes) if (change.op !== "delete") this.#seen(change.row, now);
    }
  }

  #seen(row: { readonly sensor: number; readonly latest: number }, now: number): void {
    const waiting = this.#waiting[row.sensor]!;
    while (waiting.length > 0 && waiting[0]!.number <= row.latest)
      this.#latencies.push(now - waiting.shift()!.due);
  }
}
