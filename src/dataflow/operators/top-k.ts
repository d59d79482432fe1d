/**
 * The rows at ranks offset .. offset + limit - 1 of each partition, over a stored input with an ordered index.
 *
 * 1. The input's delta tells which partitions were touched. A partition is known by its first row that is visible before or after the step.
 * 2. One walk through a touched partition counts ranks twice, over the rows as they were and over the rows as they are, and
 *    compares what of each row lies in the window: the difference is the row's change. It stops where both windows end.
 * 3. All partitions are walked for the rows that leave, then again for the rows that come.
 *
 * Over an input that only grows, rows behind the window never matter again: `evict` kills them in the (private) store.
 *
 * A walk that fills the chunk, or has looked at enough rows for one call, goes on behind the last row it saw: positions in the index do not last,
 * rows of a step do.
 */

import { Int32List } from "../../state/memory.ts";
import type { OrderedIndex } from "../../state/ordered-index.ts";
import { LIVE } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { LentChunk } from "../lent-chunk.ts";
import { peersOf, type SameRows } from "../windows/rows.ts";
import type { Delta, Part } from "./delta.ts";
import { type Ordering, OverOrdered } from "./over-ordered.ts";
import { type Copy, copier } from "./row-code.ts";
import type { StoredNode } from "./stored.ts";

export interface TopKSpec extends Ordering {
  readonly identity: string;
  readonly limit: number | null;
  readonly offset: number;
  /** Also the rows that the order does not tell from the last one. Not with `evict`. */
  readonly ties: boolean;
  /** Columns of the store that come out. */
  readonly columns: readonly number[];
  readonly evict: boolean;
}

const PARTITIONS_PER_CALL = 1024;
/** Of all partitions together. */
const ROWS_PER_CALL = 16_384;

export class TopK extends OverOrdered {
  readonly label: string;
  readonly #spec: TopKSpec;
  readonly #end: number;
  readonly #out: LentChunk;
  #copy: Copy | null = null;
  #before: Ranks;
  #after: Ranks;
  #phase: "start" | "died" | "born" | "leave" | "come" | "evict" | "done" = "done";
  readonly #touched = new Int32List();
  readonly #seen = new Set<number>();
  /** Partition codes met in this step, where they tell partitions apart. */
  readonly #codes = new Set<number>();
  #partition = 0;
  /** While a walk rests, the last row it saw; otherwise -1. */
  #row = -1;

  constructor(spec: TopKSpec, input: StoredNode) {
    super(spec.identity, input, spec);
    this.label = `top rows of ${input.label}`;
    this.#spec = spec;
    this.#end = spec.limit === null ? Number.POSITIVE_INFINITY : spec.offset + spec.limit;
    this.#out = new LentChunk(spec.columns.map((c) => input.store.layout.columns[c]!));
    this.#before = this.#after = new Ranks(0, 0, null);
  }

  override unbind(): void {
    super.unbind();
    this.#copy = null;
  }

  override begin(): void {
    super.begin();
    if (this.#copy === null) this.#bind();
    this.#phase = "start";
    this.#touched.clear();
    this.#seen.clear();
    this.#codes.clear();
    this.#partition = 0;
    this.#row = -1;
  }

  /** Makes what reads the input's store. */
  #bind(): void {
    const { store } = this.input;
    const { columns, offset, order, limit, ties } = this.#spec;
    this.#copy = copier(store, columns);
    const ranks = () => {
      const peers = peersOf(
        store,
        order.map((o) => o.column),
      );
      return new Ranks(offset, limit === 0 ? 0 : this.#end, ties && limit !== 0 ? peers : null);
    };
    this.#before = ranks();
    this.#after = ranks();
  }

  override push(): void {}

  override work(): boolean {
    switch (this.#phase) {
      case "start":
        (this.delta as Delta).start("died");
        this.#phase = "died";
        return this.#collect("died");
      case "died":
      case "born":
        return this.#collect(this.#phase);
      case "leave":
        return this.#walkAll(-1, "come");
      case "come":
        return this.#walkAll(1, this.#spec.evict ? "evict" : "done");
      case "evict":
        return this.#evictAll();
      case "done":
        return false;
    }
  }

  /** Notes the partitions of one chunk of the delta. */
  #collect(part: Part): boolean {
    const delta = this.delta as Delta;
    if (!delta.more()) {
      if (part === "died") delta.start("born");
      this.#phase = part === "died" ? "born" : "leave";
      return true;
    }
    const { store } = this.input;
    const { birthWord, strideWords } = store.layout;
    const index = this.index as OrderedIndex;
    const exact = index.exactPartition;
    const end = Math.min(delta.length, delta.index + CHUNK_ROWS);
    for (; delta.index < end; delta.index++) {
      const slot = delta.slots[delta.index] as number;
      if (store.I[slot * strideWords + birthWord] === LIVE) continue;
      if (exact) {
        // Most rows of a step fall into partitions it has met already.
        const code = index.partitionCode(slot);
        if (this.#codes.has(code)) continue;
        this.#codes.add(code);
      }
      const first = this.#firstRow(slot);
      if (this.#seen.has(first)) continue;
      this.#seen.add(first);
      this.#touched.push(first);
    }
    return true;
  }

  /** The partition's first row that is visible at either end of the step. */
  #firstRow(slot: number): number {
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { from, to } = this.step;
    let at = this.#spec.partition.length === 0 ? index.firstOfAll() : index.firstLike(slot);
    while (at >= 0) {
      const row = index.slot(at);
      if (store.visible(row, from) || store.visible(row, to)) return row;
      at = index.next(at);
    }
    return slot;
  }

  #walkAll(sign: 1 | -1, next: "come" | "evict" | "done"): boolean {
    const out = this.#out.take();
    out.length = 0;
    let budget = ROWS_PER_CALL;
    for (let n = 0; n < PARTITIONS_PER_CALL && this.#partition < this.#touched.length; n++) {
      budget = this.#walk(this.#touched.array[this.#partition] as number, sign, out, budget);
      if (budget < 0) {
        this.emit(out);
        this.#out.giveBack();
        return true;
      }
      this.#partition++;
    }
    this.emit(out);
    this.#out.giveBack();
    if (this.#partition === this.#touched.length) {
      this.#phase = next;
      this.#partition = 0;
    }
    return true;
  }

