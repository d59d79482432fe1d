/**
 * Code that is made from text while the engine runs: loops over rows, written for their types.
 *
 * The same text comes again and again: for stores that are made alike, for a query that is asked again, for a view that is replaced. Each time, it
 * would be read anew and be slow until the machine's compiler has had its turn. So a function that was made once in this thread is given out again
 * for the same text, and what it makes, called with other stores, runs in code that is hot already. (The engine of JavaScript keeps such functions as
 * well, but forgets them with each second collection or so.)
 *
 * What is kept is bounded by its text; what has not been asked for longest goes first.
 */

/** Given what the names stand for, it makes what the text returns. */
export type Maker = (...given: readonly unknown[]) => unknown;

/** Of text: all of Nexmark's 23 queries have some 0.7 million in 300 functions. */
const KEPT_CHARS_MAX = 2 << 20;

export class CompiledCode {
  readonly #charsMax: number;
  /** By names and text, what was asked for last at the end. */
  readonly #makers = new Map<string, Maker>();
  #chars = 0;

  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  /** As `new Function(...names, text)`. @throws EvalError where a content security policy forbids code from text. */
  maker(...namesAndText: readonly string[]): Maker {
    const key = namesAndText.join("\0");
    const known = this.#makers.get(key);
    if (known !== undefined) {
      this.#makers.delete(key);
      this.#makers.set(key, known);
      return known;
    }
    const made = new Function(...namesAndText) as Maker;
    this.#makers.set(key, made);
    this.#chars += key.length;
    for (const oldest of this.#makers.keys()) {
      if (this.#chars <= this.#charsMax) break;
      this.#makers.delete(oldest);
      this.#chars -= oldest.length;
    }
    return made;
  }

  /** How many are kept. */
  get size(): number {
    return this.#makers.size;
  }
}

const ofThread: CompiledCode = new CompiledCode(KEPT_CHARS_MAX);

/** Of this thread: as `new Function(...names, text)`, and the same function for the same text. */
export function compiled(...namesAndText: readonly string[]): Maker {
  return ofThread.maker(...namesAndText);
}
