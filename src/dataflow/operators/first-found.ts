/**
 * The rows that a recursion with UNION has found, each by the first iteration that makes it: see recursion.ts.
 *
 * Of a row that is due at iteration k, everything before k being settled:
 * 1. It is derived there, and was found at k or before: nothing changes. Was it found later, or not at all, it is found at k from now on.
 * 2. It is not derived there any more, and was found at k: it goes. So it may be found later, by its earliest derivation that lives: that
 *    is looked at one iteration behind it, as is one that was not found at all.
 */
import type { HashIndex } from "../../state/hash-index.ts";
import type { Int32List } from "../../state/memory.ts";
import { LIVE, type Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import type { LoopCircuit } from "../loop.ts";
import type { DueRows } from "./due-rows.ts";

export class FirstFound {
  /** The rows and their iteration, which is the last column. */
  readonly #store: Store;
  readonly #rowIndex: HashIndex;
  /** Columns of the recursion; the iteration is the next one. */
  readonly #width: number;
  readonly #due: DueRows;
  /** A slot that is written to look a row up; -1: none. */
  #spare = -1;

  constructor(store: Store, rowIndex: HashIndex, width: number, due: DueRows) {
    this.#store = store;
    this.#rowIndex = rowIndex;
    this.#width = width;
    this.#due = due;
  }

  /**
   * Decides of the slots from..to-1 of the list whether their rows are found at the iteration; what changes goes to `out`, up to two changes
   * a row. REQUIRES room in the store for one row more than there are slots.
   */
  settle(loop: LoopCircuit, iteration: number, slots: Int32List, from: number, to: number, out: Chunk): void {
    for (let i = from; i < to; i++) this.#decide(loop, iteration, slots.array[i] as number, out);
  }

  #decide(loop: LoopCircuit, k: number, slot: number, out: Chunk): void {
    const store = this.#store;
    const { derived } = loop;
    const { strideWords, weightWord, deathWord, birthWord, words } = store.layout;
    const iterationWord = words[this.#width] as number;
    const { I } = store;
    if (this.#spare < 0) this.#spare = store.alloc();
    const spare = this.#spare;
    const at = spare * strideWords;
    copyWords(derived.I, slot * strideWords, I, at, weightWord);
    I[at + birthWord] = LIVE;
    const found = this.#rowIndex.like(spare);
    const living = found >= 0 && I[found * strideWords + deathWord] === LIVE;
    const foundAt = living ? (I[found * strideWords + iterationWord] as number) : Number.POSITIVE_INFINITY;
    if (isAlive(derived, loop.rowIndex.like(slot))) {
      if (foundAt <= k) return;
      if (living) {
        store.kill(found);
        this.#tell(out, found, foundAt, -1);
      }
      // Who reads the result takes a row that left and came back within the step for the same one: it must look the same.
      if (found >= 0 && I[found * strideWords + deathWord] === store.epoch)
        copyWords(I, found * strideWords, I, at, weightWord);
      this.#spare = -1;
      I[at + iterationWord] = k;
      I[at + birthWord] = store.epoch;
      store.insert(spare);
      this.#tell(out, spare, k, 1);
      return;
    }
    if (foundAt < k) return;
    if (foundAt === k) {
      store.kill(found);
      this.#tell(out, found, k, -1);
    } else if (living) return;
    const later = this.#earliest(loop, slot);
    if (later >= 0) this.#due.add((derived.I[later * strideWords + iterationWord] as number) + 1, later, 0);
  }

  #tell(out: Chunk, slot: number, iteration: number, weight: number): void {
    const o = out.length++;
    this.#store.read(slot, out.columns, out.nulls, o);
    out.columns[this.#width]![o] = iteration;
    out.weights[o] = weight;
  }

  /** The living derivation of the slot's row at the least iteration; -1: none. */
  #earliest({ derived, byRow }: LoopCircuit, slot: number): number {
    const { strideWords, words } = derived.layout;
    const iterationWord = words[this.#width] as number;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let s = byRow.like(slot); s >= 0; s = byRow.next(s)) {
      if (!isAlive(derived, s)) continue;
      const iteration = derived.I[s * strideWords + iterationWord] as number;
      if (iteration < least) {
        least = iteration;
        best = s;
      }
    }
    return best;
  }
}

function isAlive({ I, layout }: Store, slot: number): boolean {
  return slot >= 0 && I[slot * layout.strideWords + layout.deathWord] === LIVE;
}

function copyWords(from: Int32Array, a: number, to: Int32Array, b: number, words: number): void {
  for (let i = 0; i < words; i++) to[b + i] = from[a + i] as number;
}
