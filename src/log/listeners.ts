/** Who is told of something, in the order in which they came. */
export class Listeners<T> {
  readonly #all = new Set<(told: T) => void>();

  /** What is given ends it. */
  add(listener: (told: T) => void): () => void {
    this.#all.add(listener);
    return () => {
      this.#all.delete(listener);
    };
  }

  has(listener: (told: T) => void): boolean {
    return this.#all.has(listener);
  }

  /** @throws what a listener throws; those behind it are not told */
  tell(what: T): void {
    for (const listener of this.#all) listener(what);
  }

  /** A listener that throws is a bug of its own; the log's promises are kept all the same. */
  tellAll(what: T): void {
    for (const listener of this.#all) tellOne(listener, what);
  }
}

export function tellOne<T>(listener: (told: T) => void, what: T): void {
  try {
    listener(what);
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
