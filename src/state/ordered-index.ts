/**
 * The one ordered index: a B+tree on typed arrays with subtree counts, over the rows of a Store. What the order is, and how entries are found by it.
 *
 * Order of entries: partition columns (any fixed order, so that a partition is one run), then the order items, then all other columns
 * ascending, then the slot. So what a user's ORDER BY leaves open is settled by the row itself and the answer depends on nothing else.
 *
 * 1. An entry is a slot and two doubles made from its row: k0 stands for the partition, k1 for the first order item (negated when descending, the
 *    first six bytes of a text, infinities for nulls). Both agree with the order wherever they differ, so a search mostly stays inside a node and
 *    touches rows only between equals.
 * 2. A search descends the tree (ordered-tree.ts), by halves within each node, and notes its way, on which an insert or a remove goes back up.
 * 3. A position is leaf * 64 + place. It holds until the next insert or remove.
 */
import { assert } from "../base/assert.ts";
import { type KeyCode, keyCode, type OrderedIndexSpec } from "./ordered-key.ts";
import {
  CHILDREN,
  INNER_K0,
  INNER_K1,
  INNER_WORDS,
  LEAF_K0,
  LEAF_K1,
  LEAF_SLOTS,
  LEAF_WORDS,
  M,
  SEPARATORS,
} from "./ordered-nodes.ts";
import { inOrder } from "./ordered-rows.ts";
import { OrderedTree } from "./ordered-tree.ts";
import type { Rows } from "./rows.ts";

export type { OrderedIndexSpec, OrderItem } from "./ordered-key.ts";

export class OrderedIndex {
  readonly spec: OrderedIndexSpec;
  readonly #store: Rows;
  readonly #code: KeyCode;
  readonly #tree = new OrderedTree();
  readonly #leaves = this.#tree.leaves;
  readonly #inners = this.#tree.inners;

  constructor(store: Rows, spec: OrderedIndexSpec) {
    this.spec = spec;
    this.#store = store;
    this.#code = keyCode(store, spec);
  }

  /** Entries, dead versions included. */
  get size(): number {
    return this.#tree.size;
  }

  get bytes(): number {
    return this.#tree.bytes;
  }

  slot(position: number): number {
    return this.#leaves.I[(position >> 6) * LEAF_WORDS + LEAF_SLOTS + (position & 63)] as number;
  }

  /** First entry of a partition (values, then the masks of null-masks.ts), or -1. */
  first(...partition: number[]): number {
    const { k0Of, comparePartition, exact } = this.#code;
    return this.#firstOf(k0Of(...partition), exact ? null : (slot) => comparePartition(slot, ...partition));
  }

  /** First entry of the partition the row belongs to (the row itself need not be in the index), or -1. */
  firstLike(slot: number): number {
    const { k0, comparePartitionRows, exact } = this.#code;
    return this.#firstOf(k0(slot), exact ? null : (other) => comparePartitionRows(other, slot));
  }

  /** Whether two rows of equal partition code are always of one partition. */
  get exactPartition(): boolean {
    return this.#code.exact;
  }

  /** A number that is equal for rows of one partition. */
  partitionCode(slot: number): number {
    return this.#code.k0(slot);
  }

  #firstOf(k0: number, compare: ((slot: number) => number) | null): number {
    const position = this.#lowerBound(k0, compare);
    if (position < 0) return -1;
    const leaf = position >> 6;
    if (this.#leaves.F[leaf * (LEAF_WORDS / 2) + LEAF_K0 + (position & 63)] !== k0) return -1;
    return compare === null || compare(this.slot(position)) === 0 ? position : -1;
  }

  /** First entry of all, or -1. */
  firstOfAll(): number {
    return this.#tree.firstOfAll();
  }

  /** Of an index without partition: the first entry for which `before` does not hold, or -1. It holds for a first part of the order. */
  seek(before: (slot: number) => boolean): number {
    return this.#tree.size === 0
      ? -1
      : this.#lowerBound(this.#code.k0Of(), (slot) => (before(slot) ? -1 : 0));
  }

