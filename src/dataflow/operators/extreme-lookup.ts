/** Finds a group's least or greatest value in a stored input, by an ordered index on (group key, value). */

import { compiled } from "../../base/compiled.ts";
import { nullCode, readCode } from "../../state/layout.ts";
import { maskArguments } from "../../state/null-masks.ts";
import type { OrderedIndex, OrderedIndexSpec } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";
import { setValue } from "../aggregates/extreme.ts";
import type { Node, WantedIndex } from "../node.ts";
import type { StoredNode } from "./stored.ts";

/** Position of the first entry of the group's row at `slot`, or -1. */
export type FirstEntry = (slot: number, index: OrderedIndex) => number;

/** The group-by it works for. */
interface Owner extends Node {
  readonly store: Store;
}

export class Extreme {
  readonly #group: Owner;
  readonly #port: number;
  readonly #columns: readonly number[];
  readonly #keys: number;
  readonly #descending: boolean;
  #index: OrderedIndex | null = null;
  #first: FirstEntry | null = null;

  constructor(group: Owner, port: number, columns: readonly number[], keys: number, descending: boolean) {
    this.#group = group;
    this.#port = port;
    this.#columns = columns;
    this.#keys = keys;
    this.#descending = descending;
  }

  get #input(): StoredNode {
    return this.#group.sources[this.#port]!.node as StoredNode;
  }

  get #spec(): OrderedIndexSpec {
    const column = this.#columns[this.#keys]!;
    return {
      partition: this.#columns.slice(0, this.#keys),
      order: [{ column, descending: this.#descending, nullsFirst: false }],
    };
  }

  wanted(): WantedIndex {
    return { node: this.#input, store: this.#input.store, spec: this.#spec };
  }

  prepare(): void {
    if (this.#index !== null) return;
    this.#index = this.#input.store.orderedIndex(this.#spec);
    this.#first = firstEntry(this.#group, this.#keys);
  }

  release(): void {
    if (this.#index === null) return;
    this.#input.store.dropIndex(this.#index);
    this.#index = null;
  }

  /** Writes the group's value, or null, into column `column` of its row. */
  settle(slot: number, column: number): void {
    const index = this.#index!;
    const { store } = this.#input;
    const { to } = this.#group.step;
    const value = this.#columns[this.#keys]!;
    let at = (this.#first as FirstEntry)(slot, index);
    while (at >= 0 && !store.visible(index.slot(at), to)) at = index.next(at);
    setValue(this.#group.store, slot, column, at < 0 ? null : readValue(this.#input, index.slot(at), value));
  }
}

/** The value, or null. Nulls come last: a null in front means that there is nothing else. */
function readValue({ store }: StoredNode, slot: number, column: number): number | null {
  const { layout } = store;
  const base = slot * layout.strideWords;
  const nullWord = layout.nullWord[column]!;
  if (nullWord >= 0 && (((store.I[base + nullWord] as number) >>> layout.nullBit[column]!) & 1) === 1)
    return null;
  const word = base + layout.words[column]!;
  return (layout.physical[column] === "f64" ? store.F[word >> 1] : store.I[word]) as number;
}

/** First entry of the partition whose values are the key of the group's row. */
export function firstEntry({ store }: Owner, keys: number): FirstEntry {
  const { layout } = store;
  const values = Array.from({ length: keys }, (_, i) => readCode(layout, i, "b"));
  const nulls = values.map((_, i) => nullCode(layout, i, "b"));
  const args = [...values, ...maskArguments(nulls)].join(", ");
  const source = `"use strict"; return (slot, index) => {
    const I = store.I, F = store.F, b = slot * ${layout.strideWords};
    return ${keys === 0 ? "index.firstOfAll()" : `index.first(${args})`};
  };`;
  return compiled("store", source)(store) as FirstEntry;
}
