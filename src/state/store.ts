/**
 * A Store: the rows of one collection, in versions, found through indexes. See README.md for the idea.
 *
 * A row's life: alloc() gives a slot; write() or generated code fills its columns; insert() enters it into every index, counts its references and
 * notes it in the journal of the step. kill() ends it at this step: readers of earlier epochs still see it, so it stays in the indexes until
 * vacuum() finds that nobody reads that far back. A row born and killed within one step was never seen by anybody and leaves at once.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { ColdRows } from "./cold/cold-rows.ts";
import type { ColdHost } from "./cold/host.ts";
import type { KeptLinks, KeptRun } from "./cold/kept.ts";
import type { RunFiles } from "./cold/run-files.ts";
import type { Dictionary } from "./dictionary.ts";
import { type EntryCode, entryCode, type Touched } from "./entry-code.ts";
import type { HashIndex, HashIndexSpec } from "./hash-index.ts";
import { createLayout, type LayoutColumn, type RowLayout } from "./layout.ts";
import { Marks } from "./marks.ts";
import { GrowingMemory, Int32List, Int32Queue } from "./memory.ts";
import type { OrderedIndex, OrderedIndexSpec } from "./ordered-index.ts";
import { type RowCode, rowCode } from "./row-code.ts";
import { LIVE, type Rows } from "./rows.ts";
import { StoreIndexes, sameList } from "./store-indexes.ts";
import { enterAll, takeIn } from "./take-in.ts";

export { LIVE };

/** Runs of fewer words are copied word by word: a call costs as much. */
export const SHORT_RUN_WORDS = 64;

