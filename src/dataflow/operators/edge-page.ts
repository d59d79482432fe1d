/**
 * The edge of what is read through (cold-partitions.ts, cold-firsts.ts): a copy of the row that stands there, and beside it one row on disk after the
 * other, to be compared with it. Their texts are in a dictionary of their own, which is emptied as it goes: in the one of all state they would stay
 * until the step's end.
 *
 * Of most rows the first value of the order says where they stand. So other texts are taken of those alone that have the same.
 */
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import { ensureWords, type RowBytes, rowBytes } from "../../state/cold/row-bytes.ts";
import { RowCodec } from "../../state/cold/row-codec.ts";
import { Dictionary } from "../../state/dictionary.ts";
import { createOrderedIndex, type OrderedIndex } from "../../state/ordered-index.ts";
import { Store } from "../../state/store.ts";

export class EdgePage {
  readonly #rows: Store;
  readonly #rowsCodec: RowCodec;
  readonly #texts = new Dictionary();
  readonly #page: Store;
  readonly #codec: RowCodec;
  /** Gives the texts that the first comparison asks for. */
  readonly #firsts: RowCodec;
  readonly #index: OrderedIndex;
  readonly #buffer: RowBytes = rowBytes(0);
  #hasEdge = false;

  constructor({ store, index }: { readonly store: Store; readonly index: OrderedIndex }, codec: RowCodec) {
    const { layout, name } = store;
    const { partition, order } = index.spec;
    this.#rows = store;
    this.#rowsCodec = codec;
    this.#page = new Store(name, layout.columns, this.#texts);
    this.#page.reserve(2);
    this.#codec = new RowCodec(layout, this.#texts);
    this.#firsts = new RowCodec(layout, this.#texts, [
      ...partition,
      ...order.slice(0, 1).map((o) => o.column),
    ]);
    this.#index = createOrderedIndex(this.#page, index.spec);
  }

  get bytes(): number {
    return this.#page.I.byteLength + this.#texts.bytes + this.#buffer.bytes.byteLength;
  }

  /** `edge`: -1: all rows stand before it. */
  begin(edge: number): void {
    this.end();
    this.#hasEdge = edge >= 0;
    if (!this.#hasEdge) return;
    const { I, F } = this.#rows;
    ensureWords(this.#buffer, this.#rowsCodec.words({ I, F }, edge));
    this.#rowsCodec.encode({ I, F }, edge, this.#buffer, 0);
    this.#codec.decode(this.#buffer, 0, this.#page, 0);
    this.#page.retain(0);
  }

  /** Whether the row stands before the edge, or at it. */
  isBefore(from: RowBytes, at: number): boolean {
    if (!this.#hasEdge) return true;
    const page = this.#page;
    this.#firsts.decode(from, at, page, 1);
    const first = this.#index.compareFirst(1, 0);
    if (first !== 0) return first < 0;
    this.#codec.decode(from, at, page, 1);
    return this.#index.compare(1, 0) <= 0;
  }

  end(): void {
    if (this.#hasEdge) this.#page.release(0);
    this.#hasEdge = false;
    this.#texts.collect();
  }
}

/** Runs may become one meanwhile, and a row be in neither of them where it is looked for. */
export async function bringAll(cold: ColdRows, hashes: readonly number[]): Promise<void> {
  const rows = Uint32Array.from(hashes);
  for (let moves = -1; rows.length > 0 && moves !== cold.moves; ) {
    ({ moves } = cold);
    await cold.bringFound({ rows });
  }
}
