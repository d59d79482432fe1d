/**
 * Where the rows of a query leave its circuit as they are made, to somebody who takes them at a pace of his own: nothing of them is kept. For plans
 * of which rows only come, and none that has come can go again.
 *
 * A chunk is copied and worked off row by row, so that rows however long are made one at a time; while nobody has room for more the build waits, as
 * it does for another thread.
 */
import type { Dictionary } from "../../state/dictionary.ts";
import { Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Source } from "../node.ts";
import { PendingRows } from "./pending.ts";
import { StoredNode } from "./stored.ts";

/** Who takes the rows. */
export interface RowTaker {
  /** Row `row` of the chunk, as often as its weight says. Good only meanwhile. */
  take(chunk: Chunk, row: number): void;
  /** Ends when there is room again; null: there is. */
  readonly full: Promise<void> | null;
}

/** Rows taken between two looks at the clock. */
const ROWS = 64;

export class Outflow extends StoredNode {
  readonly label: string;
  readonly weighted: boolean = false;
  /** Always empty. */
  readonly store: Store;
  readonly #taker: RowTaker;
  readonly #pending: PendingRows;

  constructor(source: Source, columns: readonly TypedColumn[], dictionary: Dictionary, taker: RowTaker) {
    super(`outflow of ${source.node.identity}`, [source]);
    this.label = `rows given out of ${source.node.label}`;
    this.store = new Store(this.label, columns, dictionary);
    this.#pending = new PendingRows(columns, dictionary);
    this.#taker = taker;
  }

  override get title(): string {
    return "rows given out";
  }

  override get waiting(): Promise<void> | null {
    return this.#pending.chunk === undefined ? null : this.#taker.full;
  }

  override push(_port: number, chunk: Chunk): void {
    this.#pending.add(chunk);
    this.host.wait(this);
  }

  override work(): boolean {
    const { chunk } = this.#pending;
    if (chunk === undefined) return false;
    let { row } = this.#pending;
    const end = Math.min(chunk.length, row + ROWS);
    while (row < end && this.#taker.full === null) this.#taker.take(chunk, row++);
    return this.#pending.goOn(row);
  }

  override dispose(): void {
    super.dispose();
    this.#pending.clear();
  }
}
