/**
 * Rows of a table that are decided and not in its store yet: of a statement, over those of its transaction; of a commit, over those of
 * commits that are staged and not stepped. Each is a layer over a parent, and the last parent lies over the store.
 *
 * What is unique is found layer by layer: each notes which row claims which values. A claim counts unless a layer above has another
 * version of its row; a row of the store, unless any layer has. So a layer is complete before it is judged: two rows that swap their values in one
 * statement or commit are in nobody's way.
 */
import type { EvertError } from "../../base/errors.ts";
import { RowRefusal } from "../../batch/row-refusal.ts";
import type { Row, TableRows } from "./table-rows.ts";

export interface PendingRow {
  readonly key: Row;
  /** Null: deleted. */
  readonly row: Row | null;
  /** Per unique constraint, the text of its values, where it is known already. */
  readonly texts?: readonly (string | null)[];
  /** Of a commit: the part that has it, and which row of that it is. */
  readonly part?: number;
  readonly index?: number;
}

/** A row that stands in another's way, by the text of its key. */
export interface Holder {
  readonly text: string;
  readonly row: Row;
}

const NO_TEXTS: readonly (string | null)[] = [];

export class PendingRows {
  readonly #table: TableRows;
  readonly #rows = new Map<string, PendingRow>();
  /** Per unique constraint: text of the values -> text of the key. */
  readonly #claims: readonly Map<string, string>[];
  #parent: PendingRows | null;

  constructor(table: TableRows, parent: PendingRows | null = null) {
    this.#table = table;
    this.#parent = parent;
    this.#claims = table.uniques.map(() => new Map());
  }

  /** Of this layer alone. */
  get size(): number {
    return this.#rows.size;
  }

  /** Of this layer alone, in the order in which their keys came. */
  entries(): IterableIterator<[string, PendingRow]> {
    return this.#rows.entries();
  }

  /** What lies below is in the store by now. */
  cutParent(): void {
    this.#parent = null;
  }

  /** Here or below; undefined: the store knows. */
  get(text: string): PendingRow | undefined {
    return this.#rows.get(text) ?? this.#parent?.get(text);
  }

  set(text: string, { key, row, texts = this.#textsOf(row), part, index }: PendingRow): void {
    const before = this.#rows.get(text)?.texts;
    this.#rows.set(
      text,
      part === undefined || index === undefined ? { key, row, texts } : { key, row, texts, part, index },
    );
    for (let u = 0; u < this.#claims.length; u++) {
      const claims = this.#claims[u] as Map<string, string>;
      const gone = before?.[u] ?? null;
      if (gone !== null && claims.get(gone) === text) claims.delete(gone);
      const taken = texts[u] ?? null;
      if (taken !== null) claims.set(taken, text);
    }
  }

  #textsOf(row: Row | null): readonly (string | null)[] {
    return row === null ? NO_TEXTS : this.#claims.map((_, u) => this.#table.uniqueText(u, row));
  }

  /** Takes over what a layer above, which was judged, has changed. */
  merge(above: PendingRows): void {
    for (const [text, pending] of above.entries()) this.set(text, pending);
  }

  /** Another row, as of `epoch` and these layers from `from` down, with this row's values of unique constraint `u`; `text` is the row's own key. */
  holder(
    u: number,
    row: Row,
    text: string,
    epoch: number,
    wanted: string | null = this.#table.uniqueText(u, row),
    from: PendingRows | null = this,
  ): Holder | null {
    if (wanted === null) return null;
    for (let layer = from; layer !== null; layer = layer.#parent) {
      const claim = (layer.#claims[u] as Map<string, string>).get(wanted);
      if (claim === undefined || claim === text || this.#isOverlaid(claim, layer)) continue;
      return { text: claim, row: layer.#rows.get(claim)!.row as Row };
    }
    for (const slot of this.#table.sharing(u, row, epoch)) {
      const other = this.#table.keyText(this.#table.keyAt(slot));
      if (other !== text && this.get(other) === undefined)
        return { text: other, row: this.#table.rowAt(slot) };
    }
    return null;
  }

  /** Whether a layer above `below` has another version of the row. */
  #isOverlaid(text: string, below: PendingRows): boolean {
    for (let layer: PendingRows | null = this; layer !== below && layer !== null; layer = layer.#parent)
      if (layer.#rows.has(text)) return true;
    return false;
  }

  /**
   * Judges the rows of this layer, a piece of them a call; true when none is in another's way. @throws unique_violation: of a commit, of the first
   * row that is in the way of one before it.
   */
  judging(epoch: () => number): (rows: number) => boolean {
    const rows = this.#claims.length === 0 ? [].values() : this.entries();
    let first: ((rows: number) => void) | null = null;
    return (count) => {
      for (let n = 0; n < count; n++) {
        if (first !== null) {
          first(count - n);
          return false;
        }
        const next = rows.next();
        if (next.done === true) return true;
        const [text, pending] = next.value as [string, PendingRow];
        const { row, texts } = pending;
        for (let u = 0; row !== null && u < this.#claims.length; u++) {
          if (this.holder(u, row, text, epoch(), texts?.[u]) === null) continue;
          const refusal = refusalOf(this.#table.duplicate(u, row), pending);
          if (pending.part === undefined) throw refusal;
          first = this.#findingFirst(epoch, refusal);
          break;
        }
      }
      return false;
    };
  }

  /**
   * Goes through the commit's rows once more, in their own order, a piece of them a call, until one is in the way of a row before it or of one that
   * was there, and throws that. The claim of a value names the last row with it, of however many; and what an append in chunks leaves out is all from
   * the first on.
   */
  #findingFirst(epoch: () => number, refusal: EvertError): (rows: number) => void {
    const rows = [...this.#rows].filter(([, { row }]) => row !== null).sort(([, a], [, b]) => byPlace(a, b));
    const taken = this.#claims.map(() => new Set<string>());
    let at = 0;
    return (count) => {
      for (const end = Math.min(rows.length, at + count); at < end; at++) {
        const [text, pending] = rows[at] as [string, PendingRow];
        const row = pending.row as Row;
        for (let u = 0; u < taken.length; u++) {
          const values = taken[u] as Set<string>;
          const wanted = pending.texts?.[u] ?? null;
          if (wanted === null) continue;
          if (values.has(wanted) || this.holder(u, row, text, epoch(), wanted, this.#parent) !== null)
            throw refusalOf(this.#table.duplicate(u, row), pending);
          values.add(wanted);
        }
      }
      if (at === rows.length) throw refusal;
    };
  }
}

function byPlace({ part = -1, index = -1 }: PendingRow, other: PendingRow): number {
  return part - (other.part ?? -1) || index - (other.index ?? -1);
}

/** Says of a commit which row it is that is refused. */
function refusalOf(error: EvertError, { part, index }: PendingRow): EvertError {
  return part === undefined || index === undefined ? error : new RowRefusal(error, part, index);
}
