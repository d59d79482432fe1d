/**
 * An index made over rows that are there, piece by piece, while rows come and go.
 *
 * Slots below `scanned` are in the index, the others are not yet: so a row that comes or leaves is entered or taken out if its slot lies below, and
 * advance() enters the next slots. Nobody looks anything up before all are in.
 *
 * A unique index finds the newest version of a key first, and slots are not in the order of versions: where the index has versions of a
 * dead row's key already, they are taken out and all of them entered again, oldest first. (A living row is the newest there is.)
 */
import type { HashIndex } from "./hash-index.ts";
import type { OrderedIndex } from "./ordered-index.ts";
import { LIVE, type Rows } from "./rows.ts";

export class IndexGrowth {
  readonly index: HashIndex | OrderedIndex;
  readonly #rows: Rows;
  readonly #unique: HashIndex | null;
  #scanned = 0;

  constructor(rows: Rows, index: HashIndex | OrderedIndex) {
    this.#rows = rows;
    this.index = index;
    this.#unique = "unique" in index.spec && index.spec.unique ? (index as HashIndex) : null;
  }

  /** Enters the next `slots` slots; true when all are in. */
  advance(slots: number): boolean {
    const { layout } = this.#rows;
    const { birthWord, strideWords } = layout;
    const end = Math.min(this.#rows.highWater, this.#scanned + slots);
    for (; this.#scanned < end; this.#scanned++) {
      const slot = this.#scanned;
      if ((this.#rows.I[slot * strideWords + birthWord] as number) === LIVE) continue;
      if (this.#unique !== null && this.#isDead(slot)) this.#enterDead(this.#unique, slot);
      else this.index.insert(slot);
    }
    return this.#scanned >= this.#rows.highWater;
  }

  inserted(slot: number): void {
    if (slot < this.#scanned) this.index.insert(slot);
  }

  left(slot: number): void {
    if (slot < this.#scanned) this.index.remove(slot);
  }

  #isDead(slot: number): boolean {
    const { deathWord, strideWords } = this.#rows.layout;
    return (this.#rows.I[slot * strideWords + deathWord] as number) !== LIVE;
  }

  #enterDead(index: HashIndex, slot: number): void {
    const versions = [slot];
    for (let v = index.like(slot); v >= 0; v = index.next(v)) versions.push(v);
    for (let i = 1; i < versions.length; i++) index.remove(versions[i] as number);
    versions.sort((a, b) => this.#birth(a) - this.#birth(b));
    for (const version of versions) index.insert(version);
  }

  #birth(slot: number): number {
    const { birthWord, strideWords } = this.#rows.layout;
    return this.#rows.I[slot * strideWords + birthWord] as number;
  }
}
