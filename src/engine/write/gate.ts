/**
 * Where whoever stages waits while one decides alone. There may be thousands, again and again: each waits for one promise, and nothing is made for
 * it. Where those who wait are refused, so is who comes then, at once, and nothing of them stays here.
 */
import type { EvertError } from "../../base/errors.ts";

export class Gate {
  #opened: Promise<void> | null = null;
  #resolve: () => void = () => {};
  #reject: (error: EvertError) => void = () => {};
  #isRefusing = false;

  /** Null: it is open. Else resolves when it is, and somebody else may have closed it again. @throws EvertError why nobody is to wait for that */
  get opened(): Promise<void> | null {
    return this.#opened;
  }

  close(): void {
    this.#isRefusing = false;
    this.#opened = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Nobody may be waiting.
    this.#opened.catch(ignored);
  }

  open(): void {
    this.#opened = null;
    this.#resolve();
  }

  /** It stays closed, and nobody waits for it any more. */
  refuse(error: EvertError): void {
    this.#isRefusing = true;
    this.#reject(error);
  }

  /** It stays closed, and who comes from now on waits. REQUIRES that it is closed. */
  admit(): void {
    if (this.#isRefusing) this.close();
  }
}

function ignored(): void {}
