/**
 * What a step did to one view, encoded once for everyone who watches it, and kept a while for those who come back.
 */
import { LIVE, type Store } from "../state/store.ts";
import type { RowEncoder } from "./row-encoder.ts";
import type { View } from "./view.ts";

/** Slots of a view's store that a step touched, taken at the end of the step. */
export interface Touched {
  readonly born: Int32Array;
  readonly died: Int32Array;
}

/** One row's change. `json` is the whole change object; `key` its key as JSON text. */
export interface EncodedChange {
  readonly op: "insert" | "update" | "delete";
  readonly key: string;
  readonly json: string;
  /** Slots before and after, -1 where there is none: valid until the step's rows are vacuumed. */
  readonly before: number;
  readonly after: number;
}

export interface Frame {
  /** Position of the step's last commit. */
  readonly position: number;
  readonly changes: readonly EncodedChange[];
  /** `[change, ...]` */
  readonly json: string;
  /** Milliseconds (of the clock passed in) when it was published. */
  readonly at: number;
}

/** Takes the step's touched slots off the store's journals, without those that came and went within it. */
export function takeTouched(store: Store): Touched | null {
  const { born, died, layout } = store;
  if (born.length === 0 && died.length === 0) return null;
  const alive = new Int32Array(born.length);
  let n = 0;
  for (let i = 0; i < born.length; i++) {
    const slot = born.array[i] as number;
    const base = slot * layout.strideWords;
    if (store.I[base + layout.birthWord] === store.epoch && store.I[base + layout.deathWord] === LIVE)
      alive[n++] = slot;
  }
  if (n === 0 && died.length === 0) return null;
  return { born: alive.subarray(0, n), died: died.array.slice(0, died.length) };
}

/**
 * The changes of a step in key order of appearance: deletes first, then updates and inserts, so that a client that applies them one by
 * one never holds two rows where there was room for one. A row that came out equal to what it was is no change.
 */
export function encodeChanges(view: View, touched: Touched): EncodedChange[] {
  return view.keyColumns === null ? bagChanges(view, touched) : keyedChanges(view, touched);
}

function keyedChanges(view: View, touched: Touched): EncodedChange[] {
  const { encoder, store } = view;
  const before = new Map<string, number>();
  for (const slot of touched.died) before.set(encoder.keyJson(slot), slot);
  const deletes: EncodedChange[] = [];
  const others: EncodedChange[] = [];
  for (const slot of touched.born) {
    const key = encoder.keyJson(slot);
    const old = before.get(key);
    if (old === undefined) others.push(insert(key, encoder.rowJson(slot), slot));
    else {
      before.delete(key);
      if (!store.same(old, slot))
        others.push(update(key, encoder.rowJson(slot), encoder.rowJson(old), old, slot));
    }
  }
  for (const [key, slot] of before) deletes.push(remove(key, encoder.rowJson(slot), slot));
  return [...deletes, ...others];
}

/** Rows without a key are told apart by content and an ordinal: the n-th equal row is `hash:n`. */
function bagChanges(view: View, touched: Touched): EncodedChange[] {
  const { encoder, store } = view;
  const counts = new Map<string, { before: number; after: number; slot: number }>();
  const note = (slot: number, side: "before" | "after"): void => {
    const hash = encoder.contentHash(slot);
    let entry = counts.get(hash);
    if (entry === undefined) counts.set(hash, (entry = { before: 0, after: 0, slot }));
    entry[side] += store.weight(slot);
  };
  for (const slot of touched.died) note(slot, "before");
  for (const slot of touched.born) note(slot, "after");
  const deletes: EncodedChange[] = [];
  const inserts: EncodedChange[] = [];
  for (const [hash, { before, after, slot }] of counts) {
    if (before === after) continue;
    const json = encoder.rowJson(slot);
    for (let n = after; n < before; n++) deletes.push(remove(bagKey(hash, n), json, slot));
    for (let n = before; n < after; n++) inserts.push(insert(bagKey(hash, n), json, slot));
  }
  return [...deletes, ...inserts];
}

export function bagKey(hash: string, ordinal: number): string {
  return `"${hash}:${ordinal}"`;
}

function insert(key: string, row: string, after: number): EncodedChange {
  return { op: "insert", key, json: `{"op":"insert","key":${key},"row":${row}}`, before: -1, after };
}

function update(key: string, row: string, old: string, before: number, after: number): EncodedChange {
  return { op: "update", key, json: `{"op":"update","key":${key},"row":${row},"old":${old}}`, before, after };
}

function remove(key: string, old: string, before: number): EncodedChange {
  return { op: "delete", key, json: `{"op":"delete","key":${key},"old":${old}}`, before, after: -1 };
}

/** One element of a snapshot. */
export function snapshotRows(
  encoder: RowEncoder,
  slot: number,
  weight: number,
  emit: (json: string, key: string) => void,
): void {
  const row = encoder.rowJson(slot);
  if (encoder.keyColumns !== null) {
    const key = encoder.keyJson(slot);
    emit(`{"key":${key},"row":${row}}`, key);
    return;
  }
  const hash = encoder.contentHash(slot);
  for (let n = 0; n < weight; n++) {
    const key = bagKey(hash, n);
    emit(`{"key":${key},"row":${row}}`, key);
  }
}

/**
 * The latest frames of one view: all of the last `keepMs`, and more as long as they fit into `keepBytes`. A subscriber whose position is
 * at or above `floor` can be resumed from it.
 */
export class FrameLog {
  readonly #keepBytes: number;
  readonly #keepMs: number;
  #frames: Frame[] = [];
  #bytes = 0;
  /** Every change after this position is here. */
  floor: number;

  constructor(floor: number, keepBytes: number, keepMs: number) {
    this.floor = floor;
    this.#keepBytes = keepBytes;
    this.#keepMs = keepMs;
  }

  push(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frame.json.length;
    let drop = 0;
    // Twice the promise is the bound: a burst inside keepMs must not grow without end.
    while (drop < this.#frames.length - 1) {
      const oldest = this.#frames[drop] as Frame;
      const young = frame.at - oldest.at < this.#keepMs;
      if (this.#bytes <= this.#keepBytes || (young && this.#bytes <= 2 * this.#keepBytes)) break;
      this.#bytes -= oldest.json.length;
      this.floor = oldest.position;
      drop++;
    }
    if (drop > 0) this.#frames = this.#frames.slice(drop);
  }

  /** Frames after the position, oldest first. */
  after(position: number): Frame[] {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.#frames[mid] as Frame).position <= position) low = mid + 1;
      else high = mid;
    }
    return this.#frames.slice(low);
  }

  get bytes(): number {
    return this.#bytes;
  }
}
