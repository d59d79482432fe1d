/**
 * The rows at ranks offset .. offset + limit - 1 of each partition, over a stored input with an ordered index.
 *
 * 1. The input's delta tells which partitions were touched. A partition is known by the first row of the delta that is of it.
 * 2. One walk through a touched partition counts ranks twice, over the rows as they were and over the rows as they are, and
 *    compares what of each row lies in the window: the difference is the row's change. It stops where both windows end.
 * 3. All partitions are walked for the rows that leave, then those again that have rows which come.
 *
 * Over an input that only grows, rows behind the window never matter again: `evict` kills them in the (private) store.
 *
 * Rows may be on disk: those that a walk will look at come back before it begins (cold-partitions.ts, and without partition cold-firsts.ts). With a
 * window that may be all of a partition, rows stay in memory.
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
import { ColdFirsts } from "./cold-firsts.ts";
import { ColdPartitions, type ColdWalks } from "./cold-partitions.ts";
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
/** Rows of a partition up to the window's end, beyond which all rows stay in memory. */
const COLD_END_MAX = 16_384;

export class TopK extends OverOrdered {
  readonly label: string;
  readonly #spec: TopKSpec;
  readonly #end: number;
  readonly #out: LentChunk;
  #copy: Copy | null = null;
  #before: Ranks;
  #after: Ranks;
  #phase: "start" | "died" | "born" | "leave" | "come" | "evict" | "done" = "done";
  /** Of each partition one row. */
  readonly #touched = new Int32List();
  /** By partition code the last of them; of each the one before of the same code, or -1. */
  readonly #codes = new Map<number, number>();
  readonly #others = new Int32List();
  /** Those of them that have rows which come. */
  readonly #coming = new Int32List();
  #comes = false;
  /** Of all rows, where they are not in partitions: it is there as long as the index is. */
  #firsts: ColdFirsts | null = null;
  #cold: ColdWalks | null = null;
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

  protected override get bringsBack(): boolean {
    // What is evicted leaves no more than the window.
    return this.#end <= COLD_END_MAX && (this.#spec.partition.length > 0 || !this.#spec.evict);
  }

  /** While it is built from all of history it walks slots alone. */
  override readsCold(): boolean {
    return this.bringsBack && !this.host.eager;
  }

  override fetched(): void {
    this.#cold?.fetched();
  }

  override get bytesElsewhere(): number {
    return this.#cold?.bytes ?? 0;
  }

