/**
 * The first rows of all of a store in an order, where rows of it are on disk: before they are walked, those come back that the walk will meet.
 *
 * There is no partition, so no link leads to them, and none is made. What is known is an *edge*, a row in memory: all rows that stand before it are
 * in memory, too.
 *
 * 1. It holds from the moment on when rows go out for the first time. They go by a hand, which spares those up to the edge (Keeper), so it holds
 *    whatever comes, and a change that leaves the first rows before the edge asks no disk.
 * 2. The edge stands a part of the store behind what is walked. As rows come before it, the hand finds it too far behind, and it is moved forward; as
 *    they leave, what is walked comes nearer, until it would pass it.
 * 3. Then, and with the first change after a start, which knows no edge, all rows on disk are read through, as they are at that moment, and those
 *    come back that stand before a new edge. The more have come back, the nearer that is. What is behind it may go out meanwhile: each time some
 *    hundreds have come back there is a moment for it. So a pass needs no room but for what stands before the edge, however large the store is.
 *
 * From the beginning of the walk to its end the store is held. As everywhere the operator returns, and the scheduler waits.
 */
import { systemSlices } from "../../base/slices.ts";
import type { ColdRows, Crowd } from "../../state/cold/cold-rows.ts";
import type { ColdScan } from "../../state/cold/cold-scan.ts";
import type { Keeper } from "../../state/cold/hand.ts";
import type { TakeRow } from "../../state/cold/linked-scan.ts";
import { LIVE } from "../../state/store.ts";
import type { Node } from "../node.ts";
import type { ColdWalks, Walked } from "./cold-partitions.ts";
import { bringAll, EdgePage } from "./edge-page.ts";

/** Instead of a row at the edge: nothing is known, or all rows are in memory and stay there. */
const UNKNOWN = -1;
const BEHIND_ALL = -2;
/**
 * Rows between what is walked and a new edge: a part of the store's slots, for a pass costs as much as there are rows; and of twice as many the last
 * are let go.
 */
const SPARE_PART = 16;
const SPARE_MIN = 32;
const SPARE_MAX = 65_536;
/** Rows compared with one edge, and those that come back in a pass between two moments in which others may go. */
const COMPARED_MAX = 256;
const BROUGHT_MAX = 1_024;
/** Dead rows that are passed by to find a living one before them for the edge, and behind a place where it should be. */
const DEAD_MAX = 16_384;
const FEW = 64;
/** In a pass the edge is moved when so large a part of what is walked has come back. */
const TIGHTENED_PART = 16;
const SLICE_MS = 2;

export class ColdFirsts implements ColdWalks, Keeper {
  readonly #node: Node;
  readonly #walked: Walked;
  /** Whose hand spares rows for it. */
  #cold: ColdRows | null = null;
  readonly #crowd: Crowd = { rows: BROUGHT_MAX + COMPARED_MAX };
  #edge = UNKNOWN;
  /** Entries that the last walk had before its end. */
  #rank = 0;
  /** The store's epoch, when all had been walked that had changed in it. */
  #walkedEpoch = 0;
  #held: { release(): void } | null = null;
  /** While all is read through, and how many rows had come back before. */
  #scan: ColdScan | null = null;
  #spare = 0;
  #page: EdgePage | null = null;
  #before = 0;
  /** How many had when the edge was moved last. */
  #tightened = 0;

  constructor(node: Node, walked: Walked) {
    this.#node = node;
    this.#walked = walked;
  }

