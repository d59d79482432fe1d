/**
 * Rows on disk that an operator is about to look up in stores by what stands in rows of a delta: they are brought back before, for so many rows of the
 * delta at a time.
 *
 * 1. The keys of the next rows are looked up. Those of which rows may be on disk are asked for (state/cold), and the host fetches.
 * 2. When the rows are there, the stores are held: nothing of them goes to disk until the operator has come to the end of a row of the delta, with its
 *    chunk full or its rows used up. So no list of a key's rows that it is amid of changes.
 * 3. Where rows have moved while they were fetched, all is asked for again, and the stores are held meanwhile: then only runs that become one can move
 *    what is looked for, and they come to an end.
 */
import { assert } from "../../base/assert.ts";
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import type { Links } from "../../state/cold/links.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { Store } from "../../state/store.ts";
import type { Node } from "../node.ts";

/** Rows of a delta whose keys are asked for at once: each may bring many rows back. */
const ASKED_ROWS = 1_024;

/** Wants what the rows slots[from..to-1] will look up; `links`: by which it is found, or by the store's key. */
export type Want = (slots: Int32Array, from: number, to: number, cold: ColdRows, links: Links | null) => void;

export interface Lookup {
  readonly store: Store;
  readonly index: HashIndex;
  readonly want: Want;
}

/** The rows of a delta from `index` on. */
export interface Rows {
  readonly slots: Int32Array;
  readonly index: number;
  readonly length: number;
}

interface Asked {
  readonly rows: number;
  readonly stores: readonly Store[];
  readonly moves: readonly number[];
}

export class ColdMatches {
  readonly #node: Node;
  #held: { release(): void }[] = [];
  /** Rows from the delta's index on whose matches are in memory while the stores are held. */
  #ready = 0;
  #asked: Asked | null = null;
  /** The stores are held before anything is asked for. */
  #insists = false;

  constructor(node: Node) {
    this.#node = node;
  }

  /** Of how many rows the matches are in memory; 0: they are being fetched, and then the operator works again. `stores`: all that it reads. */
  ready(rows: Rows, lookups: readonly Lookup[], stores: readonly Store[]): number {
    if (this.#ready > 0) return this.#ready;
    if (stores.every(({ cold }) => cold === null)) return Number.POSITIVE_INFINITY;
    if (this.#insists) this.#hold(stores);
    const end = Math.min(rows.length, rows.index + ASKED_ROWS);
    const fetches: Promise<void>[] = [];
    const moves = stores.map(({ cold }) => cold?.moves ?? 0);
    let isCold = false;
    for (const { store, index, want } of lookups) {
      const { cold } = store;
      if (cold === null || cold.isEmpty) continue;
      isCold = true;
      want(rows.slots, rows.index, end, cold, linksOf(store, cold, index));
      const fetch = cold.fetch();
      if (fetch !== null) fetches.push(fetch);
    }
    if (fetches.length === 0) {
      this.#hold(stores);
      this.#ready = isCold ? end - rows.index : Number.POSITIVE_INFINITY;
      return this.#ready;
    }
    this.#asked = { rows: end - rows.index, stores, moves };
    this.#node.host.fetch(this.#node, Promise.all(fetches).then(noted));
    return 0;
  }

  /** What was asked for is there. */
  fetched(): void {
    const asked = this.#asked;
    if (asked === null) return;
    this.#asked = null;
    // Also of the store whose rows ask: a list that is found piece by piece may have others now.
    if (asked.stores.some(({ cold }, i) => (cold?.moves ?? 0) !== asked.moves[i])) {
      this.#insists = true;
      return;
    }
    this.#hold(asked.stores);
    this.#ready = asked.rows;
  }

  /** So many rows have been taken; `between`: none of them in part. */
  took(rows: number, between: boolean): void {
    this.#ready -= rows;
    if (between) this.release();
  }

  release(): void {
    this.#ready = 0;
    this.#asked = null;
    this.#insists = false;
    for (const hold of this.#held.splice(0)) hold.release();
  }

  #hold(stores: readonly Store[]): void {
    if (this.#held.length === 0) this.#held = stores.map((store) => store.hold());
  }
}

function noted(): void {}

function linksOf(store: Store, cold: ColdRows, index: HashIndex): Links | null {
  if (cold.key !== null && store.hashIndexes[0] === index) return null;
  const links = cold.linksBy(index.spec.columns);
  assert(links?.isComplete === true, "cold rows have links for every index that finds them");
  return links;
}
