/**
 * The loop of a restart: each slot read from a checkpoint becomes a row or a free slot, its references are counted and its row is entered into
 * the hash indexes. Generated, as entry-code.ts is: ten million rows go through it before the first answer.
 */
import type { HashIndex } from "./hash-index.ts";
import type { Int32List } from "./memory.ts";
import { LIVE, type Rows } from "./rows.ts";

/** Looks at slots from..to-1, at most PIECE_SLOTS; how many of them are rows. */
export type RestoreCode = (from: number, to: number, epoch: number) => number;

export const PIECE_SLOTS = 8_192;

export function restoreCode(
  store: Rows,
  references: { readonly retain: (slot: number) => void },
  indexes: readonly HashIndex[],
  free: Int32List,
): RestoreCode {
  const { weightWord, birthWord, deathWord, strideWords: stride } = store.layout;
  const names = indexes.map((_, i) => `index${i}`);
  const source = `"use strict"; const { retain } = references, slots = new Int32Array(${PIECE_SLOTS});
    return (from, to, epoch) => {
      const I = store.I;
      let rows = 0;
      for (let slot = from, b = from * ${stride}; slot < to; slot++, b += ${stride}) {
        if (I[b + ${weightWord}] === 0) {
          I[b + ${birthWord}] = ${LIVE};
          free.push(slot);
          continue;
        }
        I[b + ${birthWord}] = epoch;
        I[b + ${deathWord}] = ${LIVE};
        retain(slot);
        slots[rows++] = slot;
      }
      ${names.map((name) => `${name}.insertAll(slots, rows);`).join(" ")}
      return rows;
    };`;
  const make = new Function("store", "references", "free", ...names, source);
  return make(store, references, free, ...indexes) as RestoreCode;
}