  /** In memory. */
  get bytes(): number {
    return (this.#scan?.bytes ?? 0) + (this.#page?.bytes ?? 0);
  }

  /** Rows that have come back in the pass at hand. */
  get broughtNow(): number {
    return this.#scan === null ? 0 : (this.#cold?.brought ?? 0) - this.#before;
  }

  /** Rows of the store may go out from now on, if they could not before: then it is known from the first one on what has. */
  join(): void {
    const { cold } = this.#walked.store;
    if (cold === this.#cold) return;
    this.#leave();
    this.#cold = cold;
    this.#walkedEpoch = this.#walked.store.epoch;
    cold?.keepFor(this, true);
  }

  #leave(): void {
    this.#cold?.keepFor(this, false);
    this.#cold?.crowds.delete(this.#crowd);
    this.#cold = null;
    this.#edge = UNKNOWN;
  }

  // ---- the hand ---------------------------------------------------------------------------------------------------

  choosing(): void {
    const { store, index, rows } = this.#walked;
    // What a pass knows so far holds until its end.
    if (this.#scan !== null || this.#cold === null) return;
    if (this.#edge === UNKNOWN) {
      if (this.#cold.rows > 0) return;
      this.#edge = BEHIND_ALL;
    }
    const spare = this.#spareRows;
    // Amid a step all that it has brought so far may stand before the rows as they were, which will be walked as well. And one of those may leave
    // amid it, and then says nothing.
    const isAmid = store.epoch !== this.#walkedEpoch;
    const come = isAmid ? store.bornCount : 0;
    const end = Math.max(Math.min(rows, store.highWater), this.#rank) + come;
    const before = this.#edge === BEHIND_ALL ? index.size : index.rank(index.positionOf(this.#edge));
    if (before > end + 2 * spare) this.#moveForward(end + spare, isAmid ? store.epoch - 1 : store.epoch);
  }

  keeps(slot: number): boolean {
    const edge = this.#edge;
    if (edge < 0) return edge === BEHIND_ALL;
    return this.#walked.index.compare(slot, edge) <= 0;
  }

  get #spareRows(): number {
    return Math.min(SPARE_MAX, Math.max(SPARE_MIN, Math.floor(this.#walked.store.highWater / SPARE_PART)));
  }

  /**
   * The edge is a living row, born by then, with as many before it, and not many more where that may be. It never goes back: of rows behind it, it is
   * not known where they are.
   */
  #moveForward(rank: number, youngest: number): void {
    const { index } = this.#walked;
    const edge = this.#livingBehind(rank, youngest);
    if (edge >= 0 && (this.#edge === BEHIND_ALL || index.compare(edge, this.#edge) < 0)) this.#edge = edge;
  }

  /** -1: none is found soon. */
  #livingBehind(rank: number, youngest: number): number {
    const { store, index } = this.#walked;
    // Where all are dead or too young, there are many of these: then it is looked for twice as far behind.
    for (let far = Math.max(1, rank); far < index.size; far *= 2) {
      let at = index.atRank(far);
      for (let n = 0; at >= 0 && n < FEW; n++, at = index.next(at)) {
        const slot = index.slot(at);
        if (this.#isAlive(slot) && store.birthOf(slot) <= youngest) return slot;
      }
    }
    return -1;
  }

  /**
   * The row, which is in the index, or the next one before it that is alive; UNKNOWN: there is none, or so many are dead that what is before them is
   * next to nothing.
   */
  #livingBefore(slot: number): number {
    const { index } = this.#walked;
    let at = index.positionOf(slot);
    for (let n = 0; at >= 0 && n < DEAD_MAX; n++, at = index.previous(at))
      if (this.#isAlive(index.slot(at))) return index.slot(at);
    return UNKNOWN;
  }

  #isAlive(slot: number): boolean {
    const { store } = this.#walked;
    const { deathWord, strideWords } = store.layout;
    return store.I[slot * strideWords + deathWord] === LIVE;
  }

  // ---- before a walk ----------------------------------------------------------------------------------------------

  /** 1: the walk meets all it looks for; 0: that is being fetched, and then the operator works again. */
  ready(slots: Int32Array, from: number, to: number): number {
    const { store } = this.#walked;
    const { cold } = store;
    if (cold === null || from === to) return Number.POSITIVE_INFINITY;
    if (this.#held !== null) return 1;
    this.join();
    if (cold.isEmpty) {
      // It is known anew when rows go out next.
      this.#edge = UNKNOWN;
      this.#endPass();
    } else if (!this.#isBeforeEdge(slots[from] as number)) {
      this.#node.host.fetch(this.#node, this.#goOn(cold, slots[from] as number));
      return 0;
    }
    this.#held = store.hold();
    return 1;
  }

  /** Whether all that the walk looks for stands before the edge. */
  #isBeforeEdge(row: number): boolean {
    if (this.#scan !== null) return false;
    const { index } = this.#walked;
    // It has died in this step, and is in the index until the step's end at least.
    if (this.#edge >= 0 && !this.#isAlive(this.#edge)) this.#edge = this.#livingBefore(this.#edge);
    const last = this.#walked.edge(row, 0);
    this.#rank = last < 0 ? index.size : index.rank(index.positionOf(last));
    if (this.#edge < 0) return this.#edge === BEHIND_ALL;
    return last >= 0 && index.compare(last, this.#edge) <= 0;
  }

  /** Reads on through what is on disk, until some hundreds of rows have come back or there are no more. */
  async #goOn(cold: ColdRows, row: number): Promise<void> {
    if (this.#scan === null) this.#beginPass(cold, row);
    const scan = this.#scan as ColdScan;
    const page = (this.#page ??= new EdgePage(this.#walked, cold.codec));
    const most = cold.brought + BROUGHT_MAX;
    let ends = systemSlices.ends(SLICE_MS);
    while (this.#scan === scan && cold.brought < most) {
      if (!scan.hasRows) {
        const reading = scan.read();
        if (reading === null) {
          this.#endPass();
          return;
        }
        await reading;
        if (this.#scan !== scan) return;
      }
      const before: number[] = [];
      const take: TakeRow = (from, at, hash) => {
        if (page.isBefore(from, at)) before.push(hash);
      };
      page.begin(this.#edge);
      scan.tell(take, COMPARED_MAX);
      page.end();
      if (before.length > 0) {
        await bringAll(cold, before);
        if (this.#scan !== scan) return;
        this.#tighten(cold, row);
      }
      if (performance.now() < ends) continue;
      await systemSlices.turn();
      ends = systemSlices.ends(SLICE_MS);
    }
  }

  #beginPass(cold: ColdRows, row: number): void {
    this.#spare = this.#spareRows;
    this.#before = cold.brought;
    cold.crowds.add(this.#crowd);
    // Slots have been looked at: what goes out from now on stands behind the edge.
    this.#scan = cold.scan(() => Number.POSITIVE_INFINITY);
    this.#edge = BEHIND_ALL;
    this.#tightened = Number.NEGATIVE_INFINITY;
    this.#tighten(cold, row);
  }

  /** Moves the edge forward, as far as what is in memory says. */
  #tighten(cold: ColdRows, row: number): void {
    const { index } = this.#walked;
    // What is walked is as long as the window: to find its end each time that a row has come back would take longer than the pass.
    if (cold.brought - this.#tightened < this.#rank / TIGHTENED_PART) return;
    this.#tightened = cold.brought;
    const last = this.#walked.edge(row, 0);
    if (last < 0) return;
    this.#rank = index.rank(index.positionOf(last));
    this.#moveForward(this.#rank + this.#spare, this.#walked.store.epoch);
  }

  #endPass(): void {
    this.#scan?.close();
    this.#scan = null;
    this.#page = null;
  }

  // ---- after it ---------------------------------------------------------------------------------------------------

  fetched(): void {}

  walked(): void {}

  took(): void {}

  /** All has been walked: rows may go out again. */
  release(): void {
    this.#walkedEpoch = this.#walked.store.epoch;
    this.#held?.release();
    this.#held = null;
  }

  /** The store is read no longer. */
  close(): void {
    this.release();
    this.#endPass();
    this.#leave();
  }
}
