/**
 * INTERSECT and EXCEPT, with and without ALL.
 *
 * State: a store with one row per distinct row of either input, and how often it stands in each. What comes out of a row follows from
 * these two counts (`multiplicity`).
 *
 * 1. A change finds its row by value. The first of a step to touch it makes a new version; later ones count in place.
 * 2. When both inputs are complete, each version made in this step is compared with the one before. First all that becomes less is
 *    emitted, then all that becomes more. A row that stands in neither input any more ends.
 *
 * Rows that no change finds may go to disk; before a chunk of either input is taken, those of its values are brought back (cold-keys.ts).
 *
 * A row looks as the left input shows it (1.0 and 1.00 are equal): the first left one gives it its form, in place of one that only the right
 * input has shown. If that happens to a row that was out already, the old form goes and the new one comes.
 */
import { compiled } from "../../base/compiled.ts";
import { EvertError } from "../../base/errors.ts";
import { float8 } from "../../batch/types.ts";
import type { SetOperationPlan } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { RowLayout } from "../../state/layout.ts";
import { LIVE, Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import { LentChunk } from "../lent-chunk.ts";
import { lostRow } from "../lost-row.ts";
import { type CoolableStore, Node, type NodeStore, type Source } from "../node.ts";
import { ColdKeys } from "./cold-keys.ts";
import { declareColumns, findArguments, readers, writeRow } from "./row-code.ts";
import { sink, touchLoop } from "./touch-code.ts";

export interface SetOperationSpec {
  readonly identity: string;
  readonly op: SetOperationPlan["op"];
  readonly all: boolean;
  /** Columns of the result; and of the store, whose columns are null where either input's are. */
  readonly output: readonly TypedColumn[];
  readonly columns: readonly TypedColumn[];
  /** By port: what comes in, each column null where that input's is. */
  readonly inputs: readonly [readonly TypedColumn[], readonly TypedColumn[]];
}

interface Code {
  /** Takes changes of the left (0) or right (1) input. */
  take(chunk: Chunk, port: number): void;
  /** Emits what changed by this sign for touched[i ..]; gives the next i. */
  emit(touched: Int32Array, i: number, end: number, sign: number, from: number, out: Chunk): number;
}

export class SetOperation extends Node {
  readonly label: string;
  readonly store: Store;
  readonly #index: HashIndex;
  readonly #cold: ColdKeys;
  readonly #out: LentChunk;
  readonly #code: Code;
  readonly #source: string;
  #sign: -1 | 1 | 0 = -1;
  #next = 0;

  constructor(spec: SetOperationSpec, left: Source, right: Source, dictionary: Dictionary) {
    super(spec.identity, [left, right]);
    this.label = `${spec.op}${spec.all ? " all" : ""} of ${left.node.label} and ${right.node.label}`;
    const counter = { type: float8, nullable: false };
    this.store = new Store(this.label, [...spec.columns, counter, counter], dictionary);
    const index = this.store.hashIndex({ columns: [...spec.columns.keys()], unique: true });
    this.#index = index;
    const key = index.spec.columns;
    const inputs = spec.inputs.map((columns) => ({ columns, key, isNew: false }));
    this.#cold = new ColdKeys(this, this.store, index, inputs);
    this.#out = new LentChunk(spec.output);
    this.#source = sourceOf(this.store.layout, spec, key);
    const noNulls = new Uint8Array(CHUNK_ROWS);
    const { find, touch, next } = index;
    const known = { store: this.store, find, touch, sink, next, noNulls, lost: this.#lost, tooMany };
    this.#code = compiled(...Object.keys(known), this.#source)(...Object.values(known)) as Code;
  }

  readonly #lost = (): EvertError => lostRow(this.label);

  override stores(): NodeStore[] {
    return [{ part: "rows", store: this.store }];
  }

  override coolable(): readonly CoolableStore[] {
    // Without columns there is one row.
    return this.#index.spec.columns.length === 0 ? [] : [{ store: this.store, index: this.#index }];
  }

  override stop(): void {
    this.#cold.close();
  }

  override fetched(): void {
    this.#cold.fetched();
  }

  override begin(): void {
    super.begin();
    this.#sign = -1;
    this.#next = 0;
  }

  override push(port: number, chunk: Chunk): void {
    if (!this.#cold.holds(port, chunk)) this.#code.take(chunk, port);
  }

  override work(): boolean {
    const touched = this.store.born;
    if (this.#sign === 0) return false;
    const out = this.#out.take();
    this.#next = this.#code.emit(touched.array, this.#next, touched.length, this.#sign, this.step.from, out);
    this.emit(out);
    this.#out.giveBack();
    if (this.#next >= touched.length) {
      this.#sign = this.#sign === -1 ? 1 : 0;
      this.#next = 0;
    }
    return this.#sign !== 0;
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source}`];
  }
}

function tooMany(): EvertError {
  return new EvertError("out_of_memory", "one row occurs more than 2,147,483,647 times");
}

function multiplicity({ op, all }: SetOperationSpec, l: string, r: string): string {
  if (op === "intersect") return all ? `Math.min(${l}, ${r})` : `(${l} > 0 && ${r} > 0 ? 1 : 0)`;
  return all ? `Math.max(${l} - ${r}, 0)` : `(${l} > 0 && ${r} === 0 ? 1 : 0)`;
}

function sourceOf(layout: RowLayout, spec: SetOperationSpec, key: readonly number[]): string {
  const { strideWords: stride, birthWord, deathWord, weightWord } = layout;
  const width = spec.columns.length;
  const count = (b: string, side: string) => `F[(${b} >> 1) + ${layout.words[width]! >> 1} + ${side}]`;
  // The two counters are the last f64 columns, one behind the other.
  const rowOnly: RowLayout = { ...layout, columns: spec.columns };
  const write = writeRow(rowOnly, "b", "r");
  const args = findArguments(spec.columns, key, "r");
  const nulls = spec.columns
    .map((c, i) => (c.nullable ? `const n${i} = chunk.nulls[${i}] ?? noNulls;` : ""))
    .join(" ");
  const values = declareColumns(
    "chunk",
    spec.columns.map((c) => ({ ...c, nullable: false })),
  );
  const { read, isNull } = readers(layout, "I", "F");
  const copyOut = spec.output
    .map(
      (c, i) =>
        `out.columns[${i}][o] = ${read(i, "x")};${c.nullable ? ` out.nulls[${i}][o] = ${isNull(i, "x")};` : ""}`,
    )
    .join(" ");
  const sameForm = formWords(layout, width)
    .map((w) => `I[a + ${w}] === I[b + ${w}]`)
    .join(" && ");
  return `"use strict";
  function take(chunk, port) {
    const rows = chunk.length;
    store.reserve(rows);
    const I = store.I, F = store.F, W = chunk.weights, epoch = store.epoch;
    ${values} ${nulls}
    ${touchLoop(args, "0", "rows")}
    for (let r = 0; r < rows; r++) {
      let s = find(${args});
      if (s >= 0 && I[s * ${stride} + ${deathWord}] !== ${LIVE}) s = -1;
      const a = s * ${stride};
      const first = s < 0 || (port === 0 && ${count("a", "0")} === 0);
      if (first || I[a + ${birthWord}] !== epoch) {
        const left = s < 0 ? 0 : ${count("a", "0")}, right = s < 0 ? 0 : ${count("a", "1")};
        const t = store.alloc(), b = t * ${stride};
        if (first) { ${write} } else for (let i = 0; i < ${weightWord}; i++) I[b + i] = I[a + i];
        ${count("b", "0")} = left; ${count("b", "1")} = right;
        if (s >= 0) store.kill(s);
        store.insert(t);
        s = t;
      }
      const c = s * ${stride}, has = ${count("c", "port")} + W[r];
      if (has < 0) throw lost();
      if (has > 2147483647) throw tooMany();
      ${count("c", "port")} = has;
    }
  }
  function emit(touched, i, end, sign, from, out) {
    const W = out.weights;
    const I = store.I, F = store.F;
    let o = 0;
    for (; i < end && o < ${CHUNK_ROWS}; i++) {
      const g = touched[i], b = g * ${stride};
      if (I[b + ${birthWord}] === ${LIVE}) continue;
      const now = ${multiplicity(spec, count("b", "0"), count("b", "1"))};
      let old = next(g);
      const a = old * ${stride};
      if (old >= 0 && I[a + ${deathWord}] <= from) old = -1;
      const was = old < 0 ? 0 : ${multiplicity(spec, count("a", "0"), count("a", "1"))};
      const same = old < 0 || was === 0 || now === 0 || (${sameForm === "" ? "true" : sameForm});
      const change = sign < 0 ? (same ? Math.min(now - was, 0) : -was) : same ? Math.max(now - was, 0) : now;
      if (change !== 0) {
        const x = sign < 0 ? a : b;
        ${copyOut}
        W[o++] = change;
      }
      if (sign > 0 && ${count("b", "0")} === 0 && ${count("b", "1")} === 0) store.kill(g);
    }
    out.length = o;
    return i;
  }
  return { take, emit };`;
}

/** Words of the row's own columns, and of their null bits. */
function formWords(layout: RowLayout, width: number): number[] {
  const words = layout.words
    .slice(0, width)
    .flatMap((w, i) => (layout.physical[i] === "f64" ? [w, w + 1] : [w]));
  const { first, count } = layout.nullWords;
  return [...words, ...Array.from({ length: count }, (_, i) => first + i)];
}
