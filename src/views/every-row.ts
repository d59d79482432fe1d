/** The rows of a view visible at an epoch, wherever they are (state/every-row.ts), each with what makes values of it. */
import { EveryRow } from "../state/every-row.ts";
import type { Store } from "../state/store.ts";
import { RowEncoder } from "./row-encoder.ts";
import type { View } from "./view.ts";

const PIECE_ROWS = 64;

/** True: that is enough for one turn. */
export type TakeRow = (encoder: RowEncoder, slot: number) => unknown;

export class EveryViewRow {
  readonly #view: View;
  readonly #rows: EveryRow;
  /** For rows that come from disk. */
  #page: RowEncoder | null = null;

  /** REQUIRES that the epoch is pinned: then rows of it may still move. */
  constructor(view: View, epoch: number) {
    this.#view = view;
    this.#rows = new EveryRow(view.store, epoch, PIECE_ROWS);
  }

  /** Gives the rows of the next piece, all in one turn; false: there are no more. */
  next(take: TakeRow): Promise<boolean> {
    const { encoder, store } = this.#view;
    return this.#rows.next((from, slot) => take(from === store ? encoder : this.#pageOf(from), slot));
  }

  #pageOf(page: Store): RowEncoder {
    const { fields, keyColumns } = this.#view;
    return (this.#page ??= new RowEncoder(page, fields, keyColumns));
  }

  close(): void {
    this.#rows.close();
  }
}
