/** Indexes on shared stores are counted by who uses them, and dropped with their last user. */
import type { HashIndex, HashIndexSpec } from "../../state/hash-index.ts";
import type { OrderedIndex, OrderedIndexSpec } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";

const leases = new WeakMap<HashIndex | OrderedIndex, number>();

export function leaseHashIndex(store: Store, spec: HashIndexSpec): HashIndex {
  return leased(store.hashIndex(spec));
}

export function leaseOrderedIndex(store: Store, spec: OrderedIndexSpec): OrderedIndex {
  return leased(store.orderedIndex(spec));
}

export function returnIndex(store: Store, index: HashIndex | OrderedIndex): void {
  const left = (leases.get(index) ?? 0) - 1;
  leases.set(index, left);
  if (left === 0) store.dropIndex(index);
}

function leased<T extends HashIndex | OrderedIndex>(index: T): T {
  leases.set(index, (leases.get(index) ?? 0) + 1);
  return index;
}
