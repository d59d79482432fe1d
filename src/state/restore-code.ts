/**
 * The loops of a restart: each slot read from a checkpoint becomes a row or a free slot, and the references of rows are counted. Generated, as
 * entry-code.ts is: ten million rows go through them before the first answer.
 */
import { compiled } from "../base/compiled.ts";
import type { Int32List } from "./memory.ts";
import { LIVE, type Rows } from "./rows.ts";

export interface RestoreCode {
  /** Looks at slots from..to-1, at most PIECE_SLOTS, and lists those of rows; how many. */
  readonly restore: (from: number, to: number, epoch: number, slots: Int32Array) => number;
  /** Lists the rows once more. */
  readonly list: (from: number, to: number, slots: Int32Array) => number;
}

export const PIECE_SLOTS = 8_192;

export function restoreCode(
  store: Rows,
  references: { readonly retain: (slot: number) => void },
  free: Int32List,
): RestoreCode {
  const { weightWord, birthWord, deathWord, strideWords: stride } = store.layout;
  const source = `"use strict"; const { retain } = references; return {
    restore(from, to, epoch, slots) {
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
      return rows;
    },
    list(from, to, slots) {
      const I = store.I;
      let rows = 0;
      for (let slot = from, b = from * ${stride}; slot < to; slot++, b += ${stride})
        if (I[b + ${birthWord}] !== ${LIVE}) slots[rows++] = slot;
      return rows;
    },
  };`;
  return compiled("store", "references", "free", source)(store, references, free) as RestoreCode;
}
