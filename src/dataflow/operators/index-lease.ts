/** Indexes on shared stores are counted there by who uses them, and dropped with their last user. */
import type { HashIndex, HashIndexSpec } from "../../state/hash-index.ts";
import type { OrderedIndex, OrderedIndexSpec } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";

export function leaseHashIndex(store: Store, spec: HashIndexSpec): HashIndex {
  return store.hashIndex(spec);
}

export function leaseOrderedIndex(store: Store, spec: OrderedIndexSpec): OrderedIndex {
  return store.orderedIndex(spec);
}

export function returnIndex(store: Store, index: HashIndex | OrderedIndex): void {
  store.dropIndex(index);
}
