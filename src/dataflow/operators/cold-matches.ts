/**
 * Rows on disk that an operator is about to look up in stores by what stands in rows of a delta, for so many rows of the delta at a time that what is
 * found stays within bounds, however many rows a key has.
 *
 * 1. The keys of the next rows are looked up. What may be on disk is asked for (state/cold), and the host fetches. By the store's own key a row is
 *    found for each, which comes back. By other columns links are read first, and tell how many rows they lead to:
 *    - a few come back, and are in memory for the next who asks;
 *    - where there are more, though each key has few, it is done again with fewer rows of the delta;
 *    - where a key has many, they stay on disk: the operator meets those that are in memory, and then the others in pages (match-pages.ts);
 *    - where it is asked only whether a key has another row at all, some come back, until there is one (`own`).
 * 2. When the rows are there, the stores are held: nothing of them goes to disk until the operator has come to the end of a row of the delta, with
 *    its chunk full or its rows used up. So no list of a key's rows changes while the operator is going through it.
 * 3. Where rows have moved while they were fetched, all is asked for again, and the stores are held meanwhile: then only runs that become one can
 *    move what is looked for, and they come to an end.
 */
import { assert } from "../../base/assert.ts";
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import type { LinkedScan } from "../../state/cold/linked-scan.ts";
import type { Found, Links } from "../../state/cold/links.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { Store } from "../../state/store.ts";
import type { Node } from "../node.ts";

/** Rows of a delta whose keys are asked for at once: the most, and how many to begin with where a key may have any number of rows. */
export const ASKED_MAX = 1_024;
const ASKED_FIRST = 64;
/** Rows that come back at once because links lead to them: there may be no room for more. */
const BROUGHT_MAX = 2_048;
/** Of a key that has more, as far as can be told by those that were asked for with it, rows do not come back. */
const ROWS_PER_KEY = 16;
/** Of each key so many in each run, where one is enough; as many times more where none of those is there. */
const OWN_FEW = 4;
/** Rows found at once that do not: where they lie is kept in memory. A single key may have more. */
const FOUND_MAX = 32_768;

/**
 * Wants what the rows slots[from..to-1], ASKED_MAX at most, will look up; `links`: by which it is found, or by the store's key. Between `before` and
 * `now` is the step.
 */
export type Want = (
  slots: Int32Array,
  from: number,
  to: number,
  cold: ColdRows,
  links: Links | null,
  before: number,
  now: number,
) => void;

export interface Lookup {
  readonly store: Store;
  readonly index: HashIndex;
  readonly want: Want;
  /** Whether it only matters that there is a row of the key which the step has not touched: once it is in memory, want() wants nothing. */
  readonly isOwn: boolean;
}

/** The rows of a delta from `index` on. */
export interface Rows {
  readonly slots: Int32Array;
  readonly index: number;
  readonly length: number;
}

/** What rows of a delta will meet on disk. */
export interface Many {
  readonly scan: LinkedScan;
  readonly store: Store;
}

interface Asked {
  readonly slots: Int32Array;
  readonly from: number;
  readonly rows: number;
  readonly stores: readonly Store[];
  readonly moves: readonly number[];
  /** Too much was found: fewer rows are asked for next. */
  isTooMuch: boolean;
  /** What stays on disk. */
  many: { readonly found: Found; readonly store: Store; readonly cold: ColdRows } | null;
}

export class ColdMatches {
  readonly #node: Node;
  #held: { release(): void }[] = [];
  /** Rows from the delta's index on whose matches are in memory while the stores are held. */
  #ready = 0;
  #many: Many | null = null;
  #asked: Asked | null = null;
  /** The stores are held before anything is asked for. */
  #insists = false;
  /** Rows asked for at once, where links are read. */
  readonly #most = new WeakMap<Lookup, number>();

  constructor(node: Node) {
    this.#node = node;
  }

