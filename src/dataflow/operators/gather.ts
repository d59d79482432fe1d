/**
 * Gives the rows of a group to a collector, in order: for the aggregates that are made of rows rather than of sums.
 *
 * The input is stored, with an ordered index by (group key, order). When a step has touched a group, its rows are walked from the first on
 * and its value is made anew; groups that were not touched are not looked at. A walk is done in pieces, so that a large group does not
 * keep the others waiting: it goes on behind the row where it stopped.
 *
 * The value, and the error if there is no value, lie in two columns of the group's row: the version before the step keeps its own.
 */
import { text } from "../../batch/types.ts";
import { type CompareCodes, comparatorOf } from "../../state/equality.ts";
import { nullCode, readCode } from "../../state/layout.ts";
import type { OrderedIndex, OrderedIndexSpec, OrderItem } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";
import type { Accumulator, Place } from "../aggregates/accumulator.ts";
import type { Collector, GatheredRow } from "../aggregates/collect/collector.ts";
import { setValue } from "../aggregates/extreme.ts";
import type { ScalarError } from "../kernels/errors.ts";
import type { Node, WantedIndex } from "../node.ts";
import { type FirstEntry, firstEntry } from "./first-entry.ts";
import type { StoredNode } from "./stored.ts";

/** Columns are those of the stored input. */
export interface GatherSpec {
  readonly keys: readonly number[];
  readonly args: readonly number[];
  readonly order: readonly OrderItem[];
  /** Null in rows that do not count; -1: all do. */
  readonly pass: number;
  /** Rows whose arguments are equal to those of the row before are not shown. REQUIRES that they are ordered by all arguments. */
  readonly distinct: boolean;
}

/** The group-by it works for. */
interface Owner extends Node {
  readonly store: Store;
}

/** What a piece of a collector's last work counts for. */
const ROWS_SETTLED = 4_096;

export class Gather implements GatheredRow {
  readonly #group: Owner;
  readonly #port: number;
  readonly #spec: GatherSpec;
  readonly #collector: Collector;
  readonly #indexSpec: OrderedIndexSpec;
  #index: OrderedIndex | null = null;
  #first: FirstEntry | null = null;
  #compare: readonly CompareCodes[] = [];
  #valueColumn = 0;
  #errorColumn = 0;
  #countColumn = 0;
  /** Row at hand; while a walk rests, the last one it saw, or -1. */
  #row = -1;
  /** Last row shown, or -1: what distinct rows are compared with. */
  #shown = -1;
  #walking = false;
  /** All rows are walked; the collector is not done with them. */
  #settling = false;

  constructor(group: Owner, port: number, spec: GatherSpec, collector: Collector) {
    this.#group = group;
    this.#port = port;
    this.#spec = spec;
    this.#collector = collector;
    this.#indexSpec = { partition: spec.keys, order: spec.order };
  }

  /** The aggregate this is the other half of. */
  get accumulator(): Accumulator {
    const { type } = this.#collector;
    return {
      type,
      columns: [
        { type, nullable: true },
        { type: text, nullable: true },
      ],
      add: () => "",
      result: (place) => this.#result(place),
    };
  }

