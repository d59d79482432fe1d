/**
 * The rows of one view: found by key, read in order.
 *
 * Changes only touch the map and mark what they displace. The sorted array is brought up to date when somebody reads it, by
 * one merge of what stayed with what came: a frame of n changes on m rows costs m + n log n, ten frames between two reads
 * cost no more than one, and every array handed out stays as it was.
 */
import type { RowCompare } from "./order.ts";

interface Entry<Row> {
  readonly id: string;
  readonly row: Row;
  /** Left the view, or was replaced by another entry. */
  gone: boolean;
}

/** Changes kept before they are merged although nobody reads. */
const pendingMin = 4096;

export class RowSet<Row extends Readonly<Record<string, unknown>>> {
  readonly #compare: RowCompare;
  readonly #byId = new Map<string, Entry<Row>>();
  #sorted: Entry<Row>[] = [];
  #came: Entry<Row>[] = [];
  #gone = 0;
  #rows: readonly Row[] = [];

  constructor(compare: RowCompare) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Row | undefined {
    return this.#byId.get(id)?.row;
  }

  /** Inserts the row, or replaces the one with this id. */
  put(id: string, row: Row): void {
    this.delete(id);
    const entry = { id, row, gone: false };
    this.#byId.set(id, entry);
    this.#came.push(entry);
    if (this.#came.length + this.#gone > 2 * this.#byId.size + pendingMin) this.#merge();
  }

  /** False when there is no such row. */
  delete(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    entry.gone = true;
    this.#gone++;
    this.#byId.delete(id);
    return true;
  }

  /** In order. The same array until the next change, and never changed itself. */
  get rows(): readonly Row[] {
    if (this.#came.length > 0 || this.#gone > 0) this.#merge();
    return this.#rows;
  }

  #merge(): void {
    const order = (a: Entry<Row>, b: Entry<Row>) =>
      this.#compare(a.row, b.row) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    const came = this.#came.filter((entry) => !entry.gone).sort(order);
    const merged: Entry<Row>[] = [];
    let next = 0;
    for (const entry of this.#sorted) {
      if (entry.gone) continue;
      while (next < came.length && order(came[next]!, entry) < 0) merged.push(came[next++]!);
      merged.push(entry);
    }
    while (next < came.length) merged.push(came[next++]!);
    this.#sorted = merged;
    this.#rows = merged.map((entry) => entry.row);
    this.#came = [];
    this.#gone = 0;
  }
}
