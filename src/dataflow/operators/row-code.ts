/** Pieces of generated code: rows of a Store (first word in variable `b`, hoisted I and F) beside rows of a chunk (row `r`). */
import { compiled } from "../../base/compiled.ts";
import { carrierOf } from "../../batch/types.ts";
import { identicalDouble } from "../../state/equality.ts";
import type { LayoutColumn, RowLayout } from "../../state/layout.ts";
import { nullCode, readCode } from "../../state/layout.ts";
import { maskArguments } from "../../state/null-masks.ts";
import type { Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";

/** Declares c0.. and n0.. (where nullable) as the chunk's arrays. */
export function declareColumns(chunk: string, columns: readonly LayoutColumn[], c = "c", n = "n"): string {
  return columns
    .map((column, i) => {
      const nulls = column.nullable ? `, ${n}${i} = ${chunk}.nulls[${i}]` : "";
      return `const ${c}${i} = ${chunk}.columns[${i}]${nulls};`;
    })
    .join(" ");
}

/** Copies chunk row `r` into the row at `b`. */
export function writeRow(layout: RowLayout, b: string, r: string, c = "c", n = "n"): string {
  const bits: string[][] = Array.from({ length: layout.nullWords.count }, () => []);
  const lines = layout.columns.map((column, i) => {
    if (column.nullable) {
      bits[(layout.nullWord[i] as number) - layout.nullWords.first]!.push(
        `(${n}${i}[${r}] << ${layout.nullBit[i]})`,
      );
    }
    return `${readCode(layout, i, b)} = ${c}${i}[${r}];`;
  });
  bits.forEach((parts, w) => {
    lines.push(`I[${b} + ${layout.nullWords.first + w}] = ${parts.join(" | ")};`);
  });
  return lines.join(" ");
}

/** Whether chunk row `r` equals the row at `b` in all columns, and prints like it. */
export function equalsRow(layout: RowLayout, b: string, r: string, c = "c", n = "n"): string {
  const parts = layout.columns.map((column, i) => {
    const stored = readCode(layout, i, b);
    const given = `${c}${i}[${r}]`;
    const same =
      carrierOf(column.type) === "double" ? identicalDouble(stored, given) : `${stored} === ${given}`;
    return column.nullable ? `${same} && ${nullCode(layout, i, b)} === ${n}${i}[${r}]` : same;
  });
  return parts.length === 0 ? "true" : parts.join(" && ");
}

/** Arguments of HashIndex.find for chunk row `r`: the key columns' values, then the null masks. */
export function findArguments(
  columns: readonly LayoutColumn[],
  key: readonly number[],
  r: string,
  c = "c",
  n = "n",
): string {
  const nulls = key.map((k) => (columns[k]!.nullable ? `${n}${k}[${r}]` : null));
  return [...key.map((k) => `${c}${k}[${r}]`), ...maskArguments(nulls)].join(", ");
}

/** readCode and nullCode over arrays with other names than I and F. */
export function readers(layout: RowLayout, I: string, F: string) {
  return {
    read: (i: number, b: string): string => {
      const word = layout.words[i] as number;
      return layout.physical[i] === "f64" ? `${F}[(${b} >> 1) + ${word >> 1}]` : `${I}[${b} + ${word}]`;
    },
    isNull: (i: number, b: string): string => {
      const word = layout.nullWord[i] as number;
      return word < 0 ? "0" : `((${I}[${b} + ${word}] >>> ${layout.nullBit[i]}) & 1)`;
    },
  };
}

/** Copies columns of a store's row to row `o` of a chunk. */
export type Copy = (slot: number, out: Chunk, row: number) => void;

/** `places`: the chunk's columns they go to; the first ones, where it is not given. */
export function copier(store: Store, columns: readonly number[], places?: readonly number[]): Copy {
  const { layout } = store;
  const { read, isNull } = readers(layout, "I", "F");
  const lines = columns.map((c, i) => {
    const to = places?.[i] ?? i;
    const nulls = layout.columns[c]!.nullable ? ` out.nulls[${to}][o] = ${isNull(c, "b")};` : "";
    return `out.columns[${to}][o] = ${read(c, "b")};${nulls}`;
  });
  const source = `"use strict"; return function copy(slot, out, o) {
    const I = store.I, F = store.F, b = slot * ${layout.strideWords};
    ${lines.join(" ")}
  };`;
  return compiled("store", source)(store) as Copy;
}
