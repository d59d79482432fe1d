/**
 * A row as it lies in a run: the words of the store's row up to its weight, and behind them the bytes of its texts, for a text's id means
 * something only as long as a row in memory has it.
 *
 *   row := word[0..weight] text..., padded to words
 *
 * The word of a text's id holds its length instead. An integer too wide for a double (dictionary.ts) is a text of nine bytes; its word pair is WIDE.
 *
 * The hash by which rows stand in a run is of what the key's values are, not of ids: so it is the same after a restart.
 */

import { isNumericText, type SqlType } from "../../batch/types.ts";
import type { Dictionary } from "../dictionary.ts";
import { WIDE } from "../dictionary.ts";
import { hashDouble, hashInt, hashMore } from "../hash-index.ts";
import { mayBeWide, type RowLayout } from "../layout.ts";
import { LIVE } from "../rows.ts";
import type { RowBytes } from "./row-bytes.ts";

const WIDE_STEP = 1024;
const WIDE_BYTES = 9;
/** Every row was seen by every reader before it went: it is as if it had always been there. */
const FIRST_EPOCH = 1;

export interface RowMemory {
  readonly I: Int32Array;
  readonly F: Float64Array;
}

export class RowCodec {
  readonly #layout: RowLayout;
  readonly #dictionary: Dictionary;
  /** Words that hold ids, and pairs of words that may hold wide integers (as places in F). */
  readonly #ids: readonly number[];
  readonly #wides: readonly number[];
  readonly #fixedWords: number;
  /** Words of ids that decode() leaves out; of wide integers -1 - their place. */
  readonly #passedOver: ReadonlySet<number>;

