/**
 * Rows of a delta that meet more rows on disk than are to come back: they are joined in parts, each row on disk once, from a page that is filled
 * again and again.
 *
 * 1. *Here.* The rows in memory. The stores are held: nothing goes to disk meanwhile. What comes back is left out, for it is told from where it was.
 * 2. *Pages.* Rows on disk, some thousands at a time, in a store of their own with an index by the same columns, which goes through the same pass.
 * 3. *Alone.* Rows of the delta that have met none, where the join has them come out.
 *
 * Rows of the delta stay in their slots until the end: their store is held.
 */
import type { LinkedScan, TakeRow } from "../../state/cold/linked-scan.ts";
import { RowCodec } from "../../state/cold/row-codec.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { Marks } from "../../state/marks.ts";
import { Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import type { Rows } from "./cold-matches.ts";

/** Rows that a pass takes, and how far it has come. */
export type DeltaRows = { -readonly [key in keyof Rows]: Rows[key] };

/** Where a pass stopped: START, or the row of the other side to go on with (-1: its list is at its end). */
export interface PassState {
  match: number;
  matched: boolean;
  /** Of one over parts: slots of the other side that are left out, and which rows of the delta have met any. */
  back: Marks;
  readonly met: Uint8Array;
}
export const START = -2;
const none = new Marks();

/** Rows of a store that are on disk, in slots from 0 on. */
export class MatchPage {
  readonly store: Store;
  readonly index: HashIndex;
  readonly #codec: RowCodec;
  length = 0;

  /** `columns`: by which they are met. */
  constructor({ layout, dictionary, name }: Store, columns: readonly number[]) {
    this.store = new Store(name, layout.columns, dictionary);
    this.index = this.store.hashIndex({ columns, unique: false });
    this.#codec = new RowCodec(layout, dictionary);
  }

  /** In memory: slots are taken without the store's knowledge, so it does not count them. */
  get bytes(): number {
    return this.store.I.byteLength + this.index.bytes;
  }

  readonly take: TakeRow = (from, at) => {
    const { store, length: slot } = this;
    if (slot % CHUNK_ROWS === 0) store.reserve(slot + CHUNK_ROWS);
    this.#codec.decode(from, at, store, slot);
    // It waits for others: its texts are counted meanwhile.
    store.retain(slot);
    this.index.insert(slot);
    this.length++;
  };

  empty(): void {
    for (let slot = 0; slot < this.length; slot++) {
      this.index.remove(slot);
      this.store.release(slot);
    }
    this.length = 0;
  }
}

/** Fills `out`; true when it is full and more remains at the delta's index. */
export type PartPass = (rows: DeltaRows, out: Chunk, state: PassState) => boolean;

export interface PartPasses {
  readonly here: PartPass;
  readonly inPage: PartPass;
  /** null: rows that have met none do not come out. */
  readonly alone: PartPass | null;
}

type Stage = "here" | "pages" | "alone" | "over";

export class MatchPages {
  readonly #scan: LinkedScan;
  readonly #page: MatchPage;
  readonly #passes: PartPasses;
  readonly #rows: DeltaRows;
  readonly #state: PassState;
  readonly #hold: { release(): void };
  readonly #metHere: () => void;
  #stage: Stage = "here";

  /** `slots`: of the delta's rows, in `store`; `metHere`: they have met what is in memory. */
  constructor(
    scan: LinkedScan,
    page: MatchPage,
    passes: PartPasses,
    slots: Int32Array,
    store: Store,
    metHere: () => void,
  ) {
    this.#scan = scan;
    this.#page = page;
    this.#passes = passes;
    this.#rows = { slots, index: 0, length: slots.length };
    this.#state = { match: START, matched: false, back: scan.back, met: new Uint8Array(slots.length) };
    this.#hold = store.hold();
    this.#metHere = metHere;
  }

  /** In memory, without the page, which is used again. */
  get bytes(): number {
    return this.#scan.bytes + this.#rows.slots.byteLength + this.#state.met.byteLength;
  }

  get isOver(): boolean {
    return this.#stage === "over";
  }

  /** Fills `out`, or says what has to be read before there is more. */
  work(out: Chunk): Promise<void> | null {
    out.length = 0;
    const { here, inPage, alone } = this.#passes;
    switch (this.#stage) {
      case "here":
        if (this.#isMore(here, out)) return null;
        this.#state.back = none;
        this.#stage = "pages";
        this.#metHere();
        return null;
      case "pages": {
        if (this.#page.length > 0) {
          if (!this.#isMore(inPage, out)) this.#page.empty();
          return null;
        }
        const reading = this.#scan.read(this.#page.take);
        if (reading !== null) return reading;
        if (alone === null) this.close();
        else this.#stage = "alone";
        return null;
      }
      case "alone":
        if (alone === null || !this.#isMore(alone, out)) this.close();
        return null;
      case "over":
        return null;
    }
  }

  #isMore(pass: PartPass, out: Chunk): boolean {
    if (pass(this.#rows, out, this.#state)) return true;
    this.#rows.index = 0;
    this.#state.match = START;
    return false;
  }

  /** It ends, where it may not have come to its end. */
  close(): void {
    if (this.#stage === "over") return;
    this.#stage = "over";
    this.#scan.close();
    this.#page.empty();
    this.#hold.release();
  }
}
