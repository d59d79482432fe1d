/**
 * Which of the positions that are passed are moments of the log, which may be shown.
 *
 * Of a log that was compacted, or out of which a key was erased, not every prefix is there any more: a copy that goes through it, and a start from
 * far behind, pass positions where a row is gone that what replaced it has not followed yet. They are stepped and published as any, so that rows may
 * be freed; but nobody is shown them. So it is with a commit that is too large to be one step (stepper.ts): none of its parts is a moment but the last.
 */
import { EvertError } from "../base/errors.ts";

/** For how long who reads waits, where it does not say. */
export const DEFAULT_TIMEOUT_MS = 10_000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: EvertError) => void;
}

export class Moments {
  /** What lies before is none. */
  #wholeFrom = 0;
  /** What is published has a part of the commits up to there. */
  #partUntil = 0;
  readonly #published: () => number;
  readonly #onWhole: () => void;
  readonly #waiters = new Set<Waiter>();
  #refusal: EvertError | null = null;

  /** `published`: the position that readers are at. `onWhole`: told when it is a moment again although nothing was published. */
  constructor(published: () => number, onWhole: () => void) {
    this.#published = published;
    this.#onWhole = onWhole;
  }

  /** Whether what is published may be shown. */
  get isWhole(): boolean {
    return this.has(this.#published());
  }

  has(position: number): boolean {
    return position >= this.#wholeFrom && position >= this.#partUntil;
  }

  /** Rows have been taken out of the log that what lies before the position had. */
  lackUntil(position: number): void {
    this.#wholeFrom = Math.max(this.#wholeFrom, position);
  }

  /** What is published next has a part of the commits up to the position. */
  partUntil(position: number): void {
    this.#partUntil = position;
  }

  /** What a leader whose log ends there shows is a moment, also where it had more once. */
  levelAt(position: number): void {
    if (position >= this.#wholeFrom) return;
    this.#wholeFrom = position;
    if (!this.isWhole) return;
    this.#onWhole();
    this.advanced();
  }

  /**
   * REQUIRES of who reads: that it looks at isWhole again in the turn in which it takes what is published. @throws EvertError not_ready; why nobody
   * is to wait any more
   */
  async wait(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (this.isWhole) return;
    if (this.#refusal !== null) throw this.#refusal;
    let timer: NodeJS.Timeout | undefined;
    const waiting = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiters.add(waiter);
      timer = setTimeout(
        () => {
          this.#waiters.delete(waiter);
          reject(this.refusal());
        },
        Math.max(0, timeoutMs),
      );
    });
    await waiting.finally(() => clearTimeout(timer));
  }

  /** What who is not to wait is told. */
  refusal(): EvertError {
    const published = this.#published();
    if (published >= this.#wholeFrom) {
      return new EvertError(
        "not_ready",
        `a large commit, at position ${this.#partUntil}, is being taken in`,
        {
          detail: `It has no room in memory as a whole, so it goes in by parts; what was at position ${published} is not there any more, and what will be then is not yet.`,
          hint: "Ask again in a moment, or give a larger timeoutMs.",
        },
      );
    }
    return new EvertError(
      "not_ready",
      `before position ${this.#wholeFrom} nothing here is a moment of the log`,
      {
        detail: `It is at position ${published} of a log that was compacted, or erased from: what has replaced missing rows is yet to come.`,
        hint: "Ask again in a moment, or ask the leader; /ready tells how far it is.",
      },
    );
  }

  /** What is published has moved. */
  advanced(): void {
    if (this.#waiters.size === 0 || !this.isWhole) return;
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
  }

  /** Nobody is to wait any more. */
  end(error: EvertError): void {
    this.#refusal = error;
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters.clear();
  }
}
