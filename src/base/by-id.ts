/**
 * What is known of each topic, table or view, by its id. Ids are given one after the other, so they are places in a list; those far beyond, which the
 * log's own tables have, are in a map.
 *
 * Of a thousand topics that are written to by turns, what a map knows of one lies in two or three places of its own, none of which the processor has
 * at hand: 50 to 100 ns each time. In a list eight neighbours lie together.
 */

/** Lists are no longer. */
const LISTED_IDS = 1 << 16;

export class ById<T> {
  readonly #list: (T | undefined)[] = [];
  readonly #far = new Map<number, T>();

  get(id: number): T | undefined {
    return id < this.#list.length ? this.#list[id] : this.#far.get(id);
  }

  set(id: number, value: T): void {
    const list = this.#list;
    if (id >= LISTED_IDS) {
      this.#far.set(id, value);
      return;
    }
    while (list.length <= id) list.push(undefined);
    list[id] = value;
  }

  delete(id: number): void {
    if (id < this.#list.length) this.#list[id] = undefined;
    else this.#far.delete(id);
  }

  clear(): void {
    this.#list.length = 0;
    this.#far.clear();
  }
}
