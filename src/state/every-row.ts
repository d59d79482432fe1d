/**
 * The rows of a store visible at an epoch, wherever they are: those in memory, then those on disk, a piece at a time, while rows move between both
 * (cold/cold-scan.ts).
 *
 * A slot is good only in the turn in which it was found, and where it was found: so whoever reads is called with each row, and told whose slot it is.
 */
import type { ColdScan } from "./cold/cold-scan.ts";
import { Store } from "./store.ts";

/** `store`: the one whose rows are read, or a page of rows from disk, which is the same one each time. True: that is enough for one piece. */
export type TakeSlot = (store: Store, slot: number) => unknown;

export class EveryRow {
  readonly #store: Store;
  readonly #epoch: number;
  readonly #pieceRows: number;
  readonly #scan: ColdScan | null;
  #at = 0;
  #page: Store | null = null;
  /** Rows of the next page: as many as were not too long for a piece, at first one. */
  #pageRows = 1;

  /**
   * REQUIRES that the epoch is pinned: then rows of it may still move.
   * @param pieceRows slots looked at, or rows taken from disk, in a piece, at most
   */
  constructor(store: Store, epoch: number, pieceRows: number) {
    this.#store = store;
    this.#epoch = epoch;
    this.#pieceRows = pieceRows;
    this.#scan = store.cold?.scan(() => this.#at) ?? null;
  }

  /** Gives the rows of the next piece, all in one turn; false: there are no more. */
  async next(take: TakeSlot): Promise<boolean> {
    const store = this.#store;
    const scan = this.#scan;
    if (this.#at < store.highWater) {
      const end = Math.min(store.highWater, this.#at + this.#pieceRows);
      while (this.#at < end) {
        const slot = this.#at++;
        if (!store.visible(slot, this.#epoch) || scan?.isElsewhere(slot) === true) continue;
        if (take(store, slot) === true) break;
      }
      return true;
    }
    if (scan === null) return false;
    this.#at = Number.POSITIVE_INFINITY;
    if (!scan.hasRows) {
      const reading = scan.read();
      if (reading === null) return false;
      await reading;
    }
    const page = (this.#page ??= this.#newPage());
    const rows = scan.take(page, this.#pageRows);
    // What is on the page is good in this turn only.
    let enough = 0;
    for (let slot = 0; slot < rows; slot++) if (take(page, slot) === true && enough === 0) enough = slot + 1;
    this.#pageRows = enough > 0 ? enough : Math.min(this.#pieceRows, 2 * this.#pageRows);
    return true;
  }

  #newPage(): Store {
    const { name, layout, dictionary } = this.#store;
    const page = new Store(name, layout.columns, dictionary);
    page.reserve(this.#pieceRows);
    return page;
  }

  close(): void {
    this.#scan?.close();
  }
}
