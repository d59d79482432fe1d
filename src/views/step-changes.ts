/**
 * What a step did to one view: the changes of its rows, a bounded piece of work at a time.
 *
 * The changes stand in key order of appearance: deletes first, then updates and inserts, so that a client that applies them one by one never
 * holds two rows where there was room for one. A row that came out equal to what it was is no change.
 *
 * With a key: the slot that died and the one that was born with the same key are two versions in the index of the view's key. 1. A slot that died is
 * a delete, unless a version of its key was born in the step. 2. A slot that was born is an update of the version of its key that died in the step,
 * or else an insert. Keys that are equal and print differently (1.0, 1.00) are two keys to whoever holds rows by their text.
 *
 * Without a key, rows are told apart by content and an ordinal: the n-th equal row is `hash:n`. Equal rows are counted before and after the step, in
 * maps that each get a part of the hashes: one for all would stop the world whenever it doubles.
 *
 * The slots must stay until the work is done: whoever does not do it at once pins the epoch before the step.
 */
import { LIVE, type Store } from "../state/store.ts";
import type { RowEncoder } from "./row-encoder.ts";
import type { View } from "./view.ts";

/** Slots of a view's store that a step touched, taken at the end of the step. */
export interface Touched {
  readonly born: Int32Array;
  readonly died: Int32Array;
}

const CHARS_PER_ROW = 4_096;

/** For how many rows one counts that is so long: a few of them may be more than a turn, and more than a frame. */
export function rowsFor(chars: number): number {
  return 1 + Math.floor(chars / CHARS_PER_ROW);
}

export type Op = "insert" | "update" | "delete";

/** Takes changes one by one. */
export interface ChangeTaker {
  /**
   * Slots before and after, -1 where there is none: valid until the step's rows are vacuumed. `key`: as JSON text, of a view without one; null: the
   * row has it. Gives for how many rows it counts: 1, or more where it was as much work as so many.
   */
  changed(op: Op, before: number, after: number, key: string | null): number;
}

/** Takes the step's touched slots off the store's journals, without those that came and went within it. */
export function takeTouched(store: Store): Touched | null {
  const { born, died } = store;
  if (born.length === 0 && died.length === 0) return null;
  // Where none left again within the step, no row has to be looked at.
  const alive = store.bornCount === born.length ? born.array.slice(0, born.length) : stillThere(store);
  if (alive.length === 0 && died.length === 0) return null;
  return { born: alive, died: died.array.slice(0, died.length) };
}

function stillThere({ born, layout, I, epoch }: Store): Int32Array {
  const { strideWords, birthWord, deathWord } = layout;
  const slots = born.array;
  const alive = new Int32Array(born.length);
  let n = 0;
  for (let i = 0; i < alive.length; i++) {
    const slot = slots[i] as number;
    const base = slot * strideWords;
    if (I[base + birthWord] === epoch && I[base + deathWord] === LIVE) alive[n++] = slot;
  }
  return alive.subarray(0, n);
}

/** The changes of one step, made piece by piece. */
export interface StepChanges {
  /** Looks at most at `rows` more slots or groups of equal rows, and gives each change to `taker`; true: that was all. */
  advance(rows: number, taker: ChangeTaker): boolean;
}

export function changesOfStep(view: View, touched: Touched, epoch: number): StepChanges {
  return view.keyColumns === null ? new BagChanges(view, touched) : new KeyedChanges(view, touched, epoch);
}

class KeyedChanges implements StepChanges {
  readonly #view: View;
  readonly #touched: Touched;
  readonly #epoch: number;
  #died = 0;
  #born = 0;

  constructor(view: View, touched: Touched, epoch: number) {
    this.#view = view;
    this.#touched = touched;
    this.#epoch = epoch;
  }