  /**
   * Of how many rows the matches are in memory, but for what `many` has; 0: they are being fetched, and then the operator works again. `stores`: all
   * that it reads.
   */
  ready(rows: Rows, lookups: readonly Lookup[], stores: readonly Store[]): number {
    if (this.#ready > 0) return this.#ready;
    if (stores.every(({ cold }) => cold === null)) return Number.POSITIVE_INFINITY;
    if (this.#insists) this.#hold(stores);
    const asked = this.#askedOf(rows, lookups, stores);
    const end = asked.from + asked.rows;
    const { from, to } = this.#node.step;
    const fetches: Promise<void>[] = [];
    let isCold = false;
    for (const lookup of lookups) {
      const { store, index } = lookup;
      const { cold } = store;
      if (cold === null || cold.isEmpty) continue;
      isCold = true;
      const links = linksOf(store, cold, index);
      lookup.want(rows.slots, rows.index, end, cold, links, from, to);
      const fetch = links === null ? cold.fetch() : this.#find(asked, lookup, cold, links);
      if (fetch !== null) fetches.push(fetch);
    }
    if (fetches.length === 0) {
      this.#hold(stores);
      for (const lookup of lookups) this.#learn(lookup, asked.rows, 0, BROUGHT_MAX);
      this.#ready = isCold ? asked.rows : Number.POSITIVE_INFINITY;
      return this.#ready;
    }
    this.#asked = asked;
    this.#node.host.fetch(this.#node, Promise.all(fetches).then(noted));
    return 0;
  }

  /** In memory: where what stays on disk lies, until somebody takes it. */
  get bytes(): number {
    return (this.#asked?.many?.found.rows.buffer.byteLength ?? 0) + (this.#many?.scan.bytes ?? 0);
  }

  /** What the rows that are ready meet on disk, for who takes it: once. The stores are held. */
  takeMany(): Many | null {
    const many = this.#many;
    this.#many = null;
    return many;
  }

  #askedOf({ slots, index, length }: Rows, lookups: readonly Lookup[], stores: readonly Store[]): Asked {
    let rows = Math.min(ASKED_MAX, length - index);
    for (const lookup of lookups) {
      const { cold } = lookup.store;
      if (cold === null || cold.isEmpty || linksOf(lookup.store, cold, lookup.index) === null) continue;
      rows = Math.min(rows, this.#most.get(lookup) ?? ASKED_FIRST);
    }
    const moves = stores.map(({ cold }) => cold?.moves ?? 0);
    return { slots, from: index, rows, stores, moves, isTooMuch: false, many: null };
  }

  /** So many rows were found for so many, where they should be about `aim`. */
  #learn(lookup: Lookup, rows: number, found: number, aim: number): void {
    const most = this.#most.get(lookup) ?? ASKED_FIRST;
    if (found * 4 < aim && rows >= most) this.#most.set(lookup, Math.min(ASKED_MAX, most * 2));
    else if (found > aim)
      this.#most.set(lookup, Math.max(1, Math.min(rows >>> 1, Math.floor((rows * aim) / found / 2))));
  }

  #find(asked: Asked, lookup: Lookup, cold: ColdRows, links: Links): Promise<void> | null {
    const { moves } = cold;
    if (lookup.isOwn)
      return (
        cold.find(links, FOUND_MAX, OWN_FEW)?.then((found) => this.#settle(asked, lookup, cold, found)) ??
        null
      );
    return (
      cold.find(links, FOUND_MAX)?.then((found) => this.#found(asked, lookup, cold, found, moves)) ?? null
    );
  }

  async #found(asked: Asked, lookup: Lookup, cold: ColdRows, found: Found, moves: number): Promise<void> {
    const count = countOf(found);
    const keys = found.keys.length;
    this.#learn(lookup, asked.rows, count, count > keys * ROWS_PER_KEY ? FOUND_MAX : BROUGHT_MAX);
    if (count <= BROUGHT_MAX) {
      await cold.bringFound(found);
      cold.foundAll(found, moves);
    } else if (!found.isCut && (keys === 1 || count > keys * ROWS_PER_KEY))
      asked.many = { found, store: lookup.store, cold };
    else asked.isTooMuch = true;
  }

  /** Brings a few rows of each key back, and then more of those of which none of them is there: links may lead nowhere. */
  async #settle(asked: Asked, lookup: Lookup, cold: ColdRows, first: Found): Promise<void> {
    const { slots, from, rows } = asked;
    const { step } = this.#node;
    const { links } = first;
    for (let found = first, few = OWN_FEW; ; few *= OWN_FEW) {
      const { moves } = cold;
      const count = countOf(found);
      if (found.keys.length > 1 && count > BROUGHT_MAX) {
        this.#learn(lookup, rows, count, BROUGHT_MAX);
        asked.isTooMuch = true;
        return;
      }
      for (let at = 0; at < found.rows.length; at += BROUGHT_MAX) {
        await cold.bringFound(found, at, Math.min(found.rows.length, at + BROUGHT_MAX));
        if (this.#asked !== asked) return;
        if (!this.#isWanted(lookup, asked, cold, links)) return;
      }
      cold.foundAll(found, moves);
      if (found.isAll) return;
      lookup.want(slots, from, from + rows, cold, links, step.from, step.to);
      const next = cold.find(links, FOUND_MAX, few * OWN_FEW);
      if (next === null) return;
      found = await next;
    }
  }

  /** Whether there is a key that is not settled yet. */
  #isWanted(lookup: Lookup, { slots, from, rows }: Asked, cold: ColdRows, links: Links): boolean {
    const { step } = this.#node;
    lookup.want(slots, from, from + rows, cold, links, step.from, step.to);
    const { isWanted } = links;
    links.forget();
    return isWanted;
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
    if (asked.isTooMuch) return;
    this.#hold(asked.stores);
    this.#ready = asked.rows;
    const { many } = asked;
    if (many !== null) this.#many = { scan: many.cold.scanFound(many.found), store: many.store };
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
    this.#many?.scan.close();
    this.#many = null;
    for (const hold of this.#held.splice(0)) hold.release();
  }

  #hold(stores: readonly Store[]): void {
    if (this.#held.length === 0) this.#held = stores.map((store) => store.hold());
  }
}

function noted(): void {}

/** Of those of which nothing is told, about. */
function countOf({ rows, isCut }: Found): number {
  return isCut ? FOUND_MAX * 4 : rows.length;
}

function linksOf(store: Store, cold: ColdRows, index: HashIndex): Links | null {
  if (cold.key !== null && store.hashIndexes[0] === index) return null;
  const links = cold.linksBy(index.spec.columns);
  assert(links?.isComplete === true, "cold rows have links for every index that finds them");
  return links;
}
