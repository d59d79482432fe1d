/**
 * Keeps functions of the user from holding the database for ever.
 *
 * JavaScript that does not return can only be stopped from outside its thread: node:vm does so, with a thread that waits for the time to be
 * over and then takes the whole stack down, wherever it is. Setting that up costs some 70 us, on a busy machine a
 * millisecond and more, so it is done for a region, a loop over a chunk, and only where a function does not certainly return (face/bounded.ts).
 *
 * 1. run() starts a region. Whoever loops in it asks late() between two rows and, after SLICE_MS, leaves it, to go on in a new one.
 * 2. `running` says which function has control; null: the engine itself. A region is taken down timeoutMs + SLICE_MS after its beginning, so it
 *    is a single call that took longer than timeoutMs: its name is known, and the node that called it stops.
 * 3. Were it the engine (a process that was suspended in the middle of it), what it was changing is half changed: then nothing more is to be
 *    told, and the process has to recover from the log. Whoever owns the state is told at once (onInterrupted), whatever was running: a step, a
 *    build or a query share a dictionary.
 *
 * docs/decisions/0023-user-functions.md has the measurements.
 */
import { Script } from "node:vm";
import { EvertError } from "../../base/errors.ts";
import { takeFault } from "./errors.ts";

/** A function of the user, as messages name it: "function initials(text)". */
export interface Callee {
  readonly said: string;
}

export const TIMEOUT_MS = 1_000;
const SLICE_MS = 10;

/** The engine was taken down in the middle of its own work; its state is not to be used any more. */
export class EngineInterrupted extends EvertError {
  constructor() {
    super("internal", "the engine was interrupted while it was working", {
      hint: "Start again: everything acknowledged is in the log.",
    });
  }
}

export class Guard {
  /** What one call may take; 0: any time. */
  timeoutMs: number = TIMEOUT_MS;
  /** Told when the engine itself was taken down. */
  onInterrupted: (error: EngineInterrupted) => void = () => {};
  /** The function that has control. Set by whoever calls one. */
  running: Callee | null = null;
  #regionBegan = 0;
  #active = false;

  /** Runs work that calls functions of the user. @throws EvertError function_failed when one of them was stopped. */
  run<T>(work: () => T): T {
    if (this.#active || this.timeoutMs === 0) return work();
    this.#active = true;
    try {
      for (;;) {
        const ended = this.#region(work);
        if (ended === null) continue;
        if ("thrown" in ended) throw ended.thrown;
        return ended.result;
      }
    } finally {
      this.running = null;
      this.#active = false;
    }
  }

  /**
   * null: it was taken down before it began. On a busy machine the thread that waits may be given the processor long before or after this
   * one: what has not begun begins again, and what is done is done.
   */
  #region<T>(work: () => T): Ended<T> | null {
    let begun = false;
    let ended: Ended<T> | null = null;
    try {
      interruptible(() => {
        this.#regionBegan = performance.now();
        begun = true;
        ended = outcomeOf(work);
      }, this.timeoutMs + SLICE_MS);
    } catch (thrown) {
      if (!isTimeout(thrown)) throw thrown;
      if (begun && ended === null) {
        takeFault();
        if (this.running !== null) throw stopped(this.running, this.timeoutMs);
        const error = new EngineInterrupted();
        this.onInterrupted(error);
        throw error;
      }
    }
    return ended;
  }

  /** Whether it is time to leave the region. */
  late(): boolean {
    return this.#active && performance.now() - this.#regionBegan >= SLICE_MS;
  }
}

type Ended<T> = { readonly result: T } | { readonly thrown: unknown };

function outcomeOf<T>(work: () => T): Ended<T> {
  try {
    return { result: work() };
  } catch (thrown) {
    return { thrown };
  }
}

/** For what is evaluated without a circuit, and by nobody who has set a limit. */
export const statementGuard: Guard = new Guard();

// A script of node:vm sees nothing but globals: the work is handed over as one.
const slot = Symbol.for("evert.guarded");
const globals = globalThis as unknown as Record<symbol, (() => unknown) | undefined>;
const script = new Script('globalThis[Symbol.for("evert.guarded")]()', { filename: "evert-guard.js" });

function interruptible<T>(work: () => T, timeoutMs: number): T {
  const outer = globals[slot];
  globals[slot] = work;
  try {
    return script.runInThisContext({ timeout: timeoutMs, displayErrors: false }) as T;
  } finally {
    globals[slot] = outer;
  }
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}

function stopped(callee: Callee, timeoutMs: number): EvertError {
  return new EvertError("function_failed", `${callee.said} did not return within ${timeoutMs} ms`, {
    detail: "It was stopped, and with it what needs its answer. Everything else goes on.",
    hint: "Mend the function and start again, or give it more time: open({ functionTimeoutMs }).",
  });
}
