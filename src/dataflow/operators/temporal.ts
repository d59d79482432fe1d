/**
 * Rows while from <= now < until, where now is the log's time: rows come and go by themselves as time passes.
 *
 * State: none of its own. The input lies in a store that nobody else reads, with its bounds as columns and an ordered index on each.
 * A step leads from one moment to another, as it leads from one epoch to another:
 *
 * 1. A row that left the input goes if it was shown at the earlier moment; one that came is shown if its time is at the later one.
 * 2. Of the rows that stayed, those change whose bound lies between the two moments: a range of each index.
 *
 * So a step costs what changes and two searches, however many rows wait. `evict` kills rows whose time is over: what is kept is what is shown or
 * yet to come. (Changes of rows whose time is over do not come in: not-over.ts.)
 */
import { WIDE } from "../../state/dictionary.ts";
import type { OrderedIndex, OrderedIndexSpec } from "../../state/ordered-index.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type WantedIndex } from "../node.ts";
import { Delta } from "./delta.ts";
import { type Copy, copier } from "./row-code.ts";
import type { StoredNode } from "./stored.ts";

export interface TemporalSpec {
  readonly identity: string;
  /** Columns of the input's store that come out. */
  readonly columns: readonly number[];
  /** The bounds' columns, timestamptz and never null; null: open. */
  readonly from: number | null;
  readonly until: number | null;
  /** Whether the store is this operator's to take rows from. */
  readonly evict: boolean;
}

type Phase = "start" | "died" | "over" | "born" | "due" | "evict" | "done";

/** Entries looked at per call of work(). */
const ENTRIES_PER_CALL = 4096;

export class Temporal extends Node {
  readonly label: string;
  override readonly clocked = true;
  readonly #spec: TemporalSpec;
  readonly #out: LentChunk;
  #delta: Delta | null = null;
  #copy: Copy | null = null;
  #from: OrderedIndex | null = null;
  #until: OrderedIndex | null = null;
  #phase: Phase = "done";
  /** Where the phase stands in its index; the store does not change while a step is worked off. -2: not begun. */
  #at = -2;
  /** Time of the last row that was taken away in this step. */
  #evicted = Number.NEGATIVE_INFINITY;

  constructor(spec: TemporalSpec, input: StoredNode) {
    super(spec.identity, [{ node: input, kind: "store" }]);
    this.label = `rows in their time of ${input.label}`;
    this.#spec = spec;
    this.#out = new LentChunk(spec.columns.map((c) => input.store.layout.columns[c]!));
  }

