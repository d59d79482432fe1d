/**
 * Items to draw from, so that what is drawn stays when the items become more: each lies on a ring where the hash of its text says, and a draw finds the first one behind it. A new item is drawn in place of its
 * neighbour, one time in as many as there are; all other draws give what they gave. (An array would give others for each index.)
 */
export class Ring<T> {
  readonly #hashes: Uint32Array;
  readonly #items: readonly T[];

  /** Of equal texts one stays. */
  constructor(items: Iterable<T>, textOf: (item: T) => string) {
    const byHash = new Map<number, T>();
    for (const item of items) byHash.set(hashOf(textOf(item)), item);
    this.#hashes = Uint32Array.from(byHash.keys()).sort();
    this.#items = [...this.#hashes].map((hash) => byHash.get(hash)!);
  }

  get size(): number {
    return this.#items.length;
  }

  /** `draw`: 32 bits. */
  at(draw: number): T {
    let [low, high] = [0, this.#hashes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#hashes[middle]! < draw) low = middle + 1;
      else high = middle;
    }
    return this.#items[low === this.#hashes.length ? 0 : low]!;
  }
}

/** FNV-1a, stirred once more: texts that begin alike lie apart. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