  /** The entry behind, within the same partition; -1 at its end. */
  next(position: number): number {
    const after = this.nextOfAll(position);
    if (after < 0) return -1;
    const F = this.#leaves.F;
    const k0 = F[(position >> 6) * (LEAF_WORDS / 2) + LEAF_K0 + (position & 63)];
    const k0After = F[(after >> 6) * (LEAF_WORDS / 2) + LEAF_K0 + (after & 63)];
    if (k0 !== k0After) return -1;
    if (this.#code.exact) return after;
    return this.#code.comparePartitionRows(this.slot(position), this.slot(after)) === 0 ? after : -1;
  }

  /** The entry behind, whatever its partition; -1 at the end. */
  nextOfAll(position: number): number {
    const leaf = position >> 6;
    const at = leaf * LEAF_WORDS;
    const I = this.#leaves.I;
    if ((position & 63) + 1 < (I[at] as number)) return position + 1;
    const next = I[at + 1] as number;
    return next === 0 ? -1 : (next - 1) * M;
  }

  /** The entry before, within the same partition; -1 at its beginning. */
  previous(position: number): number {
    const leaf = position >> 6;
    const I = this.#leaves.I;
    let before = position - 1;
    if ((position & 63) === 0) {
      const previous = I[leaf * LEAF_WORDS + 2] as number;
      if (previous === 0) return -1;
      before = (previous - 1) * M + (I[(previous - 1) * LEAF_WORDS] as number) - 1;
    }
    const F = this.#leaves.F;
    const k0 = F[leaf * (LEAF_WORDS / 2) + LEAF_K0 + (position & 63)];
    if (k0 !== F[(before >> 6) * (LEAF_WORDS / 2) + LEAF_K0 + (before & 63)]) return -1;
    if (this.#code.exact) return before;
    return this.#code.comparePartitionRows(this.slot(position), this.slot(before)) === 0 ? before : -1;
  }

  /** Whether two rows are of one partition; neither need be in the index. */
  isOfOne(a: number, b: number): boolean {
    const { k0, exact, comparePartitionRows } = this.#code;
    return k0(a) === k0(b) && (exact || comparePartitionRows(a, b) === 0);
  }

  /** Negative, zero or positive as row a stands before, at or behind row b; neither need be in the index. */
  compare(a: number, b: number): number {
    const first = this.compareFirst(a, b);
    return first !== 0 ? first : this.#compareSlots(a, b);
  }

  /** The same by what entries say of partitions and of the first value of the order alone: 0: these do not tell them apart. */
  compareFirst(a: number, b: number): number {
    const { k0, k1 } = this.#code;
    const a0 = k0(a);
    const b0 = k0(b);
    if (a0 !== b0) return a0 < b0 ? -1 : 1;
    const a1 = k1(a);
    const b1 = k1(b);
    if (a1 !== b1) return a1 < b1 ? -1 : 1;
    return 0;
  }

  /** Where the row stands. It must be in the index. */
  positionOf(slot: number): number {
    const leaf = this.#descend(slot);
    const from = leaf * LEAF_WORDS + LEAF_SLOTS;
    const place = this.#leaves.I.subarray(from, from + (this.#leaves.I[leaf * LEAF_WORDS] as number)).indexOf(
      slot,
    );
    assert(place >= 0, "a row is where the ordered index puts it");
    return leaf * M + place;
  }

  /** How many entries stand before the position. */
  rank(position: number): number {
    this.#descend(this.slot(position));
    return this.#tree.rank(position);
  }

  /** The position with `rank` entries before it, or -1. */
  atRank(rank: number): number {
    return this.#tree.atRank(rank);
  }

  insert(slot: number): void {
    const k0 = this.#code.k0(slot);
    const k1 = this.#code.k1(slot);
    const leaf = this.#descendTo(slot, k0, k1);
    const place = this.#placeInLeaf(leaf, slot, k0, k1);
    this.#tree.insert(leaf, place, slot, k0, k1);
  }

  remove(slot: number): void {
    const leaf = this.#descend(slot);
    const I = this.#leaves.I;
    const at = leaf * LEAF_WORDS;
    const count = I[at] as number;
    let place = 0;
    while (place < count && I[at + LEAF_SLOTS + place] !== slot) place++;
    assert(place < count, "a row is where the ordered index puts it");
    this.#tree.remove(leaf, place);
  }

  /** Gives its memory back; it is empty. */
  clear(): void {
    this.#tree.clear();
  }

  /** Fills the empty index with all present rows of the store, in pieces between which the caller may do something else. */
  *build(): Generator<void> {
    const rows = yield* inOrder(this.#store, this.#code);
    if (rows.slots.length === 0) return;
    yield* this.#tree.pack(rows);
  }

  /** Descends to the leaf where the row belongs, noting the path. */
  #descend(slot: number): number {
    return this.#descendTo(slot, this.#code.k0(slot), this.#code.k1(slot));
  }

  #descendTo(slot: number, k0: number, k1: number): number {
    const { I, F } = this.#inners;
    const { root, height, pathNode, pathPlace } = this.#tree;
    let node = root;
    for (let level = 0; level < height; level++) {
      const at = node * INNER_WORDS;
      const fat = at / 2;
      // The last child whose least entry is not greater than the row.
      let low = 1;
      let high = I[at] as number;
      while (low < high) {
        const mid = (low + high) >>> 1;
        const m0 = F[fat + INNER_K0 + mid] as number;
        let after: boolean;
        if (m0 !== k0) after = m0 > k0;
        else {
          const m1 = F[fat + INNER_K1 + mid] as number;
          after = m1 !== k1 ? m1 > k1 : this.#compareSlots(I[at + SEPARATORS + mid] as number, slot) > 0;
        }
        if (after) high = mid;
        else low = mid + 1;
      }
      pathNode[level] = node;
      pathPlace[level] = low - 1;
      node = I[at + CHILDREN + low - 1] as number;
    }
    return node;
  }