  get #input(): StoredNode {
    return this.sources[0]!.node as StoredNode;
  }

  override rebind(): void {
    this.#delta = null;
  }

  override unbind(): void {
    for (const index of [this.#from, this.#until]) if (index !== null) this.#input.store.dropIndex(index);
    this.#from = null;
    this.#until = null;
    this.#copy = null;
  }

  override indexes(): WantedIndex[] {
    const { store } = this.#input;
    return [this.#spec.from, this.#spec.until]
      .filter((column) => column !== null)
      .map((column) => ({ node: this.#input, store, spec: byTime(column) }));
  }

  override prepare(): void {
    const { from, until } = this.#spec;
    const { store } = this.#input;
    if (from !== null) this.#from ??= store.orderedIndex(byTime(from));
    if (until !== null) this.#until ??= store.orderedIndex(byTime(until));
  }

  override begin(): void {
    super.begin();
    // Rows are taken from its store in steps that bring it none: they die in this step, not in the last one that concerned it.
    if (this.#spec.evict && this.#input.host === this.host) this.host.activate(this.#input);
    this.prepare();
    this.#delta ??= new Delta(this.#input, this);
    this.#copy ??= copier(this.#input.store, this.#spec.columns);
    this.#phase = "start";
    this.#at = -2;
    this.#evicted = Number.NEGATIVE_INFINITY;
  }

  override push(): void {}

  override work(): boolean {
    if (this.#phase === "done") return false;
    const out = this.#out.take();
    out.length = 0;
    switch (this.#phase) {
      case "start":
        // Only now is the journal of the step complete.
        (this.#delta as Delta).start("died");
        this.#phase = "died";
        break;
      case "died":
        this.#journal(out, -1, "over");
        break;
      case "over":
        this.#range(out, this.#until, this.#spec.until, -1, "born");
        break;
      case "born":
        this.#journal(out, 1, "due");
        break;
      case "due":
        this.#range(out, this.#from, this.#spec.from, 1, this.#spec.evict ? "evict" : "done");
        break;
      case "evict":
        this.#evict();
        break;
    }
    this.emit(out);
    this.#out.giveBack();
    return true;
  }

  /** The next moment, in microseconds since 1970, at which a row comes or goes by itself; Infinity: none does. */
  nextDue(): number {
    this.prepare();
    return Math.min(
      this.#firstAfter(this.#from, this.#spec.from),
      this.#firstAfter(this.#until, this.#spec.until),
    );
  }

  #firstAfter(index: OrderedIndex | null, column: number | null): number {
    if (index === null || column === null) return Number.POSITIVE_INFINITY;
    const { to, timeTo } = this.step;
    const { store } = this.#input;
    let at = index.seek((slot) => this.#time(slot, column) <= timeTo);
    while (at >= 0 && !store.visible(index.slot(at), to)) at = index.nextOfAll(at);
    if (at < 0) return Number.POSITIVE_INFINITY;
    const due = this.#time(index.slot(at), column);
    return due >= INFINITE ? Number.POSITIVE_INFINITY : due;
  }

  /** Rows that left the input (sign -1) or came to it (1). */
  #journal(out: Chunk, sign: 1 | -1, next: Phase): void {
    const delta = this.#delta as Delta;
    if (!delta.more()) {
      if (sign === -1) delta.start("born");
      this.#enter(next);
      return;
    }
    const { from, to, timeFrom, timeTo } = this.step;
    const { store } = this.#input;
    const end = Math.min(delta.length, delta.index + CHUNK_ROWS);
    for (; delta.index < end; delta.index++) {
      const slot = delta.slots[delta.index] as number;
      const was = store.visible(slot, from);
      if (was === store.visible(slot, to)) continue;
      if (was === (sign === -1) && this.#isShown(slot, was ? timeFrom : timeTo)) this.#take(slot, sign, out);
    }
  }

  /** Rows that stayed in the input and whose bound time has passed. */
  #range(out: Chunk, index: OrderedIndex | null, column: number | null, sign: 1 | -1, next: Phase): void {
    const { from, to, timeFrom, timeTo } = this.step;
    if (index === null || column === null || from < 0 || timeTo <= timeFrom) {
      this.#enter(next);
      return;
    }
    const { store } = this.#input;
    if (this.#at === -2) this.#at = index.seek((slot) => this.#time(slot, column) <= timeFrom);
    for (let n = 0; n < ENTRIES_PER_CALL && out.length < CHUNK_ROWS; n++) {
      const slot = this.#at < 0 ? -1 : index.slot(this.#at);
      if (slot < 0 || this.#time(slot, column) > timeTo) {
        this.#enter(next);
        return;
      }
      const stayed = store.visible(slot, from) && store.visible(slot, to);
      if (stayed && this.#isShown(slot, timeFrom) !== this.#isShown(slot, timeTo))
        this.#take(slot, sign, out);
      this.#at = index.nextOfAll(this.#at);
    }
  }

  #evict(): void {
    const index = this.#until as OrderedIndex;
    const column = this.#spec.until as number;
    const { store } = this.#input;
    const { to, timeTo } = this.step;
    // A killed row of this step leaves the index at once, and places with it: so first they are listed, and the next call begins by time.
    let at = index.seek((slot) => this.#time(slot, column) < this.#evicted);
    const over: number[] = [];
    for (; at >= 0 && over.length < ENTRIES_PER_CALL; at = index.nextOfAll(at)) {
      const slot = index.slot(at);
      const time = this.#time(slot, column);
      if (time > timeTo) break;
      if (!store.visible(slot, to)) continue;
      over.push(slot);
      this.#evicted = time;
    }
    for (const slot of over) store.kill(slot);
    if (over.length < ENTRIES_PER_CALL) this.#enter("done");
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#at = -2;
  }

  #take(slot: number, sign: 1 | -1, out: Chunk): void {
    const { store, weighted } = this.#input;
    (this.#copy as Copy)(slot, out, out.length);
    out.weights[out.length++] = sign * (weighted ? store.weight(slot) : 1);
  }

  #isShown(slot: number, time: number): boolean {
    const { from, until } = this.#spec;
    return (
      (from === null || this.#time(slot, from) <= time) && (until === null || time < this.#time(slot, until))
    );
  }

  /** In microseconds since 1970. Times beyond the year 2255 lose their last digits here, and infinity is far away. */
  #time(slot: number, column: number): number {
    const { store } = this.#input;
    const value = store.F[(slot * store.layout.strideWords + store.layout.words[column]!) >> 1] as number;
    return value < WIDE ? value : Number(store.dictionary.bigint(value));
  }
}

/** timestamptz's infinity is the greatest int64. */
const INFINITE = 2 ** 63 - 1024;

function byTime(column: number): OrderedIndexSpec {
  return { partition: [], order: [{ column, descending: false, nullsFirst: false }] };
}
