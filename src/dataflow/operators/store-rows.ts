/** Turns a stored input into pushed rows: what died, then what was born, in chunks of the columns wanted. */

import { compiled } from "../../base/compiled.ts";
import { LIVE, type Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node } from "../node.ts";
import { changeFunction } from "./change-code.ts";
import { Delta } from "./delta.ts";
import { readers } from "./row-code.ts";
import type { StoredNode } from "./stored.ts";

/** Reads slots[i..end) into the chunk; the chunk has room for all of them. */
type Read = (
  slots: Int32Array,
  i: number,
  end: number,
  sign: number,
  from: number,
  to: number,
  out: Chunk,
) => void;

export class StoreRows extends Node {
  override readonly isRowForRow = true;
  readonly label: string;
  readonly #columns: readonly number[];
  readonly #out: LentChunk;
  #read: Read | null = null;
  /** The same for rows that were cold. */
  #page: { readonly store: Store; readonly read: Read; readonly slots: Int32Array } | null = null;
  #delta: Delta | null = null;
  #phase: 0 | 1 | 2 = 0;

  constructor(identity: string, input: StoredNode, columns: readonly number[]) {
    super(identity, [{ node: input, kind: "store" }]);
    this.label = `rows of ${input.label}`;
    this.#columns = columns;
    this.#out = new LentChunk(columns.map((c) => input.store.layout.columns[c]!));
  }

  override get title(): string {
    return "rows read";
  }

  override readsCold(): boolean {
    return true;
  }

  get #input(): StoredNode {
    return this.sources[0]!.node as StoredNode;
  }

  override rebind(): void {
    this.#read = null;
    this.#delta = null;
  }

  override begin(): void {
    super.begin();
    this.#read ??= compiled(
      "store",
      "rowIndex",
      this.#source(),
    )(this.#input.store, this.#input.rowIndex) as Read;
    this.#delta ??= new Delta(this.#input, this, this.#columns);
    this.#phase = 0;
  }

  override push(): void {}

  override work(): boolean {
    const delta = this.#delta as Delta;
    if (this.#phase === 0) {
      delta.start("died");
      this.#phase = 1;
    }
    for (;;) {
      if (delta.more()) {
        const out = this.#out.take();
        const end = Math.min(delta.length, delta.index + this.pace.rows);
        const sign = this.#phase === 1 ? -1 : 1;
        (this.#read as Read)(delta.slots, delta.index, end, sign, this.step.from, this.step.to, out);
        delta.index = end;
        this.emit(out);
        this.#out.giveBack();
        return true;
      }
      if (this.#phase === 2) return this.#workCold(delta);
      delta.start("born");
      this.#phase = 2;
    }
  }

  /** Rows that are on disk. */
  #workCold(delta: Delta): boolean {
    const page = () => (this.#page ??= this.#newPage(delta));
    const cold = delta.cold(() => page().store);
    if (cold === null) {
      this.#page = null;
      return false;
    }
    if (!("rows" in cold)) {
      this.host.fetch(this, cold);
      return true;
    }
    const { from, to } = this.step;
    const out = this.#out.take();
    const { read, slots } = page();
    read(slots, 0, cold.rows, 1, from, to, out);
    this.emit(out);
    this.#out.giveBack();
    return true;
  }

  #newPage(delta: Delta): { store: Store; read: Read; slots: Int32Array } {
    const store = delta.page();
    // A row on disk has no other version.
    const read = compiled("store", "rowIndex", this.#source(false))(store, null) as Read;
    return { store, read, slots: Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i) };
  }

  override dispose(): void {
    super.dispose();
    this.#delta?.close();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source()}`];
  }

  #source(versioned: boolean = this.#input.versioned): string {
    const { store, weighted } = this.#input;
    const { layout } = store;
    const { strideWords: stride, birthWord } = layout;
    const { read, isNull } = readers(layout, "I", "F");
    const declare = this.#columns
      .map(
        (c, i) =>
          `const o${i} = out.columns[${i}]${layout.columns[c]!.nullable ? `, m${i} = out.nulls[${i}]` : ""};`,
      )
      .join(" ");
    const copy = this.#columns
      .map(
        (c, i) =>
          `o${i}[o] = ${read(c, "b")};${layout.columns[c]!.nullable ? ` m${i}[o] = ${isNull(c, "b")};` : ""}`,
      )
      .join(" ");
    return `"use strict"; ${changeFunction("change", { layout, weighted, versioned }, "rowIndex")}
  return function read(slots, i, end, sign, from, to, out) {
    const I = store.I, F = store.F, W = out.weights;
    ${declare}
    let o = 0;
    for (; i < end; i++) {
      const slot = slots[i], b = slot * ${stride};
      if (I[b + ${birthWord}] === ${LIVE}) continue;
      const w = change(slot, b, sign, from, to, I, F);
      if (w === 0) continue;
      ${copy}
      W[o++] = w;
    }
    out.length = o;
  };`;
  }
}