  /** One partition's changes of one sign. What is left of the budget; negative: it, or the output, was not enough. */
  #walk(partition: number, sign: number, out: Chunk, budget: number): number {
    const index = this.index as OrderedIndex;
    const { store, weighted } = this.input;
    const { birthWord, deathWord, weightWord, strideWords } = store.layout;
    const { from, to } = this.step;
    const copy = this.#copy as Copy;
    const I = store.I;
    const before = this.#before;
    const after = this.#after;
    let at: number;
    if (this.#row >= 0) at = index.next(index.positionOf(this.#row));
    else {
      before.begin();
      after.begin();
      at = this.#spec.partition.length === 0 ? index.firstOfAll() : index.firstLike(partition);
    }
    const restedAt = this.#row;
    for (; at >= 0 && !(before.isOver && after.isOver); at = index.next(at)) {
      if (out.length === CHUNK_ROWS || (--budget < 0 && this.#row !== restedAt)) return -1;
      const slot = index.slot(at);
      const base = slot * strideWords;
      const birth = I[base + birthWord] as number;
      const death = I[base + deathWord] as number;
      const isAfter = birth <= to && to < death;
      const isBefore = birth <= from && from < death;
      // Only such a row stays in the index for as long as the step takes.
      if (!isAfter && !isBefore) continue;
      const weight = weighted ? (I[base + weightWord] as number) : 1;
      let change = 0;
      if (isAfter) change += after.take(slot, weight);
      if (isBefore) change -= before.take(slot, weight);
      if (change * sign > 0) {
        copy(slot, out, out.length);
        out.weights[out.length++] = change;
      }
      this.#row = slot;
    }
    this.#row = -1;
    return Math.max(0, budget);
  }

  #evictAll(): boolean {
    for (let n = 0; n < PARTITIONS_PER_CALL && this.#partition < this.#touched.length; n++) {
      this.#evict(this.#touched.array[this.#partition++] as number);
    }
    if (this.#partition < this.#touched.length) return true;
    this.#phase = "done";
    return false;
  }

  #evict(partition: number): void {
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { to } = this.step;
    const behind: number[] = [];
    let rank = 0;
    let at = this.#spec.partition.length === 0 ? index.firstOfAll() : index.firstLike(partition);
    for (; at >= 0; at = index.next(at)) {
      const slot = index.slot(at);
      if (!store.visible(slot, to)) continue;
      if (rank >= this.#end) behind.push(slot);
      else rank += store.weight(slot);
    }
    for (const slot of behind) store.kill(slot);
  }
}

/** Counts the ranks of one version, and says how much of each row lies in the window. */
class Ranks {
  /** No row behind lies in the window. */
  isOver = false;
  readonly #offset: number;
  readonly #end: number;
  /** null: without ties. */
  readonly #peers: SameRows | null;
  #rank = 0;
  #last = -1;

  constructor(offset: number, end: number, peers: SameRows | null) {
    this.#offset = offset;
    this.#end = end;
    this.#peers = peers;
  }

  begin(): void {
    this.#rank = 0;
    this.#last = -1;
    this.isOver = this.#end === 0;
  }

  /** How many of the row's copies are in. */
  take(slot: number, weight: number): number {
    const rank = this.#rank;
    if (this.isOver) return 0;
    if (this.#peers === null) {
      this.#rank += weight;
      this.isOver = this.#rank >= this.#end;
      return Math.max(0, Math.min(rank + weight, this.#end) - Math.max(rank, this.#offset));
    }
    if (rank >= this.#end && !this.#peers(this.#last, slot)) {
      this.isOver = true;
      return 0;
    }
    this.#rank += weight;
    this.#last = slot;
    return Math.max(0, rank + weight - Math.max(rank, this.#offset));
  }
}