export class Store implements Rows, ColdHost {
  readonly name: string;
  readonly layout: RowLayout;
  readonly dictionary: Dictionary;
  I: Int32Array;
  F: Float64Array;
  /** The step being made. */
  epoch = 0;
  /** Rows alive, cold ones too. */
  live = 0;
  /** Those that are on disk; null: all are in memory, always. */
  cold: ColdRows | null = null;
  /** How many need all rows in memory. */
  warmers = 0;
  /** Slots 0 .. highWater-1 may hold rows; a free one has birth LIVE. */
  highWater = 0;
  /** Slots inserted in this step. One that was killed again in the same step is free (birth LIVE). */
  readonly born: Int32List = new Int32List();
  /** Slots killed in this step that were born before it. */
  readonly died: Int32List = new Int32List();
  /** A slot with weight 1, born now; its columns are not set. The caller has reserved room. */
  readonly alloc: RowCode["alloc"];
  readonly allocAll: RowCode["allocAll"];
  readonly write: RowCode["write"];
  readonly read: RowCode["read"];
  readonly same: RowCode["same"];
  /** Counts a row's references, and gives them back: of one born in this step, around a change of columns that no index is on. */
  readonly retain: RowCode["retain"];
  readonly release: RowCode["release"];
  readonly hasReferences: RowCode["hasReferences"];
  /** Enters the row into all indexes, counts its references, journals it. */
  insert: EntryCode["insert"];
  /** The same for the first `count` slots of a list. */
  insertAll: EntryCode["insertAll"];
  /**
   * kill() for the first `count` slots of a list, which is used up. False: one of them is not alive, or is there twice, and the store is not to be
   * used.
   */
  killAll: EntryCode["killAll"];
  #insertEntered: EntryCode["insertEntered"];
  #leave: EntryCode["leave"];
  readonly #memory = new GrowingMemory();
  readonly #free = new Int32List();
  /** Freed within this step: not given out again before the next, so that `born` names each slot once. */
  readonly #limbo = new Int32List();
  readonly #dead = new Int32Queue();
  readonly #pins: number[] = [];
  /** Of them, those under which slots stay what they are. */
  #firm = 0;
  /** How many are going through a list of rows. */
  #holds = 0;
  readonly #indexes = new StoreIndexes(this, () => this.#enterIndexes());
  /** Rows below it have given back their references: see releaseRows. */
  #released = 0;
  readonly #touched: Touched = { slots: null };
  /** Stands for the code until a row comes or goes: with many stores there are many that none enters before their indexes change. */
  readonly #first: EntryCode = {
    insert: (slot) => this.#entered().insert(slot),
    insertAll: (slots, count) => this.#entered().insertAll(slots, count),
    insertEntered: (slots, count) => this.#entered().insertEntered(slots, count),
    leave: (slot) => this.#entered().leave(slot),
    killAll: (slots, count) => this.#entered().killAll(slots, count),
  };

  constructor(name: string, columns: readonly LayoutColumn[], dictionary: Dictionary) {
    this.name = name;
    this.layout = createLayout(columns);
    this.dictionary = dictionary;
    this.I = this.#memory.I;
    this.F = this.#memory.F;
    const code = rowCode(this, this.#free);
    this.alloc = code.alloc;
    this.allocAll = code.allocAll;
    this.hasReferences = code.hasReferences;
    this.write = code.write;
    this.read = code.read;
    this.same = code.same;
    this.retain = code.retain;
    this.release = code.release;
    this.insert = this.#first.insert;
    this.insertAll = this.#first.insertAll;
    this.killAll = this.#first.killAll;
    this.#insertEntered = this.#first.insertEntered;
    this.#leave = this.#first.leave;
  }

  /** Bytes in use: rows and indexes. */
  get bytes(): number {
    let bytes = this.highWater * this.layout.strideWords * 4 + (this.cold?.bytes ?? 0);
    for (const index of this.#indexes.hashed) bytes += index.bytes;
    for (const index of this.#indexes.ordered) bytes += index.bytes;
    for (const { index } of this.#indexes.growths) bytes += index.bytes;
    return bytes;
  }

  /** Bytes on disk, of rows that are not in memory. */
  get coldBytes(): number {
    return this.cold?.diskBytes ?? 0;
  }

  /** Rows born in this step that are still there. */
  get bornCount(): number {
    return this.born.length - this.#limbo.length;
  }

  /** A step begins. */
  begin(epoch: number): void {
    assert(epoch > this.epoch || (epoch === this.epoch && this.born.length === 0), "epochs rise");
    this.epoch = epoch;
    this.born.refill();
    this.died.refill();
    const limbo = this.#limbo;
    for (let i = 0; i < limbo.length; i++) this.#free.push(limbo.array[i] as number);
    limbo.clear();
  }

  /** Makes room for `rows` more rows. Call before a loop that allocates up to that many; take I and F after it. */
  reserve(rows: number): void {
    const fresh = rows - this.#free.length;
    if (fresh <= 0) return;
    const slots = this.highWater + fresh;
    if (this.#memory.ensure(slots * this.layout.strideWords * 4)) {
      this.I = this.#memory.I;
      this.F = this.#memory.F;
      this.#touched.slots?.ensure(this.#room);
    }
    for (const index of this.#indexes.hashed) index.reserve(slots);
    for (const { index } of this.#indexes.growths) if ("reserve" in index) index.reserve(slots);
  }

  /** Ends a living row at this step. */
  kill(slot: number): void {
    const { birthWord, deathWord, strideWords } = this.layout;
    const base = slot * strideWords;
    assert(this.I[base + deathWord] === LIVE, "a row dies once");
    this.live--;
    if (this.I[base + birthWord] === this.epoch) {
      this.#leave(slot);
      this.#limbo.push(slot);
      return;
    }
    this.I[base + deathWord] = this.epoch;
    this.#dead.push(slot);
    this.died.push(slot);
    if (this.#touched.slots !== null) this.#touched.slots.add(slot);
  }

  visible(slot: number, epoch: number): boolean {
    const { birthWord, deathWord, strideWords } = this.layout;
    const base = slot * strideWords;
    return (this.I[base + birthWord] as number) <= epoch && epoch < (this.I[base + deathWord] as number);
  }

  /** The step that made the row. */
  birthOf(slot: number): number {
    return this.I[slot * this.layout.strideWords + this.layout.birthWord] as number;
  }

  weight(slot: number): number {
    return this.I[slot * this.layout.strideWords + this.layout.weightWord] as number;
  }

  /**
   * The existing equal index, or a new one over the rows present: at once, so over many rows grow it first. `bringsBack`: who looks up by it brings
   * rows back before (state/cold), so that they may go to disk.
   */
  hashIndex(spec: HashIndexSpec, bringsBack = false): HashIndex {
    return this.#indexes.hash(spec, bringsBack);
  }

  /** The same of an ordered index: who reads it brings back what he reads of a partition before. */
  orderedIndex(spec: OrderedIndexSpec, bringsBack = false): OrderedIndex {
    return this.#indexes.inOrder(spec, bringsBack);
  }

  /**
   * The same, made piece by piece: call advance() between steps or chunks, until it says that the index is there; from then on hashIndex() and
   * orderedIndex() find it. release() when it was leased by those who need it, or is no longer wanted.
   */
  growIndex(
    spec: HashIndexSpec | OrderedIndexSpec,
    bringsBack = false,
  ): { advance(slots: number): boolean; release(): void } {
    return this.#indexes.grow(spec, bringsBack);
  }

  /** One user of the index less; with the last one it goes. Every hashIndex() and orderedIndex() call made one; `bringsBack`: as it was asked for. */
  dropIndex(index: HashIndex | OrderedIndex, bringsBack = false): void {
    this.#indexes.release(index, bringsBack);
  }

  get hashIndexes(): readonly HashIndex[] {
    return this.#indexes.hashed;
  }

  get orderedIndexes(): readonly OrderedIndex[] {
    return this.#indexes.ordered;
  }

  /** Whether no more than one index is there, or being made. */
  get hasOneIndex(): boolean {
    const { hashed, ordered, growths } = this.#indexes;
    return hashed.length + ordered.length + growths.length <= 1;
  }

  /** An index came or went. */
  #enterIndexes(): void {
    this.#enterBy(this.#first);
    this.#linkCold();
  }

  #enterBy(code: EntryCode): void {
    this.insert = code.insert;
    this.insertAll = code.insertAll;
    this.killAll = code.killAll;
    this.#insertEntered = code.insertEntered;
    this.#leave = code.leave;
  }

  /**
   * Cold rows are found by what all indexes but the first find rows by, ordered ones by partition; and by the first, where no key has cold rows in
   * order.
   */
  #linkCold(): void {
    const { cold } = this;
    if (cold === null) return;
    const others = this.#indexes.hashed.slice(cold.key === null ? 0 : 1).map(({ spec }) => spec.columns);
    const partitions = this.#indexes.ordered.map(({ spec }) => spec.partition);
    const columns = [...others, ...partitions.filter(({ length }) => length > 0)];
    cold.linkBy(columns.filter((own, i) => columns.findIndex((other) => sameList(own, other)) === i));
  }

  /**
   * Enters those of the first `count` slots whose key the first index made, a unique one, does not have, not even of a dead row. The others are free
   * again, and their places in the list are the first of `met`; gives how many they are.
   */
  insertNew(slots: Int32Array, count: number, met: Int32Array): number {
    const index = this.#indexes.hashed[0];
    assert(index?.spec.unique === true, "new rows are told by the first index");
    if (index.insertNew(slots, count, met) === 0) {
      this.#insertEntered(slots, count);
      return 0;
    }
    const { birthWord, strideWords } = this.layout;
    let others = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number;
      if ((met[i] as number) < 0) slots[i - others] = slot;
      else {
        this.I[slot * strideWords + birthWord] = LIVE;
        this.#free.push(slot);
        met[others++] = i;
      }
    }
    this.#insertEntered(slots, count - others);
    return others;
  }

  /** From now on by code for the indexes that there are. */
  #entered(): EntryCode {
    const { hashed, ordered, growths } = this.#indexes;
    const ended = { dead: this.#dead, limbo: this.#limbo };
    const code = entryCode(this, this.#touched, ended, this, [...hashed, ...ordered], growths);
    this.#enterBy(code);
    return code;
  }

  /**
   * Keeps every row visible at `epoch` until released, and in its slot. `moving`: rows may go to disk and come back meanwhile, which who reads them
   * knows about (cold/cold-scan.ts).
   */
  pin(epoch: number, moving = false): { release(): void } {
    this.#pins.push(epoch);
    if (!moving) this.#firm++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        if (!moving) this.#firm--;
        this.#pins.splice(this.#pins.indexOf(epoch), 1);
      },
    };
  }

  /** Until released, soon, no row that is in memory goes to disk: somebody is going through a list of them. */
  hold(): { release(): void } {
    this.#holds++;
    let held = true;
    return {
      release: () => {
        if (held) this.#holds--;
        held = false;
      },
    };
  }

  /** Frees rows dead at `horizon` (and at every pin), at most `rowsMax` of them; true when all are. */
  vacuum(horizon: number, rowsMax: number = 65_536): boolean {
    horizon = this.horizonOf(horizon);
    const { deathWord, strideWords } = this.layout;
    const dead = this.#dead;
    for (let n = 0; n < rowsMax && dead.length > 0; n++) {
      const slot = dead.peek();
      if ((this.I[slot * strideWords + deathWord] as number) > horizon) return true;
      dead.shift();
      this.#leave(slot);
      this.#free.push(slot);
    }
    return dead.length === 0;
  }

  /** The oldest epoch that anybody reads, pins included. */
  horizonOf(horizon: number): number {
    for (const pin of this.#pins) if (pin < horizon) horizon = pin;
    return horizon;
  }

  /** Rows born up to then, and not dead, are the same to all who read at `horizon` or later; what the step at hand has made is in its journal. */
  sharedUntil(horizon: number): number {
    return Math.min(this.horizonOf(horizon), this.epoch - 1);
  }

  /**
   * From now on rows that nobody asks for may go to files. `columns`: of the first index; null: there is none yet, and what comes are indexes of
   * others.
   */
  chill(files: RunFiles, columns: readonly number[] | null): ColdRows {
    this.cold = new ColdRows(this, files, columns);
    this.#linkCold();
    return this.cold;
  }

  /** Whether rows may be elsewhere: who looks them up by an index brings them back, and nobody needs all of them in memory. */
  get isCoolable(): boolean {
    const { cold } = this;
    if (cold === null || this.warmers > 0) return false;
    const { hashed, ordered, growths } = this.#indexes;
    if (growths.length > 0 || !cold.isLinked) return false;
    if (!ordered.every((index) => this.#indexes.bringsBack(index))) return false;
    for (let i = cold.key === null ? 0 : 1; i < hashed.length; i++)
      if (!this.#indexes.bringsBack(hashed[i] as HashIndex)) return false;
    return true;
  }

  /** Puts in place which rows are cold, as a checkpoint says; where rows may not be, they come back at once. After restored(). */
  async restoreCold(
    runs: readonly KeptRun[],
    here: ReadonlyMap<number, Int32Array>,
    links: readonly KeptLinks[],
  ): Promise<void> {
    const { cold } = this;
    if (cold === null) throw new EvertError("log_damaged", `a checkpoint has cold rows of ${this.name}`);
    await cold.restore(runs, here, links);
    this.live += cold.rows;
    if (!this.isCoolable) await cold.thaw(nextTurn);
  }

  get mayCool(): boolean {
    return this.#holds === 0 && this.mayCoolSoon;
  }

  get mayCoolSoon(): boolean {
    return this.#firm === 0 && this.isCoolable;
  }

  /** Enters a row that was cold into the indexes: it was alive all the time, so it is in no journal. */
  admit(slot: number): void {
    this.retain(slot);
    for (const index of this.#indexes.hashed) index.insert(slot);
    for (const index of this.#indexes.ordered) index.insert(slot);
    for (const growth of this.#indexes.growths) growth.inserted(slot);
    this.#touched.slots?.add(slot);
  }

  /** Takes out a row that is cold now: it stays alive. */
  dismiss(slot: number): void {
    this.#leave(slot);
    this.#free.push(slot);
    this.#touched.slots?.add(slot);
  }

  /** Whether there are dead rows that vacuum() has not freed. */
  get hasDead(): boolean {
    return this.#dead.length > 0;
  }

  /** Whether there are such rows that died at the epoch or before. */
  hasDeadBy(epoch: number): boolean {
    const dead = this.#dead;
    return (
      dead.length > 0 &&
      (this.I[dead.peek() * this.layout.strideWords + this.layout.deathWord] as number) <= epoch
    );
  }

  /** Whether somebody reads rows as of an epoch. */
  get isPinned(): boolean {
    return this.#pins.length > 0;
  }

  /**
   * Gives back the references of all rows, at most `rowsMax` of them a call; true when all are. For a store nobody writes any more; while it
   * is pinned nothing happens.
   */
  releaseRows(rowsMax: number): boolean {
    if (this.isPinned) return false;
    const { birthWord, strideWords } = this.layout;
    const end = Math.min(this.highWater, this.#released + rowsMax);
    for (; this.#released < end; this.#released++) {
      if (this.I[this.#released * strideWords + birthWord] !== LIVE) this.release(this.#released);
    }
    return this.#released === this.highWater;
  }

  /** Gives back the memory of rows and indexes, once releaseRows() has said that all is released: nobody reads or writes them any more. */
  discard(): void {
    this.cold?.discard();
    this.#memory.clear();
    this.I = this.#memory.I;
    this.F = this.#memory.F;
    for (const index of [...this.#indexes.hashed, ...this.#indexes.ordered]) index.clear();
    for (const { index } of this.#indexes.growths) index.clear();
    for (const list of [this.born, this.died, this.#free, this.#limbo]) list.clear();
    this.#dead.clear();
    this.#touched.slots = null;
    this.live = 0;
    this.highWater = 0;
    this.#released = 0;
  }

  /** Slots that can be given out without more memory. */
  get freeSlots(): number {
    return this.#free.length + this.#limbo.length;
  }

  /** Starts marking touched slots for checkpoints, and gives the marks made since the last call. */
  takeTouched(): Int32Array {
    if (this.#touched.slots !== null) return this.#touched.slots.take();
    this.#noteTouched();
    return new Int32Array(0);
  }

  #noteTouched(): void {
    const marks = new Marks();
    marks.ensure(this.#room);
    this.#touched.slots = marks;
  }

  /** Slots there is memory for. */
  get #room(): number {
    return Math.floor(this.#memory.bytes / (this.layout.strideWords * 4));
  }

  /** Puts rows into slots while restoring; `words` are their rows, one behind the other, from `at` on. Indexes follow in restored(). */
  restoreRows(slots: Int32Array, words: Int32Array, at: number): void {
    const { strideWords: stride } = this.layout;
    const { I, highWater } = this;
    const n = slots.length;
    for (let i = 0; i < n; ) {
      const slot = slots[i] as number;
      let run = 1;
      while (i + run < n && slots[i + run] === slot + run) run++;
      if (slot < 0 || slot + run > highWater) {
        throw new EvertError(
          "log_damaged",
          `a checkpoint names slot ${slot} of ${this.name}, which it does not have`,
        );
      }
      const length = run * stride;
      const to = slot * stride;
      if (length >= SHORT_RUN_WORDS) I.set(words.subarray(at, at + length), to);
      else for (let w = 0; w < length; w++) I[to + w] = words[at + w] as number;
      at += length;
      i += run;
    }
  }

  /** Before restoreRows calls: room for slots below `slots`, all free (fresh memory is zero, and so is the weight of no row). */
  restoring(slots: number): void {
    assert(this.highWater === 0, "restore into an empty store");
    this.#memory.ensure(Math.max(1, slots * this.layout.strideWords * 4));
    this.I = this.#memory.I;
    this.F = this.#memory.F;
    this.highWater = slots;
  }

  /** A row taken away again by a later part of the checkpoint. */
  restoreAbsent(slot: number): void {
    this.I[slot * this.layout.strideWords + this.layout.weightWord] = 0;
  }

  /**
   * After the last restoreRows: epochs start anew at `epoch`, references are counted; yields between pieces of index building. `elsewhere`: an index
   * that another makes.
   */
  *restored(epoch: number, elsewhere: HashIndex | null = null): Generator<void> {
    this.epoch = epoch;
    const indexes = this.#indexes.hashed.filter((index) => index !== elsewhere);
    yield* takeIn(this, epoch, this.#free, indexes);
    for (const index of this.#indexes.ordered) yield* index.build();
    this.#noteTouched();
  }

  /** After restored(): enters all rows into an index that another has not made. */
  enterAll(index: HashIndex): Generator<void> {
    return enterAll(this, this.#free, index);
  }
}
