/** The two sides of a join, and the index by which the rows of each are found. */
import type { HashIndex, HashIndexSpec } from "../../state/hash-index.ts";
import type { WantedIndex } from "../node.ts";
import type { JoinIndex, SideShape } from "./join-code.ts";
import type { StoredNode } from "./stored.ts";

export interface JoinInput {
  readonly node: StoredNode;
  /** Columns of the store that are joined on, pairwise. */
  readonly keys: readonly number[];
}

export function sideShape(node: StoredNode, keys: readonly number[]): SideShape {
  const { store, weighted, versioned } = node;
  return { layout: store.layout, weighted, versioned, keys, index: joinIndex(node, keys) };
}

/** The order in which the join's keys stand in the side's index: the node's own key where it is one, else ascending. */
function joinIndex(node: StoredNode, keys: readonly number[]): JoinIndex {
  const key = node.key;
  if (key !== null && key.length === keys.length && key.every((k) => keys.includes(k))) {
    return { columns: key, order: key.map((k) => keys.indexOf(k)), unique: true };
  }
  const order = keys.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
  return { columns: order.map((i) => keys[i]!), order, unique: false };
}

export function wanted(node: StoredNode, keys: readonly number[]): WantedIndex | null {
  if (keys.length === 0) return null;
  const { columns, unique } = joinIndex(node, keys);
  return { node, store: node.store, spec: { columns, unique }, bringsBack: true };
}

export function lease(node: StoredNode, keys: readonly number[]): HashIndex | null {
  const want = wanted(node, keys);
  return want === null ? null : node.store.hashIndex(want.spec as HashIndexSpec, true);
}
