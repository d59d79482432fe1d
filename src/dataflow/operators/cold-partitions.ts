/**
 * Partitions of a stored input with an ordered index, of which rows are on disk: before one is walked from its beginning, the rows that the walk will
 * meet are brought back.
 *
 * 1. Rows of a partition are found by links (state/cold/links.ts). Those of some partitions come back, all of them; what is whole is remembered
 *    there.
 * 2. A partition that has more rows on disk than are to come back at once is asked for alone. The walk looks at no more than its beginning: up to an
 *    *edge*, a row in memory. Rows on disk are read through, and those come back that stand before the edge, which so moves forward.
 * 3. From then on all of the partition that stands before the edge is in memory, whatever comes. So the edge is kept, some rows behind what was
 *    walked; where a row before it goes out, that is the edge. The partition is read through again only where the edge no longer suffices. A
 *    partition that was whole when it was walked, and has more than some rows, has an edge, too: most changes concern no row before it, and then
 *    nothing is asked for.
 *
 * The store is held from the first question on, for a step at most, while not much has come back. How much came back at once it tells the store
 * (Crowd), which keeps so many slots free from then on: else it would grow by as much each time that rows come back faster than others go. As
 * everywhere the operator returns, and the scheduler waits.
 */
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import type { LinkedScan, TakeRow } from "../../state/cold/linked-scan.ts";
import type { Found, Links } from "../../state/cold/links.ts";
import type { OrderedIndex, OrderedIndexSpec } from "../../state/ordered-index.ts";
import { LIVE, type Store } from "../../state/store.ts";
import type { Node } from "../node.ts";
import { bringAll, EdgePage } from "./edge-page.ts";

/** Partitions asked for at once: the most, and how many to begin with, for one may have any number of rows. */
const ASKED_MAX = 1_024;
const ASKED_FIRST = 64;
/** Rows that come back at once; more of one partition are read through. */
const BROUGHT_MAX = 1_024;
/** Rows that have come back, after which the store is let go as soon as that may be. */
const HELD_MAX = 512;
/** Where links lead is kept in memory for no more than so many, but for a single partition. */
const FOUND_MAX = 32_768;
/** Rows behind what was walked up to which a partition that was read through is there; of twice as many the last are let go. */
const SPARE_ROWS = 128;
/**
 * Of them, those that stay in memory with what was walked, where all partitions together have no more than so many: else the first ones of each would
 * go out for the others' next ones.
 */
const SPARE_ASKED = 32;
const SPARE_ASKED_ALL = 4_096;
/**
 * Rows behind what was walked that a partition which is whole has to have for an edge: one of fewer is brought back, and needs no memory meanwhile.
 */
const SPARE_FIRST = 8;
/**
 * Of a partition that has no edge in memory yet, all rows that are read come back: so many are read first, and then twice as many each time, for the
 * more have been read, the fewer of the next ones stand before the edge.
 */
const FIRST_READ = 256;
/** Rows of all partitions that are ready at once, where each has as many as a walk looks at. */
const READY_ROWS = 16_384;
/** Partitions of which an edge is kept. */
const EDGES_MAX = 65_536;
/** An entry of a Map of numbers, about. */
const EDGE_BYTES = 32;

export interface Walked {
  readonly store: Store;
  readonly index: OrderedIndex;
  /** Rows of a partition that a walk looks at, about. */
  readonly rows: number;
  /**
   * The last row that a walk of the row's partition looks at, or `spare` rows further; -1: the partition ends before it, or before the walk has all
   * it looks for.
   */
  edge(row: number, spare: number): number;
}

/** What a ranking asks before it walks, of partitions (this file) or where all rows are one (cold-firsts.ts). */
export interface ColdWalks {
  readonly bytes: number;
  readonly broughtNow: number;
  ready(slots: Int32Array, from: number, to: number): number;
  walked(row: number): void;
  took(partitions: number, between: boolean): void;
  fetched(): void;
  release(): void;
  close(): void;
}

export class ColdPartitions implements ColdWalks {
  readonly #node: Node;
  readonly #walked: Walked;
  /** Partitions that are asked for at once: the most, and now. */
  readonly #askedMax: number;
  #most: number;
  #ready = 0;
  /** What was asked for last; not settled: it is asked for again, or less of it. null: nothing, or nobody waits for it any more. */
  #asked: { readonly rows: number; isSettled: boolean } | null = null;
  #held: { release(): void } | null = null;
  /** Rows that had come back when the store was held. */
  #brought = 0;
  #crowd: { rows: number; readonly cold: ColdRows } | null = null;
  readonly #edges = new Map<number, number>();
  #links: Links | null = null;
  #page: EdgePage | null = null;
  /** While a partition is read through. */
  #scan: LinkedScan | null = null;

