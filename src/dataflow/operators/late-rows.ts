/**
 * Rows of a store whose texts come late (Chunk.late): they are entered with the empty text, and get their own when the chunk is through, if they
 * are still there. Of a stream of which a partition keeps its last row, or its best ten, most rows are gone by then.
 *
 * 1. begin(): the chunk's late columns read as the empty text, id 0, which is never freed.
 * 2. inserted() notes a row of the chunk that was entered.
 * 3. end(): of the rows noted that are alive, texts are interned, a column at a time, and put into the rows.
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

export class LateRows {
  readonly #store: Store;
  readonly #decisive: ReadonlySet<number>;
  /** Whether texts of the chunk in hand are to come. */
  isOn = false;
  /** The row of the chunk in hand, and its slot, set before inserted() and fill(). */
  row = 0;
  slot = 0;
  #chunk: Chunk | null = null;
  #late: Late[] = [];
  #count = 0;
  readonly #rows = new Int32Array(CHUNK_ROWS);
  readonly #slots = new Int32Array(CHUNK_ROWS);
  readonly #ids = new Int32Array(CHUNK_ROWS);

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
    this.#rows[this.#count] = this.row;
    this.#slots[this.#count++] = this.slot;
  }

  /** Interns all texts of the chunk. */
  fill(): void {
    const chunk = this.#chunk as Chunk;
    this.end();
    const rows = Int32Array.from({ length: chunk.length }, (_, row) => row);
    const { layout, I } = this.#store;
    for (const { texts, column } of this.#late) {
      const ids = chunk.columns[column] as Int32Array;
      texts.intern(rows, chunk.length, ids);
      // The row in hand is in no index and counts no references yet.
      I[this.slot * layout.strideWords + layout.words[column]!] = ids[this.row] as number;
    }
  }

  end(): void {
    if (!this.isOn) return;
    this.isOn = false;
    this.#chunk = null;
    const count = this.#leaveOutDead();
    const { layout, dictionary, I } = this.#store;
    const ids = this.#ids;
    for (const { texts, column } of this.#late) {
      texts.intern(this.#rows, count, ids);
      const word = layout.words[column]!;
      for (let i = 0; i < count; i++) {
        const id = ids[i] as number;
        dictionary.retain(id);
        dictionary.release(0);
        I[(this.#slots[i] as number) * layout.strideWords + word] = id;
      }
    }
  }

  #leaveOutDead(): number {
    const { layout, epoch, I } = this.#store;
    const { strideWords, birthWord, deathWord } = layout;
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i] as number;
      const base = slot * strideWords;
      if (I[base + birthWord] !== epoch || I[base + deathWord] !== LIVE) continue;
      this.#rows[count] = this.#rows[i] as number;
      this.#slots[count++] = slot;
    }
    return count;
  }
}
