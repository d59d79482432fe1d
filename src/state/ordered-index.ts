/**
 * The one ordered index: a B+tree on typed arrays with subtree counts, over the rows of a Store.
 *
 * Order of entries: partition columns (any fixed order, so that a partition is one run), then the order items, then all other columns
 * ascending, then the slot. So what a user's ORDER BY leaves open is settled by the row itself and the answer depends on nothing else.
 *
 * 1. An entry is a slot and two doubles made from its row: k0 stands for the partition, k1 for the first order item (negated when descending, the
 *    first six bytes of a text, infinities for nulls). Both agree with the order wherever they differ, so a search mostly stays inside a node and
 *    touches rows only between equals.
 * 2. Leaves hold up to 64 entries and are linked both ways. An inner node holds, per child, the child's least entry and how many entries lie below
 *    it: rank, and offset to position, in O(log n).
 * 3. insert splits a full node on the way back up; remove drops empty nodes and merges a node of less than a quarter with its
 *    neighbour. The least entry of every child is kept exact: it names a slot, and a slot that has left must not be compared with.
 * 4. A position is leaf * 64 + place. It holds until the next insert or remove.
 */
import { assert } from "../base/assert.ts";
import { type KeyCode, keyCode, type OrderedIndexSpec } from "./ordered-key.ts";
import {
  CHILDREN,
  COUNTS,
  INNER_K0,
  INNER_K1,
  INNER_WORDS,
  LEAF_K0,
  LEAF_K1,
  LEAF_SLOTS,
  LEAF_WORDS,
  M,
  OrderedNodes,
  openPlace,
  SEPARATORS,
} from "./ordered-nodes.ts";
import { inOrder } from "./ordered-rows.ts";
import type { Rows } from "./rows.ts";

export type { OrderedIndexSpec, OrderItem } from "./ordered-key.ts";

const DEPTH_MAX = 12;

export class OrderedIndex {
  readonly spec: OrderedIndexSpec;
  readonly #store: Rows;
  readonly #code: KeyCode;
  readonly #nodes = new OrderedNodes();
  readonly #leaves = this.#nodes.leaves;
  readonly #inners = this.#nodes.inners;
  #root = 0;
  /** 0: the root is a leaf. */
  #height = 0;
  #size = 0;
  // The path of the last descent: node and place per level, root first.
  readonly #pathNode = new Int32Array(DEPTH_MAX);
  readonly #pathPlace = new Int32Array(DEPTH_MAX);

  constructor(store: Rows, spec: OrderedIndexSpec) {
    this.spec = spec;
    this.#store = store;
    this.#code = keyCode(store, spec);
    this.#root = this.#nodes.newLeaf();
  }

