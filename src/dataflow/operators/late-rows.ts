/**
 * Rows of a store whose texts come late (Chunk.late): they are entered with the empty text, and get their own when the chunk is through, if they
 * are still there. Of a stream of which a partition keeps its last row, or its best ten, most rows are gone by then.
 *
 * 1. begin(): the chunk's late columns read as the empty text, id 0, which is never freed.
 * 2. inserted() notes a row of the chunk that was entered.
 * 3. end(): of the rows noted that are alive, texts are interned, a column at a time, and put into the rows.
 *
 * Where a row of the chunk may be written over by another, note() keeps in the row itself, in the place of its first late text, which row of the
 * chunk it is, and forget() finds it there.
 *
 * Who compares texts before then calls fill(): all texts of the chunk are interned, and none is late any more.
 */
import { assert } from "../../base/assert.ts";
import { LIVE, type Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, type LateTexts } from "../chunk.ts";

interface Late {
  readonly texts: LateTexts;
  readonly column: number;
}

// Of the chunk in hand, from begin() to end(): nobody takes another meanwhile.
const rows = new Int32Array(CHUNK_ROWS);
const slots = new Int32Array(CHUNK_ROWS);
const ids = new Int32Array(CHUNK_ROWS);

export class LateRows {
  readonly #store: Store;
  readonly #decisive: ReadonlySet<number>;
  /** Whether texts of the chunk in hand are to come. */
  isOn = false;
  /** The row of the chunk in hand, and its slot, set before inserted() and fill(); -1: it has none yet. */
  row = 0;
  slot = -1;
  #chunk: Chunk | null = null;
  #late: Late[] = [];
  #count = 0;

  /** `decisive`: columns that are looked at before it is known which rows stay. */
  constructor(store: Store, decisive: ReadonlySet<number>) {
    this.#store = store;
    this.#decisive = decisive;
  }

  mayBe(column: number): boolean {
    return this.#store.layout.physical[column] === "ref" && !this.#decisive.has(column);
  }

  begin(chunk: Chunk): void {
    this.#count = 0;
    this.isOn = false;
    chunk.late?.forEach((texts, column) => {
      if (texts === null) return;
      if (!this.isOn) this.#late.length = 0;
      this.isOn = true;
      this.#chunk = chunk;
      this.#late.push({ texts, column });
      chunk.columns[column]!.fill(0, 0, chunk.length);
    });
  }

  inserted(): void {
    assert(this.#count < CHUNK_ROWS, "a row whose texts come late has weight 1");
    rows[this.#count] = this.row;
    slots[this.#count++] = this.slot;
  }

  /** The row in hand was written into the slot: as inserted(), for a slot that may be written over. */
  note(slot: number): void {
    this.#store.I[this.#noteWord(slot)] = this.#count;
    this.slot = slot;
    this.inserted();
    this.slot = -1;
  }

  /** The slot, of this step, is about to be written over: what was noted of it counts no more. */
  forget(slot: number): void {
    const word = this.#noteWord(slot);
    const { I } = this.#store;
    const noted = I[word] as number;
    // A number of another meaning is that of no row noted for this slot.
    if (noted >= this.#count || slots[noted] !== slot) return;
    slots[noted] = -1;
    I[word] = 0;
  }

  /** Interns all texts of the chunk. */
  fill(): void {
    const chunk = this.#chunk as Chunk;
    this.end();
    const all = Int32Array.from({ length: chunk.length }, (_, row) => row);
    const { layout, I } = this.#store;
    for (const { texts, column } of this.#late) {
      const filled = chunk.columns[column] as Int32Array;
      texts.intern(all, chunk.length, filled);
      if (this.slot < 0) continue;
      // The row in hand is in no index and counts no references yet.
      I[this.slot * layout.strideWords + layout.words[column]!] = filled[this.row] as number;
    }
  }

  end(): void {
    if (!this.isOn) return;
    this.isOn = false;
    this.#chunk = null;
    const count = this.#leaveOutDead();
    this.#count = 0;
    const { layout, dictionary, I } = this.#store;
    for (const { texts, column } of this.#late) {
      texts.intern(rows, count, ids);
      const word = layout.words[column]!;
      for (let i = 0; i < count; i++) {
        const id = ids[i] as number;
        dictionary.retain(id);
        dictionary.release(0);
        I[(slots[i] as number) * layout.strideWords + word] = id;
      }
    }
  }

  #noteWord(slot: number): number {
    const { layout } = this.#store;
    return slot * layout.strideWords + layout.words[(this.#late[0] as Late).column]!;
  }

  #leaveOutDead(): number {
    const { layout, epoch, I } = this.#store;
    const { strideWords, birthWord, deathWord } = layout;
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = slots[i] as number;
      if (slot < 0) continue;
      const base = slot * strideWords;
      if (I[base + birthWord] !== epoch || I[base + deathWord] !== LIVE) continue;
      rows[count] = rows[i] as number;
      slots[count++] = slot;
    }
    return count;
  }
}
