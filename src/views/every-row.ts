/**
 * The rows of a view visible at an epoch, wherever they are: those in memory, then those on disk, a piece at a time, while rows move between both
 * (state/cold/cold-scan.ts).
 *
 * A slot is good only in the turn in which it was found, and where it was found: so whoever reads is called with each row, and told whose slot it is.
 */
import type { ColdScan } from "../state/cold/cold-scan.ts";
import { Store } from "../state/store.ts";
import { RowEncoder } from "./row-encoder.ts";
import type { View } from "./view.ts";

/** Slots looked at, or rows taken from disk, in a piece. */
const PIECE_ROWS = 64;

export type TakeRow = (encoder: RowEncoder, slot: number) => void;

export class EveryRow {
  readonly #view: View;
  readonly #epoch: number;
  readonly #scan: ColdScan | null;
  #at = 0;
  /** Where rows lie that came from disk. */
  #page: RowEncoder | null = null;

  /** REQUIRES that the epoch is pinned: then rows of it may still move. */
  constructor(view: View, epoch: number) {
    this.#view = view;
    this.#epoch = epoch;
    this.#scan = view.store.cold?.scan(() => this.#at) ?? null;
  }

  /** Gives the rows of the next piece, all in one turn; false: there are no more. */
  async next(take: TakeRow): Promise<boolean> {
    const scan = this.#scan;
    const { encoder, store } = this.#view;
    if (this.#at < store.highWater) {
      const end = Math.min(store.highWater, this.#at + PIECE_ROWS);
      for (; this.#at < end; this.#at++)
        if (store.visible(this.#at, this.#epoch) && scan?.isElsewhere(this.#at) !== true)
          take(encoder, this.#at);
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
    const rows = scan.take(page.store, PIECE_ROWS);
    for (let slot = 0; slot < rows; slot++) take(page, slot);
    return true;
  }

  #newPage(): RowEncoder {
    const { store, fields, keyColumns } = this.#view;
    const page = new Store(store.name, store.layout.columns, store.dictionary);
    page.reserve(PIECE_ROWS);
    return new RowEncoder(page, fields, keyColumns);
  }

  close(): void {
    this.#scan?.close();
  }
}