  advance(rows: number, taker: ChangeTaker): boolean {
    const { died, born } = this.#touched;
    const view = this.#view;
    let left = rows;
    for (; this.#died < died.length && left > 0; this.#died++) {
      const slot = died[this.#died] as number;
      const after = view.bornIn(this.#epoch, slot);
      const isGone = after < 0 || !view.printsSameKey(after, slot);
      left -= isGone ? taker.changed("delete", slot, -1, null) : 1;
    }
    for (; this.#born < born.length && left > 0; this.#born++) {
      const slot = born[this.#born] as number;
      const before = view.diedIn(this.#epoch, slot);
      if (before < 0 || !view.printsSameKey(before, slot)) left -= taker.changed("insert", -1, slot, null);
      else left -= view.store.same(before, slot) ? 1 : taker.changed("update", before, slot, null);
    }
    return this.#died === died.length && this.#born === born.length;
  }
}

interface Equal {
  readonly hash: string;
  readonly slot: number;
  before: number;
  after: number;
}

/** Rows a map of equal rows is meant for. */
const ROWS_PER_MAP = 4_096;
const MAPS_MAX = 256;

class BagChanges implements StepChanges {
  readonly #view: View;
  readonly #touched: Touched;
  readonly #maps: readonly Map<string, Equal>[];
  /** In order of appearance. */
  readonly #equals: Equal[] = [];
  #counted = 0;
  #deleted = 0;
  #inserted = 0;
  /** Told of the equal rows at hand: there may be a million of one. */
  #told = 0;

  constructor(view: View, touched: Touched) {
    this.#view = view;
    this.#touched = touched;
    const rows = touched.born.length + touched.died.length;
    const maps = Math.min(MAPS_MAX, 2 ** Math.ceil(Math.log2(Math.max(1, rows / ROWS_PER_MAP))));
    this.#maps = Array.from({ length: maps }, () => new Map());
  }

  advance(rows: number, taker: ChangeTaker): boolean {
    const { died, born } = this.#touched;
    const equals = this.#equals;
    let left = rows;
    for (; this.#counted < died.length + born.length && left > 0; this.#counted++) {
      if (this.#counted < died.length) this.#count(died[this.#counted] as number, "before");
      else this.#count(born[this.#counted - died.length] as number, "after");
      left -= rowsFor(this.#view.encoder.hashedChars);
    }
    if (this.#counted < died.length + born.length) return false;
    while (this.#deleted < equals.length && left > 0) {
      const equal = equals[this.#deleted] as Equal;
      left -= this.#tell(equal, equal.after, equal.before, left, "delete", taker);
      if (this.#told === 0) this.#deleted++;
    }
    while (this.#inserted < equals.length && left > 0) {
      const equal = equals[this.#inserted] as Equal;
      left -= this.#tell(equal, equal.before, equal.after, left, "insert", taker);
      if (this.#told === 0) this.#inserted++;
    }
    return this.#inserted === equals.length;
  }

  /** Tells of the ordinals between, as far as that is not done; what it cost. */
  #tell({ hash, slot }: Equal, from: number, to: number, left: number, op: Op, taker: ChangeTaker): number {
    const began = from + this.#told;
    if (began >= to) {
      this.#told = 0;
      return 1;
    }
    const [before, after] = op === "delete" ? [slot, -1] : [-1, slot];
    let n = began;
    let cost = 0;
    for (; n < to && cost < left; n++) cost += taker.changed(op, before, after, bagKey(hash, n));
    this.#told = n === to ? 0 : n - from;
    return cost;
  }

  #count(slot: number, side: "before" | "after"): void {
    const { encoder, store } = this.#view;
    const hash = encoder.contentHash(slot);
    const map = this.#maps[Number.parseInt(hash.slice(0, 2), 16) & (this.#maps.length - 1)] as Map<
      string,
      Equal
    >;
    let equal = map.get(hash);
    if (equal === undefined) {
      equal = { hash, slot, before: 0, after: 0 };
      map.set(hash, equal);
      this.#equals.push(equal);
    }
    equal[side] += store.weight(slot);
  }
}

export function bagKey(hash: string, ordinal: number): string {
  return `"${hash}:${ordinal}"`;
}

/** What a snapshot says of a row. */
export interface SnapshotRow {
  readonly json: string;
  readonly key: string;
}

/** An element for each time the row is there, and the characters of one. The slot is looked at at once. */
export function snapshotRows(
  encoder: RowEncoder,
  slot: number,
  weight: number,
): { readonly chars: number; readonly rows: Iterable<SnapshotRow> } {
  const row = encoder.rowJson(slot);
  const chars = row.length;
  if (encoder.keyColumns === null) return { chars, rows: equalRows(row, encoder.contentHash(slot), weight) };
  const key = encoder.keyJson(slot);
  return { chars, rows: [{ key, json: `{"key":${key},"row":${row}}` }] };
}

function* equalRows(row: string, hash: string, weight: number): Generator<SnapshotRow> {
  for (let n = 0; n < weight; n++) {
    const key = bagKey(hash, n);
    yield { key, json: `{"key":${key},"row":${row}}` };
  }
}
