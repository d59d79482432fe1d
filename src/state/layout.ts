/** Where each thing of a row lies: f64 columns first (aligned), then i32 and ref columns, null bits, weight, birth, death. */
import { carrierOf, type Physical, physicalOf, type SqlType } from "../batch/types.ts";

export interface LayoutColumn {
  readonly type: SqlType;
  readonly nullable: boolean;
}

export interface RowLayout {
  readonly columns: readonly LayoutColumn[];
  readonly physical: readonly Physical[];
  /** Word (of 4 bytes) within the row where the column lies; even for f64. */
  readonly words: readonly number[];
  /** Word that holds the column's null bit (1 = null), -1 when it is never null. */
  readonly nullWord: readonly number[];
  readonly nullBit: readonly number[];
  /** First of the null words, and how many there are. */
  readonly nullWords: { readonly first: number; readonly count: number };
  readonly weightWord: number;
  readonly birthWord: number;
  readonly deathWord: number;
  /** Words per row; even. */
  readonly strideWords: number;
}

export function createLayout(columns: readonly LayoutColumn[]): RowLayout {
  const physical = columns.map((c) => physicalOf(c.type));
  const words: number[] = new Array(columns.length).fill(0);
  let at = 0;
  physical.forEach((p, i) => {
    if (p !== "f64") return;
    words[i] = at;
    at += 2;
  });
  physical.forEach((p, i) => {
    if (p === "f64") return;
    words[i] = at;
    at += 1;
  });
  const first = at;
  let bits = 0;
  const nullWord = columns.map((c) => (c.nullable ? first + (bits++ >>> 5) : -1));
  let bit = 0;
  const nullBit = columns.map((c) => (c.nullable ? bit++ & 31 : 0));
  at += Math.ceil(bits / 32);
  const weightWord = at;
  const birthWord = at + 1;
  const deathWord = at + 2;
  const strideWords = (at + 3 + 1) & ~1;
  const nullWords = { first, count: Math.ceil(bits / 32) };
  return {
    columns,
    physical,
    words,
    nullWord,
    nullBit,
    nullWords,
    weightWord,
    birthWord,
    deathWord,
    strideWords,
  };
}

/** Columns whose f64 may be a wide reference into the dictionary: integers kept in doubles. */
export function mayBeWide(type: SqlType): boolean {
  return carrierOf(type) === "int64";
}

/** Source text that reads column i of the row whose first word is `base` (a variable or expression), from hoisted I and F. */
export function readCode(layout: RowLayout, i: number, base: string): string {
  const word = layout.words[i] as number;
  return layout.physical[i] === "f64" ? `F[(${base} >> 1) + ${word >> 1}]` : `I[${base} + ${word}]`;
}

/** Source text for the column's null flag (0 or 1). */
export function nullCode(layout: RowLayout, i: number, base: string): string {
  const word = layout.nullWord[i] as number;
  return word < 0 ? "0" : `((I[${base} + ${word}] >>> ${layout.nullBit[i]}) & 1)`;
}
