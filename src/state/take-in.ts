/**
 * What a checkpoint has put into a store's slots becomes rows: references are counted, free slots listed, and indexes filled, with pauses in between.
 *
 * 1. The slots are walked piece by piece. Each row is as if born now; small indexes take it at once, of large ones (index-filling.ts) its place is
 *    counted.
 * 2. The large ones are entered, one after the other, in a second walk.
 */
import type { HashIndex } from "./hash-index.ts";
import type { PieceOfSlots } from "./index-filling.ts";
import type { Int32List } from "./memory.ts";
import { PIECE_SLOTS, type RestoreCode, restoreCode } from "./restore-code.ts";
import type { Rows } from "./rows.ts";

/** A store whose slots have come from a checkpoint. */
export interface FilledSlots extends Rows {
  live: number;
  readonly retain: (slot: number) => void;
}

/** All of it, and the hash indexes. `free`: where free slots are listed. */
export function* takeIn(
  store: FilledSlots,
  epoch: number,
  free: Int32List,
  indexes: readonly HashIndex[],
): Generator<void> {
  const { highWater } = store;
  for (const index of indexes) index.reserve(Math.max(1, highWater), highWater);
  const fillings = indexes.map((index) => index.filling(highWater));
  const code = restoreCode(store, store, free);
  const slots = new Int32Array(Math.min(PIECE_SLOTS, highWater));
  for (let from = 0; from < highWater; from += PIECE_SLOTS) {
    const count = code.restore(from, Math.min(highWater, from + PIECE_SLOTS), epoch, slots);
    store.live += count;
    indexes.forEach((index, i) => {
      const filling = fillings[i] ?? null;
      if (filling === null) index.insertAll(slots, count);
      else filling.count({ slots, count });
    });
    yield;
  }
  for (const filling of fillings) if (filling !== null) yield* filling.enter(piecesOf(store, slots, code));
}

/** Afterwards: enters all rows into an index that was left out. */
export function* enterAll(store: FilledSlots, free: Int32List, index: HashIndex): Generator<void> {
  const { highWater } = store;
  index.reserve(Math.max(1, highWater), highWater);
  const code = restoreCode(store, store, free);
  const slots = new Int32Array(Math.min(PIECE_SLOTS, highWater));
  const filling = index.filling(highWater);
  for (const piece of piecesOf(store, slots, code)) {
    if (filling === null) index.insertAll(slots, piece.count);
    else filling.count(piece);
    yield;
  }
  if (filling !== null) yield* filling.enter(piecesOf(store, slots, code));
}

/** Slots with rows, piece by piece; each piece is in the same memory. */
function* piecesOf({ highWater }: Rows, slots: Int32Array, { list }: RestoreCode): Generator<PieceOfSlots> {
  for (let from = 0; from < highWater; from += PIECE_SLOTS)
    yield { slots, count: list(from, Math.min(highWater, from + PIECE_SLOTS), slots) };
}