  #compareSlots(a: number, b: number): number {
    return a === b ? 0 : this.#code.compare(a, b);
  }

  #placeInLeaf(leaf: number, slot: number, k0: number, k1: number): number {
    const { I, F } = this.#leaves;
    const at = leaf * LEAF_WORDS;
    const fat = at / 2;
    let low = 0;
    let high = I[at] as number;
    while (low < high) {
      const mid = (low + high) >>> 1;
      const m0 = F[fat + LEAF_K0 + mid] as number;
      let after: boolean;
      if (m0 !== k0) after = m0 > k0;
      else {
        const m1 = F[fat + LEAF_K1 + mid] as number;
        after = m1 !== k1 ? m1 > k1 : this.#compareSlots(I[at + LEAF_SLOTS + mid] as number, slot) > 0;
      }
      if (after) high = mid;
      else low = mid + 1;
    }
    return low;
  }

  /** First entry whose partition is not before the given one, or -1. `compare`: rows of equal code with it; null: the code says all. */
  #lowerBound(k0: number, compare: ((slot: number) => number) | null): number {
    const { I, F } = this.#inners;
    const { root, height } = this.#tree;
    let node = root;
    for (let level = 0; level < height; level++) {
      const at = node * INNER_WORDS;
      const fat = at / 2;
      // The last child whose least entry is before the partition: the boundary lies in it or right behind it.
      let low = 1;
      let high = I[at] as number;
      while (low < high) {
        const mid = (low + high) >>> 1;
        const m0 = F[fat + INNER_K0 + mid] as number;
        const before =
          m0 !== k0 ? m0 < k0 : compare !== null && compare(I[at + SEPARATORS + mid] as number) < 0;
        if (before) low = mid + 1;
        else high = mid;
      }
      node = I[at + CHILDREN + low - 1] as number;
    }
    const leaves = this.#leaves;
    const at = node * LEAF_WORDS;
    const fat = at / 2;
    const count = leaves.I[at] as number;
    let low = 0;
    let high = count;
    while (low < high) {
      const mid = (low + high) >>> 1;
      const m0 = leaves.F[fat + LEAF_K0 + mid] as number;
      const before =
        m0 !== k0 ? m0 < k0 : compare !== null && compare(leaves.I[at + LEAF_SLOTS + mid] as number) < 0;
      if (before) low = mid + 1;
      else high = mid;
    }
    if (low < count) return node * M + low;
    const next = leaves.I[at + 1] as number;
    return next === 0 ? -1 : (next - 1) * M;
  }
}

export function createOrderedIndex(store: Rows, spec: OrderedIndexSpec): OrderedIndex {
  return new OrderedIndex(store, spec);
}
