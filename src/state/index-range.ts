/**
 * A stretch of an ordered index: the entries whose first values are given, and whose next one lies between two bounds.
 *
 * Values are codes as rows hold them; those of texts are good for as long as nobody ends a step, so a stretch is made anew for each piece of work.
 * A null is a value here, with its place before or behind the others. Whoever pauses goes on behind the last row that a pin keeps.
 */
import { comparatorOf } from "./equality.ts";
import type { OrderedIndex } from "./ordered-index.ts";
import type { Rows } from "./rows.ts";

/** A value as a row holds it; null: a null. */
export type Code = number | null;

export interface Bound {
  readonly value: Code;
  readonly inclusive: boolean;
}

export interface IndexStretch {
  /** Of the index's first items. */
  readonly equal: readonly Code[];
  /** Of the item behind them: where the stretch begins and ends in the order of the index; null: at the end of what is equal. */
  readonly from: Bound | null;
  readonly to: Bound | null;
}

type Compare = (slot: number, value: Code) => number;

export class IndexRange {
  readonly #index: OrderedIndex;
  readonly #equal: readonly Code[];
  readonly #compare: readonly Compare[];
  readonly #from: Bound | null;
  readonly #to: Bound | null;
  readonly #backward: boolean;

  constructor(rows: Rows, index: OrderedIndex, { equal, from, to }: IndexStretch, backward: boolean) {
    this.#index = index;
    this.#equal = equal;
    this.#from = from;
    this.#to = to;
    this.#backward = backward;
    const items = index.spec.order.slice(0, equal.length + (from === null && to === null ? 0 : 1));
    this.#compare = items.map((item) => comparison(rows, item));
  }

  /** The first entry, or behind the row in `slot`, which is in the index; -1: none. */
  start(behind = -1): number {
    if (behind >= 0) return this.next(this.#index.positionOf(behind));
    if (!this.#backward) return this.#within(this.#index.seek((slot) => this.#isBefore(slot)));
    const after = this.#index.seek((slot) => !this.#isAfter(slot));
    const size = this.#index.size;
    if (size === 0) return -1;
    return this.#within(after < 0 ? this.#index.atRank(size - 1) : this.#index.previous(after));
  }

  next(position: number): number {
    return this.#within(this.#backward ? this.#index.previous(position) : this.#index.nextOfAll(position));
  }

  #within(position: number): number {
    if (position < 0) return -1;
    const slot = this.#index.slot(position);
    return (this.#backward ? this.#isBefore(slot) : this.#isAfter(slot)) ? -1 : position;
  }

  #isBefore(slot: number): boolean {
    const d = this.#compareEqual(slot);
    if (d !== 0 || this.#from === null) return d < 0;
    const at = (this.#compare[this.#equal.length] as Compare)(slot, this.#from.value);
    return this.#from.inclusive ? at < 0 : at <= 0;
  }

  #isAfter(slot: number): boolean {
    const d = this.#compareEqual(slot);
    if (d !== 0 || this.#to === null) return d > 0;
    const at = (this.#compare[this.#equal.length] as Compare)(slot, this.#to.value);
    return this.#to.inclusive ? at > 0 : at >= 0;
  }

  #compareEqual(slot: number): number {
    for (let i = 0; i < this.#equal.length; i++) {
      const d = (this.#compare[i] as Compare)(slot, this.#equal[i] as Code);
      if (d !== 0) return d;
    }
    return 0;
  }
}

/** Whether two rows have equal values in the first `items` of an index's order. */
export function tied(rows: Rows, index: OrderedIndex, items: number): (a: number, b: number) => boolean {
  const order = index.spec.order.slice(0, items);
  const values = order.map(({ column }) => codeOf(rows, column));
  const compare = order.map((item) => comparison(rows, item));
  return (a, b) => compare.every((c, i) => c(a, (values[i] as (slot: number) => Code)(b)) === 0);
}

/** A row's place against a value's in the order of an item. */
function comparison(
  rows: Rows,
  { column, descending, nullsFirst }: OrderedIndex["spec"]["order"][number],
): Compare {
  const value = codeOf(rows, column);
  const compare = comparatorOf(rows.layout.columns[column]!.type);
  const nullsSide = nullsFirst ? -1 : 1;
  return (slot, other) => {
    const own = value(slot);
    if (own === null || other === null) return own === other ? 0 : own === null ? nullsSide : -nullsSide;
    const d = compare(own, other, rows.dictionary);
    return descending ? -d : d;
  };
}

function codeOf(rows: Rows, column: number): (slot: number) => Code {
  const { layout } = rows;
  const { strideWords } = layout;
  const word = layout.words[column] as number;
  const isDouble = layout.physical[column] === "f64";
  const nullWord = layout.nullWord[column] as number;
  const nullBit = layout.nullBit[column] as number;
  const { nullable } = layout.columns[column]!;
  return (slot) => {
    const base = slot * strideWords;
    if (nullable && (((rows.I[base + nullWord] as number) >>> nullBit) & 1) === 1) return null;
    return (isDouble ? rows.F[(base + word) >> 1] : rows.I[base + word]) as number;
  };
}