  /** `columns`: those of which decode() gives texts; of others it gives none, which costs no memory. Without it, all. */
  constructor(layout: RowLayout, dictionary: Dictionary, columns?: readonly number[]) {
    this.#layout = layout;
    this.#dictionary = dictionary;
    this.#fixedWords = layout.weightWord + 1;
    this.#ids = layout.words.filter((_, i) => layout.physical[i] === "ref");
    this.#wides = layout.words
      .filter((_, i) => layout.physical[i] === "f64" && mayBeWide(layout.columns[i]!.type))
      .map((word) => word >> 1);
    const others = layout.columns.flatMap((_, c) =>
      columns === undefined || columns.includes(c) ? [] : [c],
    );
    this.#passedOver = new Set(
      others.map((c) => (layout.physical[c] === "f64" ? -1 - (layout.words[c]! >> 1) : layout.words[c]!)),
    );
  }

  /** Words that the row in the slot takes. */
  words({ I, F }: RowMemory, slot: number): number {
    const base = slot * this.#layout.strideWords;
    let bytes = 0;
    for (const word of this.#ids) bytes += this.#dictionary.length(I[base + word] as number);
    for (const place of this.#wides) if ((F[(base >> 1) + place] as number) >= WIDE) bytes += WIDE_BYTES;
    return this.#fixedWords + ((bytes + 3) >>> 2);
  }

  /** Whether rows have texts. */
  get hasTexts(): boolean {
    return this.#ids.length > 0;
  }

  /** Bytes of the texts of the row in the slot: of one that others have, too, its part. */
  textBytes({ I }: Pick<RowMemory, "I">, slot: number): number {
    const base = slot * this.#layout.strideWords;
    let bytes = 0;
    for (const word of this.#ids) bytes += this.#dictionary.share(I[base + word] as number);
    return bytes;
  }

  /** REQUIRES room for words(). */
  encode({ I, F }: RowMemory, slot: number, out: RowBytes, at: number): void {
    const base = slot * this.#layout.strideWords;
    const { words, bytes } = out;
    const dictionary = this.#dictionary;
    const fixed = this.#fixedWords;
    for (let w = 0; w < fixed; w++) words[at + w] = I[base + w] as number;
    let to = (at + fixed) * 4;
    for (const word of this.#ids) {
      const id = I[base + word] as number;
      const length = dictionary.length(id);
      dictionary.copyTo(id, bytes, to);
      words[at + word] = length;
      to += length;
    }
    for (const place of this.#wides) {
      const code = F[(base >> 1) + place] as number;
      if (code < WIDE) continue;
      dictionary.copyTo((code - WIDE) / WIDE_STEP, bytes, to);
      // 2^62 as a double: its upper word alone is not zero.
      words[at + place * 2] = 0;
      words[at + place * 2 + 1] = 0x43d00000;
      to += WIDE_BYTES;
    }
    if ((to & 3) !== 0) bytes.fill(0, to, (to + 3) & ~3);
  }

  /** Puts a row of a run into a slot. Its texts are interned, and counted by nobody yet. */
  decode(from: RowBytes, at: number, { I, F }: RowMemory, slot: number): void {
    const { strideWords, birthWord, deathWord } = this.#layout;
    const base = slot * strideWords;
    const { words, bytes } = from;
    const dictionary = this.#dictionary;
    const fixed = this.#fixedWords;
    for (let w = 0; w < fixed; w++) I[base + w] = words[at + w] as number;
    let next = (at + fixed) * 4;
    for (const word of this.#ids) {
      const length = words[at + word] as number;
      const isNone = length === 0 || this.#passedOver.has(word);
      I[base + word] = isNone ? 0 : dictionary.intern(bytes, next, next + length);
      next += length;
    }
    for (const place of this.#wides) {
      if ((F[(base >> 1) + place] as number) < WIDE) continue;
      F[(base >> 1) + place] = this.#passedOver.has(-1 - place)
        ? 0
        : WIDE + dictionary.intern(bytes, next, next + WIDE_BYTES) * WIDE_STEP;
      next += WIDE_BYTES;
    }
    I[base + birthWord] = FIRST_EPOCH;
    I[base + deathWord] = LIVE;
  }
}

type HashOfCode = (code: number) => number;

/** The hash of a key, from the numbers that a row holds of it. */
export class KeyHash {
  readonly columns: readonly number[];
  readonly #layout: RowLayout;
  readonly #one: readonly HashOfCode[];

  constructor(layout: RowLayout, columns: readonly number[], dictionary: Dictionary) {
    this.#layout = layout;
    this.columns = columns;
    this.#one = columns.map((c) => hashOfCode(dictionary, layout.columns[c]!.type, layout.physical[c]!));
  }

  /** Unsigned. A null's code is 0. */
  ofCodes(codes: ArrayLike<number>): number {
    let h = 0;
    for (let i = 0; i < this.#one.length; i++) h = this.#mix(i, h, codes[i] as number);
    return h >>> 0;
  }

  ofSlot({ I, F }: RowMemory, slot: number): number {
    const { words, physical, strideWords } = this.#layout;
    const base = slot * strideWords;
    let h = 0;
    for (let i = 0; i < this.#one.length; i++) {
      const column = this.columns[i] as number;
      const word = base + (words[column] as number);
      const code = physical[column] === "f64" ? (F[word >> 1] as number) : (I[word] as number);
      h = this.#mix(i, h, code);
    }
    return h >>> 0;
  }

  #mix(i: number, h: number, code: number): number {
    const one = (this.#one[i] as HashOfCode)(code);
    return i === 0 ? one : hashMore(h, one);
  }
}

function hashOfCode(dictionary: Dictionary, type: SqlType, physical: "f64" | "i32" | "ref"): HashOfCode {
  if (physical === "i32") return hashInt;
  if (physical === "f64") {
    if (!mayBeWide(type)) return hashDouble;
    return (code) => (code < WIDE ? hashDouble(code) : dictionary.hashOf((code - WIDE) / WIDE_STEP));
  }
  if (isNumericText(type)) return (id) => (id === 0 ? 0 : dictionary.hashOf(dictionary.canonicalNumeric(id)));
  const kind = dictionary.kindOf(type);
  if (kind > 0) return (id) => dictionary.hashOf(dictionary.keyed(id, kind));
  return (id) => dictionary.hashOf(id);
}
