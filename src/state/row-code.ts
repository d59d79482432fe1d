/** The loops over a row's columns, unrolled: generated for each layout, since the kinds of columns are known there and nowhere later. */
import { compiled } from "../base/compiled.ts";
import { carrierOf } from "../batch/types.ts";
import { identicalDouble } from "./equality.ts";
import { mayBeWide } from "./layout.ts";
import type { Int32List } from "./memory.ts";
import { LIVE, type Rows } from "./rows.ts";
import { ENTRY_WORDS, REFS } from "./text-table.ts";

type Columns = readonly (Float64Array | Int32Array)[];
type Nulls = readonly (Uint8Array | null)[];

export interface RowCode {
  readonly alloc: () => number;
  /** The same for the first `count` places of a list. */
  readonly allocAll: (slots: Int32Array, count: number) => void;
  /** Copies row `row` of chunk columns into the slot. */
  readonly write: (slot: number, columns: Columns, nulls: Nulls, row: number) => void;
  /** Copies the slot's columns to row `row` of chunk columns. */
  readonly read: (slot: number, columns: Columns, nulls: Nulls, row: number) => void;
  /** Whether all columns of two slots are the same, display scale included. */
  readonly same: (a: number, b: number) => boolean;
  readonly retain: (slot: number) => void;
  readonly release: (slot: number) => void;
  /** Whether a row may hold references. */
  readonly hasReferences: boolean;
}

/** `free`: slots that are given out again. */
export function rowCode(store: Rows & { readonly epoch: number }, free: Int32List): RowCode {
  const { layout } = store;
  const { strideWords: stride, weightWord, birthWord, deathWord } = layout;
  const write: string[] = [];
  const read: string[] = [];
  const same: string[] = [];
  const retain: string[] = [];
  const release: string[] = [];
  const { first, count } = layout.nullWords;
  const nullBits: string[][] = Array.from({ length: count }, () => []);
  layout.columns.forEach((column, i) => {
    const word = layout.words[i]!;
    const physical = layout.physical[i]!;
    const at = (b: string) => (physical === "f64" ? `F[(${b} >> 1) + ${word >> 1}]` : `I[${b} + ${word}]`);
    write.push(`${at("b")} = columns[${i}][row];`);
    read.push(`columns[${i}][row] = ${at("b")};`);
    same.push(
      carrierOf(column.type) === "double" ? identicalDouble(at("b"), at("c")) : `${at("b")} === ${at("c")}`,
    );
    if (column.nullable) {
      nullBits[layout.nullWord[i]! - first]!.push(`(nulls[${i}][row] << ${layout.nullBit[i]})`);
      read.push(`nulls[${i}][row] = (I[b + ${layout.nullWord[i]}] >>> ${layout.nullBit[i]}) & 1;`);
    }
    if (physical === "ref") {
      retain.push(`E[${at("b")} * ${ENTRY_WORDS} + ${REFS}]++;`);
      release.push(`dictionary.release(${at("b")});`);
    } else if (mayBeWide(column.type)) {
      retain.push(`if (${at("b")} >= 4611686018427387904) dictionary.retainWide(${at("b")});`);
      release.push(`if (${at("b")} >= 4611686018427387904) dictionary.releaseWide(${at("b")});`);
    }
  });
  nullBits.forEach((bits, w) => {
    write.push(`I[b + ${first + w}] = ${bits.join(" | ")};`);
    same.push(`I[b + ${first + w}] === I[c + ${first + w}]`);
  });
  const head = `const I = store.I, F = store.F, b = slot * ${stride};`;
  const source = `"use strict"; const dictionary = store.dictionary; return {
    alloc() {
      const slot = free.length > 0 ? free.pop() : store.highWater++, I = store.I, b = slot * ${stride};
      I[b + ${weightWord}] = 1; I[b + ${birthWord}] = store.epoch; I[b + ${deathWord}] = ${LIVE};
      return slot;
    },
    allocAll(slots, count) {
      let i = 0, next = store.highWater;
      while (i < count && free.length > 0) slots[i++] = free.pop();
      while (i < count) slots[i++] = next++;
      store.highWater = next;
      const I = store.I, epoch = store.epoch;
      for (let r = 0; r < count; r++) {
        const b = slots[r] * ${stride};
        I[b + ${weightWord}] = 1; I[b + ${birthWord}] = epoch; I[b + ${deathWord}] = ${LIVE};
      }
    },
    write(slot, columns, nulls, row) { ${head} ${write.join(" ")} },
    read(slot, columns, nulls, row) { ${head} ${read.join(" ")} },
    same(x, y) { const I = store.I, F = store.F, b = x * ${stride}, c = y * ${stride}; return ${same.length === 0 ? "true" : same.join(" && ")}; },
    retain(slot) { ${retain.length === 0 ? "" : `${head} const E = dictionary.E; ${retain.join(" ")}`} },
    release(slot) { ${release.length === 0 ? "" : `${head} ${release.join(" ")}`} },
    hasReferences: ${retain.length > 0},
  };`;
  return (
    compiled("store", "free", source) as (
      store: Rows & { readonly epoch: number },
      free: Int32List,
    ) => RowCode
  )(store, free);
}