  constructor(node: Node, walked: Walked) {
    this.#node = node;
    this.#walked = walked;
    // Each is walked to its edge when it is asked for, and all that are ready stay in memory.
    this.#askedMax = Math.max(1, Math.min(ASKED_MAX, Math.floor(READY_ROWS / Math.max(1, walked.rows))));
    this.#most = Math.min(ASKED_FIRST, this.#askedMax);
  }

  /** In memory. */
  get bytes(): number {
    return (this.#scan?.bytes ?? 0) + (this.#page?.bytes ?? 0) + this.#edges.size * EDGE_BYTES;
  }

  /**
   * Of how many of the partitions of the rows slots[from..to-1] a walk meets all it looks for; 0: that is being fetched, and then the operator works
   * again.
   */
  ready(slots: Int32Array, from: number, to: number): number {
    if (this.#ready > 0) return this.#ready;
    const { store, index } = this.#walked;
    const { cold } = store;
    if (cold === null) return Number.POSITIVE_INFINITY;
    if (this.#held === null) {
      this.#held = store.hold();
      this.#brought = cold.brought;
      this.#joinCrowds(cold);
    }
    if (cold.isEmpty) return this.#all(to - from);
    const links = this.#linksOf(cold, index.spec);
    const rows = Math.min(this.#most, to - from);
    for (let i = from; i < from + rows; i++) {
      const row = slots[i] as number;
      const hash = links.key.ofSlot(store, row);
      if (!this.#isBeforeEdge(hash, row)) links.wantHash(hash);
    }
    const { moves } = cold;
    const finding = cold.find(links, FOUND_MAX);
    if (finding === null) {
      this.#askMore(rows);
      return this.#all(rows);
    }
    const asked = { rows, isSettled: false };
    this.#asked = asked;
    const found = finding.then(async (found) => {
      asked.isSettled = await this.#found(found, cold, slots[from] as number, rows, moves);
    });
    this.#node.host.fetch(this.#node, found);
    return 0;
  }

  #askMore(rows: number): void {
    if (rows === this.#most) this.#most = Math.min(this.#askedMax, this.#most * 2);
  }

  #all(rows: number): number {
    this.#ready = rows;
    return rows;
  }

  /** Whether what the partitions have on disk is of no concern any more. */
  async #found(found: Found, cold: ColdRows, row: number, rows: number, moves: number): Promise<boolean> {
    const count = found.isCut ? FOUND_MAX * 4 : found.rows.length;
    if (count > BROUGHT_MAX && found.keys.length > 1) {
      this.#most = Math.max(1, Math.min(rows >>> 1, Math.floor((rows * BROUGHT_MAX) / count / 2)));
      return false;
    }
    if (count > BROUGHT_MAX && cold.key !== null) {
      // Of several partitions only one has any on disk: which of them it is, is asked alone.
      if (rows > 1) {
        this.#most = 1;
        return false;
      }
      await this.#readThrough(found, cold, row);
      return true;
    }
    for (let at = 0; at < found.rows.length; at += BROUGHT_MAX)
      await cold.bringFound(found, at, Math.min(found.rows.length, at + BROUGHT_MAX));
    cold.foundAll(found, moves);
    if (count * 4 < BROUGHT_MAX) this.#askMore(rows);
    return cold.moves === moves;
  }

  /** Brings back what stands before the edge of the row's partition, and keeps the edge. */
  async #readThrough(found: Found, cold: ColdRows, row: number): Promise<void> {
    const { store } = this.#walked;
    const page = (this.#page ??= new EdgePage(this.#walked, cold.codec));
    const scan = cold.scanFound(found);
    this.#scan = scan;
    try {
      for (let most = FIRST_READ; this.#asked !== null; ) {
        const before: number[] = [];
        const edge = this.#walked.edge(row, SPARE_ROWS);
        page.begin(edge);
        const take: TakeRow = (from, at, hash) => {
          if (page.isBefore(from, at)) before.push(hash);
        };
        if (edge >= 0) most *= 2;
        const reading = scan.read(take, most);
        if (reading === null) break;
        await reading;
        await bringAll(cold, before);
      }
    } finally {
      scan.close();
      this.#scan = null;
      page.end();
    }
    if (this.#asked === null) return;
    const edge = this.#walked.edge(row, SPARE_ROWS);
    if (edge < 0) return;
    const hash = found.links.key.ofSlot(store, row);
    if (this.#edges.size >= EDGES_MAX) this.#edges.clear();
    this.#edges.set(hash, edge);
  }

  /** Whether all that a walk looks for stands before the edge that is known. */
  #isBeforeEdge(hash: number, row: number): boolean {
    const known = this.#edges.get(hash);
    if (known === undefined) return false;
    const edge = this.#walked.edge(row, 0);
    return (
      edge >= 0 && this.#walked.index.isOfOne(edge, known) && this.#walked.index.compare(edge, known) <= 0
    );
  }

  /** The partition of the row has been walked: its edge is one that will be there, and no further behind than it has to be. */
  walked(row: number): void {
    // Without links nothing of the table is on disk yet.
    if (this.#links === null || this.#held === null) return;
    const { store, index } = this.#walked;
    const hash = this.#links.key.ofSlot(store, row);
    let edge = this.#edges.get(hash);
    if (edge === undefined) {
      // All of it is in memory now. What is behind the edge may go, and is not asked for as long as the walk ends before it.
      const first = this.#walked.edge(row, SPARE_FIRST);
      if (first < 0) return;
      if (this.#edges.size >= EDGES_MAX) this.#edges.clear();
      this.#edges.set(hash, (edge = first));
    }
    if (!index.isOfOne(edge, row)) return;
    const most = this.#walked.edge(row, SPARE_ROWS * 2);
    if (most >= 0 && index.compare(most, edge) < 0) edge = this.#walked.edge(row, SPARE_ROWS);
    this.#edgeAt(hash, index.positionOf(edge));
    const { cold } = store;
    const last = this.#walked.edge(row, 0);
    let at = last < 0 ? -1 : index.positionOf(last);
    const spare = Math.min(SPARE_ASKED, Math.ceil(SPARE_ASKED_ALL / Math.max(1, this.#edges.size)));
    for (let n = 0; n < spare && at >= 0; n++, at = index.next(at)) cold?.asked(index.slot(at));
  }

  /** A row goes out: what stands before it is all there is known to be in memory. */
  readonly #left = (hash: number, slot: number): void => {
    const edge = this.#edges.get(hash);
    if (edge === undefined) return;
    const { index } = this.#walked;
    if (!index.isOfOne(slot, edge) || index.compare(slot, edge) > 0) return;
    this.#edgeAt(hash, index.previous(index.positionOf(slot)));
  };

  /** The edge is the row at the position, or the one before it that is alive. */
  #edgeAt(hash: number, position: number): void {
    const { store, index } = this.#walked;
    const { deathWord, strideWords } = store.layout;
    let at = position;
    while (at >= 0 && store.I[index.slot(at) * strideWords + deathWord] !== LIVE) at = index.previous(at);
    if (at < 0) this.#edges.delete(hash);
    else this.#edges.set(hash, index.slot(at));
  }

  #linksOf(cold: ColdRows, { partition }: OrderedIndexSpec): Links {
    const links = cold.linksBy(partition) as Links;
    if (links === this.#links) return links;
    this.#leaveLinks();
    links.watchers.add(this.#left);
    this.#links = links;
    return links;
  }

  #leaveLinks(): void {
    this.#links?.watchers.delete(this.#left);
    this.#links = null;
    this.#edges.clear();
  }

  /** What was asked for is there. */
  fetched(): void {
    const asked = this.#asked;
    this.#asked = null;
    if (asked?.isSettled === true) this.#ready = asked.rows;
  }

  /**
   * So many of the partitions have been walked; `between`: none of them in part. What is there may be walked again soon: it stays, unless it is much.
   */
  took(partitions: number, between: boolean): void {
    if (this.#held === null) return;
    this.#ready -= partitions;
    if (!between) return;
    if (this.broughtNow > HELD_MAX) this.release();
    else this.#ready = 0;
  }

  /** Rows that have come back since the store was held. */
  get broughtNow(): number {
    return this.#held === null ? 0 : (this.#walked.store.cold?.brought ?? 0) - this.#brought;
  }

  #joinCrowds(cold: ColdRows): void {
    if (this.#crowd?.cold === cold) return;
    this.#leaveCrowds();
    this.#crowd = { rows: 0, cold };
    cold.crowds.add(this.#crowd);
  }

  #leaveCrowds(): void {
    if (this.#crowd !== null) this.#crowd.cold.crowds.delete(this.#crowd);
    this.#crowd = null;
  }

  /** Rows may go out again. */
  release(): void {
    const crowd = this.#crowd;
    // It may be less for long, and then slots that nobody needs are taken by others.
    if (crowd !== null) crowd.rows = Math.max(this.broughtNow, crowd.rows - (crowd.rows >>> 6) - 1, 0);
    this.#ready = 0;
    this.#asked = null;
    this.#held?.release();
    this.#held = null;
  }

  /** The store is read no longer. */
  close(): void {
    this.release();
    this.#leaveCrowds();
    this.#leaveLinks();
    this.#page = null;
  }
}