  /** Entries, dead versions included. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#nodes.bytes;
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
    if (this.#size === 0) return -1;
    let node = this.#root;
    for (let level = this.#height; level > 0; level--)
      node = this.#inners.I[node * INNER_WORDS + CHILDREN] as number;
    return node * M;
  }

  /** Of an index without partition: the first entry for which `before` does not hold, or -1. It holds for a first part of the order. */
  seek(before: (slot: number) => boolean): number {
    return this.#size === 0 ? -1 : this.#lowerBound(this.#code.k0Of(), (slot) => (before(slot) ? -1 : 0));
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

  /** Negative, zero or positive as row a stands before, at or behind row b; neither need be in the index. */
  compare(a: number, b: number): number {
    const { k0, k1 } = this.#code;
    const [a0, b0] = [k0(a), k0(b)];
    if (a0 !== b0) return a0 < b0 ? -1 : 1;
    const [a1, b1] = [k1(a), k1(b)];
    if (a1 !== b1) return a1 < b1 ? -1 : 1;
    return this.#compareSlots(a, b);
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
    let rank = position & 63;
    const I = this.#inners.I;
    for (let level = 0; level < this.#height; level++) {
      const at = (this.#pathNode[level] as number) * INNER_WORDS + COUNTS;
      const place = this.#pathPlace[level] as number;
      for (let i = 0; i < place; i++) rank += I[at + i] as number;
    }
    return rank;
  }

  /** The position with `rank` entries before it, or -1. */
  atRank(rank: number): number {
    if (rank < 0 || rank >= this.#size) return -1;
    const I = this.#inners.I;
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const at = node * INNER_WORDS;
      let i = 0;
      while (rank >= (I[at + COUNTS + i] as number)) rank -= I[at + COUNTS + i++] as number;
      node = I[at + CHILDREN + i] as number;
    }
    return node * M + rank;
  }

  insert(slot: number): void {
    const k0 = this.#code.k0(slot);
    const k1 = this.#code.k1(slot);
    const leaf = this.#descendTo(slot, k0, k1);
    const place = this.#placeInLeaf(leaf, slot, k0, k1);
    this.#size++;
    this.#count(1);
    this.#insertIntoLeaf(leaf, place, slot, k0, k1);
  }

  remove(slot: number): void {
    const leaf = this.#descend(slot);
    const I = this.#leaves.I;
    const F = this.#leaves.F;
    const at = leaf * LEAF_WORDS;
    const fat = at / 2;
    const count = I[at] as number;
    let place = 0;
    while (place < count && I[at + LEAF_SLOTS + place] !== slot) place++;
    assert(place < count, "a row is where the ordered index puts it");
    I.copyWithin(at + LEAF_SLOTS + place, at + LEAF_SLOTS + place + 1, at + LEAF_SLOTS + count);
    F.copyWithin(fat + LEAF_K0 + place, fat + LEAF_K0 + place + 1, fat + LEAF_K0 + count);
    F.copyWithin(fat + LEAF_K1 + place, fat + LEAF_K1 + place + 1, fat + LEAF_K1 + count);
    I[at] = count - 1;
    this.#size--;
    this.#count(-1);
    if (count - 1 === 0) this.#dropEmptyLeaf(leaf);
    else {
      if (place === 0) this.#renewLeast(this.#height - 1, leaf);
      if (count - 1 < M / 4) this.#mergeLeaf(leaf);
    }
  }

  /** Gives its memory back; it is empty. */
  clear(): void {
    this.#nodes.clear();
    this.#root = this.#nodes.newLeaf();
    this.#height = 0;
    this.#size = 0;
  }

  /** Fills the empty index with all present rows of the store, in pieces between which the caller may do something else. */
  *build(): Generator<void> {
    const rows = yield* inOrder(this.#store, this.#code);
    if (rows.slots.length === 0) return;
    const { root, height } = yield* this.#nodes.pack(rows);
    this.#size = rows.slots.length;
    this.#root = root;
    this.#height = height;
  }

  /** Descends to the leaf where the row belongs, noting the path. */
  #descend(slot: number): number {
    return this.#descendTo(slot, this.#code.k0(slot), this.#code.k1(slot));
  }

  #descendTo(slot: number, k0: number, k1: number): number {
    const { I, F } = this.#inners;
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
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
      this.#pathNode[level] = node;
      this.#pathPlace[level] = low - 1;
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
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
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

  /** Adds `by` to the counts along the path. */
  #count(by: number): void {
    const I = this.#inners.I;
    for (let level = 0; level < this.#height; level++) {
      const at =
        (this.#pathNode[level] as number) * INNER_WORDS + COUNTS + (this.#pathPlace[level] as number);
      I[at] = (I[at] as number) + by;
    }
  }

  #insertIntoLeaf(leaf: number, place: number, slot: number, k0: number, k1: number): void {
    let target = leaf;
    let at = leaf * LEAF_WORDS;
    if ((this.#leaves.I[at] as number) === M) {
      // An append at the right edge leaves full leaves behind (logs arrive in order); elsewhere the leaf is halved.
      const isLast = this.#leaves.I[at + 1] === 0;
      const keep = isLast && place === M ? M : M / 2;
      const right = this.#nodes.splitLeaf(leaf, keep);
      if (place >= keep) {
        target = right;
        place -= keep;
      }
      at = target * LEAF_WORDS;
      const { I, F } = this.#leaves;
      openPlace(I, F, at, place);
      I[at + LEAF_SLOTS + place] = slot;
      F[at / 2 + LEAF_K0 + place] = k0;
      F[at / 2 + LEAF_K1 + place] = k1;
      this.#linkSplit(this.#height - 1, leaf, right, 0);
      return;
    }
    const { I, F } = this.#leaves;
    openPlace(I, F, at, place);
    I[at + LEAF_SLOTS + place] = slot;
    F[at / 2 + LEAF_K0 + place] = k0;
    F[at / 2 + LEAF_K1 + place] = k1;
    if (place === 0) this.#renewLeast(this.#height - 1, leaf);
  }

  /** A node on the level below `level` has been split into left and right: tells the parent, which may split in turn. */
  #linkSplit(level: number, left: number, right: number, childLevel: number): void {
    if (level < 0) {
      const root = this.#nodes.newInner();
      this.#inners.I[root * INNER_WORDS] = 2;
      this.#nodes.setChild(root, 0, left, childLevel);
      this.#nodes.setChild(root, 1, right, childLevel);
      this.#root = root;
      this.#height++;
      return;
    }
    let parent = this.#pathNode[level] as number;
    let place = this.#pathPlace[level] as number;
    this.#nodes.setChild(parent, place, left, childLevel);
    if (place === 0) this.#renewUp(level);
    if ((this.#inners.I[parent * INNER_WORDS] as number) < M) {
      this.#nodes.openChild(parent, place + 1);
      this.#nodes.setChild(parent, place + 1, right, childLevel);
      return;
    }
    const isLast = place === M - 1;
    const keep = isLast ? M - 1 : M / 2;
    const sibling = this.#nodes.splitInner(parent, keep);
    const oldParent = parent;
    place += 1;
    if (place > keep || (place === keep && isLast)) {
      parent = sibling;
      place -= keep;
    }
    this.#nodes.openChild(parent, place);
    this.#nodes.setChild(parent, place, right, childLevel);
    this.#linkSplit(level - 1, oldParent, sibling, childLevel + 1);
  }

  /** The least entry of the path's leaf has changed: writes it into the parents for which the child is at hand. */
  #renewLeast(level: number, leaf: number): void {
    if (level < 0) return;
    const node = this.#pathNode[level] as number;
    const place = this.#pathPlace[level] as number;
    const { I, F } = this.#inners;
    const at = node * INNER_WORDS;
    const from = leaf * LEAF_WORDS;
    I[at + SEPARATORS + place] = this.#leaves.I[from + LEAF_SLOTS] as number;
    F[at / 2 + INNER_K0 + place] = this.#leaves.F[from / 2 + LEAF_K0] as number;
    F[at / 2 + INNER_K1 + place] = this.#leaves.F[from / 2 + LEAF_K1] as number;
    if (place === 0) this.#renewUp(level);
  }

  /** The least entry of the path's node on `level` has changed: copies it upwards while the node is its parent's first child. */
  #renewUp(level: number): void {
    const { I, F } = this.#inners;
    for (let l = level; l > 0; l--) {
      const from = (this.#pathNode[l] as number) * INNER_WORDS;
      const at = (this.#pathNode[l - 1] as number) * INNER_WORDS;
      const place = this.#pathPlace[l - 1] as number;
      I[at + SEPARATORS + place] = I[from + SEPARATORS] as number;
      F[at / 2 + INNER_K0 + place] = F[from / 2 + INNER_K0] as number;
      F[at / 2 + INNER_K1 + place] = F[from / 2 + INNER_K1] as number;
      if (place !== 0) return;
    }
  }

  #dropEmptyLeaf(leaf: number): void {
    if (this.#height === 0) return;
    const I = this.#leaves.I;
    const at = leaf * LEAF_WORDS;
    const next = I[at + 1] as number;
    const previous = I[at + 2] as number;
    if (next !== 0) I[(next - 1) * LEAF_WORDS + 2] = previous;
    if (previous !== 0) I[(previous - 1) * LEAF_WORDS + 1] = next;
    this.#nodes.freeLeaf(leaf);
    this.#dropChild(this.#height - 1);
  }

  /** Takes the path's child on `level` out of its node; empty nodes go, and a root with one child gives way to it. */
  #dropChild(level: number): void {
    const node = this.#pathNode[level] as number;
    const place = this.#pathPlace[level] as number;
    this.#nodes.closeChild(node, place);
    if (this.#inners.I[node * INNER_WORDS] === 0) {
      this.#nodes.freeInner(node);
      if (level === 0) {
        this.#height = 0;
        this.#root = this.#nodes.newLeaf();
      } else this.#dropChild(level - 1);
      return;
    }
    if (place === 0) this.#renewUp(level);
    while (this.#height > 0 && this.#inners.I[this.#root * INNER_WORDS] === 1) {
      const only = this.#inners.I[this.#root * INNER_WORDS + CHILDREN] as number;
      this.#nodes.freeInner(this.#root);
      this.#root = only;
      this.#height--;
    }
  }

  /** Merges a sparse leaf with the one behind it under the same parent, if both fit into three quarters. */
  #mergeLeaf(leaf: number): void {
    if (this.#height === 0) return;
    const level = this.#height - 1;
    const parent = this.#pathNode[level] as number;
    const place = this.#pathPlace[level] as number;
    const pat = parent * INNER_WORDS;
    if (place + 1 >= (this.#inners.I[pat] as number)) return;
    const right = this.#inners.I[pat + CHILDREN + place + 1] as number;
    const { I, F } = this.#leaves;
    const at = leaf * LEAF_WORDS;
    const from = right * LEAF_WORDS;
    const count = I[at] as number;
    const more = I[from] as number;
    if (count + more > (M * 3) / 4) return;
    I.copyWithin(at + LEAF_SLOTS + count, from + LEAF_SLOTS, from + LEAF_SLOTS + more);
    F.copyWithin(at / 2 + LEAF_K0 + count, from / 2 + LEAF_K0, from / 2 + LEAF_K0 + more);
    F.copyWithin(at / 2 + LEAF_K1 + count, from / 2 + LEAF_K1, from / 2 + LEAF_K1 + more);
    I[at] = count + more;
    const next = I[from + 1] as number;
    I[at + 1] = next;
    if (next !== 0) I[(next - 1) * LEAF_WORDS + 2] = leaf + 1;
    this.#nodes.freeLeaf(right);
    const counts = pat + COUNTS;
    const IN = this.#inners.I;
    IN[counts + place] = count + more;
    this.#pathPlace[level] = place + 1;
    this.#dropChild(level);
  }
}

export function createOrderedIndex(store: Rows, spec: OrderedIndexSpec): OrderedIndex {
  return new OrderedIndex(store, spec);
}
