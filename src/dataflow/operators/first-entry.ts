/** Finds a group's first row in a stored input, by an ordered index on (group key, order). */
import { compiled } from "../../base/compiled.ts";
import { nullCode, readCode } from "../../state/layout.ts";
import { maskArguments } from "../../state/null-masks.ts";
import type { OrderedIndex } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";

/** Position of the first entry of the group's row at `slot`, or -1. */
export type FirstEntry = (slot: number, index: OrderedIndex) => number;

/** First entry of the partition whose values are the key of the group's row. */
export function firstEntry({ store }: { readonly store: Store }, keys: number): FirstEntry {
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