  /** What comes back for it stays until it has walked it: the input grows by that, which is a topic perhaps, and never stops. */
  override get grewElsewhere(): boolean {
    return (this.#cold?.broughtNow ?? 0) > 0;
  }

  /** It has failed. */
  override stop(): void {
    this.#cold?.close();
    this.#firsts?.close();
    this.#cold = this.#firsts = null;
  }

  /** Before any row goes out that the walk would miss. */
  override prepare(): void {
    super.prepare();
    if (!this.bringsBack || this.#spec.partition.length > 0) return;
    const { store } = this.input;
    const index = this.index as OrderedIndex;
    this.#firsts ??= new ColdFirsts(this, { store, index, rows: this.#end, edge: this.#edge });
    this.#firsts.join();
  }

  override rebind(): void {
    super.rebind();
    // Rows of what it has come with may go out from now on.
    if (this.index !== null) this.prepare();
  }

  override unbind(): void {
    this.stop();
    super.unbind();
    this.#copy = null;
  }

  override begin(): void {
    super.begin();
    if (this.#copy === null) this.#bind();
    this.#phase = "start";
    this.#touched.clear();
    this.#coming.clear();
    this.#others.clear();
    this.#codes.clear();
    this.#partition = 0;
    this.#row = -1;
    this.#comes = false;
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
    const index = this.index as OrderedIndex;
    if (this.#firsts !== null) this.#cold = this.#firsts;
    else if (this.bringsBack)
      this.#cold = new ColdPartitions(this, { store, index, rows: this.#end, edge: this.#edge });
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
    const end = Math.min(delta.length, delta.index + CHUNK_ROWS);
    for (; delta.index < end; delta.index++) {
      const slot = delta.slots[delta.index] as number;
      if (store.I[slot * strideWords + birthWord] !== LIVE) this.#note(slot, index);
    }
    return true;
  }

  /** Most rows of a step fall into partitions it has met already. */
  #note(slot: number, index: OrderedIndex): void {
    const code = index.partitionCode(slot);
    const known = this.#codes.get(code);
    if (known !== undefined) {
      if (index.exactPartition) return;
      for (let at = known; at >= 0; at = this.#others.array[at] as number)
        if (index.isOfOne(slot, this.#touched.array[at] as number)) return;
    }
    this.#codes.set(code, this.#touched.length);
    this.#touched.push(slot);
    this.#others.push(known ?? -1);
  }

  /** ColdPartitions asks between two walks. */
  readonly #edge = (row: number, spare: number): number => {
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { from, to } = this.step;
    const before = this.#before;
    const after = this.#after;
    before.begin();
    after.begin();
    let left = spare;
    for (let at = index.firstLike(row); at >= 0; at = index.next(at)) {
      const slot = index.slot(at);
      if (store.visible(slot, to)) after.take(slot, this.#weightOf(slot));
      if (store.visible(slot, from)) before.take(slot, this.#weightOf(slot));
      if (before.isOver && after.isOver && left-- <= 0) return slot;
    }
    return -1;
  };

  #weightOf(slot: number): number {
    return this.input.weighted ? this.input.store.weight(slot) : 1;
  }

  /** Behind the last partition that can be walked now; where there is none, rows of it are being fetched. */
  #readyEnd({ array, length }: Int32List): number {
    const ready = this.#cold?.ready(array, this.#partition, length) ?? length;
    return Math.min(length, this.#partition + Math.min(ready, PARTITIONS_PER_CALL));
  }

  #walkAll(sign: 1 | -1, next: "come" | "evict" | "done"): boolean {
    const rows = sign < 0 ? this.#touched : this.#coming;
    const end = this.#readyEnd(rows);
    if (end === this.#partition && end < rows.length) return true;
    const out = this.#out.take();
    out.length = 0;
    let budget = ROWS_PER_CALL;
    const first = this.#partition;
    for (; this.#partition < end; this.#partition++) {
      const row = rows.array[this.#partition] as number;
      budget = this.#walk(row, sign, out, budget);
      if (budget < 0) break;
      if (sign > 0) continue;
      // Most changes of a partition are behind the window, and it is walked once.
      if (this.#comes) this.#coming.push(row);
      this.#comes = false;
      this.#cold?.walked(row);
    }
    this.#cold?.took(this.#partition - first, this.#row < 0);
    this.emit(out);
    this.#out.giveBack();
    if (this.#partition === rows.length) this.#enter(next);
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
    const cold = store.cold?.isEmpty === false ? store.cold : null;
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
      cold?.asked(slot);
      const weight = weighted ? (I[base + weightWord] as number) : 1;
      let change = 0;
      if (isAfter) change += after.take(slot, weight);
      if (isBefore) change -= before.take(slot, weight);
      if (change > 0) this.#comes = true;
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
    const end = this.#readyEnd(this.#touched);
    if (end === this.#partition && end < this.#touched.length) return true;
    const first = this.#partition;
    for (let budget = ROWS_PER_CALL; this.#partition < end && budget > 0; )
      budget -= this.#evict(this.#touched.array[this.#partition++] as number);
    this.#cold?.took(this.#partition - first, true);
    if (this.#partition < this.#touched.length) return true;
    this.#enter("done");
    return false;
  }

  #enter(phase: "come" | "evict" | "done"): void {
    this.#phase = phase;
    this.#partition = 0;
    if (phase === "done") this.#cold?.release();
  }

  /** How many rows it has looked at. */
  #evict(partition: number): number {
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { to } = this.step;
    const behind: number[] = [];
    let rank = 0;
    let rows = 0;
    let at = this.#spec.partition.length === 0 ? index.firstOfAll() : index.firstLike(partition);
    for (; at >= 0; at = index.next(at)) {
      const slot = index.slot(at);
      rows++;
      if (!store.visible(slot, to)) continue;
      if (rank >= this.#end) behind.push(slot);
      else rank += store.weight(slot);
    }
    for (const slot of behind) store.kill(slot);
    return rows;
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