  #result(place: Place): string {
    const [value, error] = place.state as [number, number];
    [this.#valueColumn, this.#errorColumn, this.#countColumn] = [value, error, place.count];
    const { layout } = place;
    const decode = place.bind((id: number) => JSON.parse(this.#group.store.dictionary.string(id)));
    return `value = ${readCode(layout, value, "b")}; isNull = ${nullCode(layout, value, "b")};
      if (${nullCode(layout, error, "b")} === 0) error = ${decode}(${readCode(layout, error, "b")});`;
  }

  get #input(): StoredNode {
    return this.#group.sources[this.#port]!.node as StoredNode;
  }

  wanted(): WantedIndex {
    return { node: this.#input, store: this.#input.store, spec: this.#indexSpec };
  }

  prepare(): void {
    if (this.#index !== null) return;
    this.#index = this.#input.store.orderedIndex(this.#indexSpec);
    this.#first = firstEntry(this.#group, this.#spec.keys.length);
    const { columns } = this.#input.store.layout;
    this.#compare = this.#spec.args.map((c) => comparatorOf(columns[c]!.type));
  }

  release(): void {
    if (this.#index === null) return;
    this.#input.store.dropIndex(this.#index);
    this.#index = null;
  }

  begin(): void {
    this.#walking = false;
    this.#settling = false;
  }

  /**
   * Makes the value of the group's row at `slot`, looking at no more than `budget` rows. What is left of the budget; negative: it
   * was not enough, and the next call, for the same group, goes on.
   */
  advance(slot: number, budget: number): number {
    if (!this.#settling) {
      budget = this.#walk(slot, budget);
      if (budget < 0) return -1;
      this.#walking = false;
      this.#settling = true;
    }
    while (this.#collector.settle?.() === true) {
      budget -= ROWS_SETTLED;
      if (budget < 0) return -1;
    }
    this.#settling = false;
    const value = this.#collector.end();
    const { error } = this.#collector;
    setValue(this.#group.store, slot, this.#valueColumn, error === null ? value : null);
    setValue(this.#group.store, slot, this.#errorColumn, error === null ? null : this.#errorText(error));
    return Math.max(0, budget - 1);
  }

  /** What is left of the budget when all rows are shown; negative: it was not enough. */
  #walk(slot: number, budget: number): number {
    const index = this.#index as OrderedIndex;
    const { store, weighted } = this.#input;
    const { to } = this.#group.step;
    if (!this.#walking) {
      this.#collector.begin(this.#count(slot));
      this.#walking = true;
      this.#row = -1;
      this.#shown = -1;
    }
    const isFirst = this.#row < 0;
    let at = isFirst ? (this.#first as FirstEntry)(slot, index) : index.next(index.positionOf(this.#row));
    for (; at >= 0; at = index.next(at)) {
      if (--budget < 0) return -1;
      this.#row = index.slot(at);
      if (!store.visible(this.#row, to) || !this.#counts()) continue;
      if (!this.#collector.take(this, this.#spec.distinct || !weighted ? 1 : store.weight(this.#row))) break;
      this.#shown = this.#row;
    }
    return budget;
  }

  #errorText(error: ScalarError): number {
    return this.#group.store.dictionary.internString(JSON.stringify(error));
  }

  #count(slot: number): number {
    const { F, layout } = this.#group.store;
    return F[(slot * layout.strideWords + (layout.words[this.#countColumn] as number)) >> 1] as number;
  }

  /** Whether the row at hand is to be shown. */
  #counts(): boolean {
    const { pass, distinct, args } = this.#spec;
    if (pass >= 0 && this.#read(this.#row, pass) === null) return false;
    if (this.#collector.strict && this.#read(this.#row, args[0]!) === null) return false;
    return !distinct || this.#shown < 0 || !this.#sameArguments();
  }

  #sameArguments(): boolean {
    const { dictionary } = this.#input.store;
    return this.#spec.args.every((c, i) => {
      const a = this.#read(this.#row, c);
      const b = this.#read(this.#shown, c);
      if (a === null || b === null) return a === b;
      return (this.#compare[i] as CompareCodes)(a, b, dictionary) === 0;
    });
  }

  value(i: number): number | null {
    return this.#read(this.#row, this.#spec.args[i]!);
  }

  #read(slot: number, column: number): number | null {
    const { layout, I, F } = this.#input.store;
    const base = slot * layout.strideWords;
    const nullWord = layout.nullWord[column] as number;
    if (nullWord >= 0 && (((I[base + nullWord] as number) >>> (layout.nullBit[column] as number)) & 1) === 1)
      return null;
    const word = base + (layout.words[column] as number);
    return (layout.physical[column] === "f64" ? F[word >> 1] : I[word]) as number;
  }
}
