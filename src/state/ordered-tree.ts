/**
 * The B+tree of an ordered index, by shape alone: what stands before what is its caller's to know (ordered-index.ts).
 *
 * 1. Leaves hold up to 64 entries and are linked both ways. An inner node holds, per child, the child's least entry and how many entries lie below
 *    it: rank, and offset to position, in O(log n).
 * 2. Whoever descends to a leaf by the order notes the way (`pathNode`, `pathPlace`); insert and remove go back up on it. insert splits a full node;
 *    remove drops empty nodes and merges a leaf of less than a quarter with its neighbour.
 * 3. The least entry of every child is kept exact: it names a slot, and a slot that has left must not be compared with.
 */
import type { GrowingMemory } from "./memory.ts";
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
import type { OrderedRows } from "./ordered-rows.ts";

const DEPTH_MAX = 12;

export class OrderedTree {
  readonly #nodes = new OrderedNodes();
  readonly leaves: GrowingMemory = this.#nodes.leaves;
  readonly inners: GrowingMemory = this.#nodes.inners;
  root: number = this.#nodes.newLeaf();
  /** 0: the root is a leaf. */
  height = 0;
  /** Entries. */
  size = 0;
  // The path of the last descent: node and place per level, root first.
  readonly pathNode: Int32Array = new Int32Array(DEPTH_MAX);
  readonly pathPlace: Int32Array = new Int32Array(DEPTH_MAX);

  get bytes(): number {
    return this.#nodes.bytes;
  }

  /** First entry of all, or -1. */
  firstOfAll(): number {
    if (this.size === 0) return -1;
    let node = this.root;
    for (let level = this.height; level > 0; level--)
      node = this.inners.I[node * INNER_WORDS + CHILDREN] as number;
    return node * M;
  }

  /** How many entries stand before the position, to whose leaf the path leads. */
  rank(position: number): number {
    let rank = position & 63;
    const I = this.inners.I;
    for (let level = 0; level < this.height; level++) {
      const at = (this.pathNode[level] as number) * INNER_WORDS + COUNTS;
      const place = this.pathPlace[level] as number;
      for (let i = 0; i < place; i++) rank += I[at + i] as number;
    }
    return rank;
  }

  /** The position with `rank` entries before it, or -1. */
  atRank(rank: number): number {
    if (rank < 0 || rank >= this.size) return -1;
    const I = this.inners.I;
    let node = this.root;
    for (let level = this.height; level > 0; level--) {
      const at = node * INNER_WORDS;
      let i = 0;
      while (rank >= (I[at + COUNTS + i] as number)) rank -= I[at + COUNTS + i++] as number;
      node = I[at + CHILDREN + i] as number;
    }
    return node * M + rank;
  }

  /** Puts an entry at this place of the leaf that the path leads to. */
  insert(leaf: number, place: number, slot: number, k0: number, k1: number): void {
    this.size++;
    this.#count(1);
    this.#insertIntoLeaf(leaf, place, slot, k0, k1);
  }

  /** Takes the entry at this place out of the leaf that the path leads to. */
  remove(leaf: number, place: number): void {
    const { I, F } = this.leaves;
    const at = leaf * LEAF_WORDS;
    const fat = at / 2;
    const count = I[at] as number;
    I.copyWithin(at + LEAF_SLOTS + place, at + LEAF_SLOTS + place + 1, at + LEAF_SLOTS + count);
    F.copyWithin(fat + LEAF_K0 + place, fat + LEAF_K0 + place + 1, fat + LEAF_K0 + count);
    F.copyWithin(fat + LEAF_K1 + place, fat + LEAF_K1 + place + 1, fat + LEAF_K1 + count);
    I[at] = count - 1;
    this.size--;
    this.#count(-1);
    if (count - 1 === 0) this.#dropEmptyLeaf(leaf);
    else {
      if (place === 0) this.#renewLeast(this.height - 1, leaf);
      if (count - 1 < M / 4) this.#mergeLeaf(leaf);
    }
  }

  /** Gives its memory back; it is empty. */
  clear(): void {
    this.#nodes.clear();
    this.root = this.#nodes.newLeaf();
    this.height = 0;
    this.size = 0;
  }

  /** Fills the empty tree with entries in their order, in pieces. */
  *pack(rows: OrderedRows): Generator<void> {
    const { root, height } = yield* this.#nodes.pack(rows);
    this.size = rows.slots.length;
    this.root = root;
    this.height = height;
  }

  /** Adds `by` to the counts along the path. */
  #count(by: number): void {
    const I = this.inners.I;
    for (let level = 0; level < this.height; level++) {
      const at = (this.pathNode[level] as number) * INNER_WORDS + COUNTS + (this.pathPlace[level] as number);
      I[at] = (I[at] as number) + by;
    }
  }

  #insertIntoLeaf(leaf: number, place: number, slot: number, k0: number, k1: number): void {
    let target = leaf;
    let at = leaf * LEAF_WORDS;
    if ((this.leaves.I[at] as number) === M) {
      // An append at the right edge leaves full leaves behind (logs arrive in order); elsewhere the leaf is halved.
      const isLast = this.leaves.I[at + 1] === 0;
      const keep = isLast && place === M ? M : M / 2;
      const right = this.#nodes.splitLeaf(leaf, keep);
      if (place >= keep) {
        target = right;
        place -= keep;
      }
      at = target * LEAF_WORDS;
      const { I, F } = this.leaves;
      openPlace(I, F, at, place);
      I[at + LEAF_SLOTS + place] = slot;
      F[at / 2 + LEAF_K0 + place] = k0;
      F[at / 2 + LEAF_K1 + place] = k1;
      this.#linkSplit(this.height - 1, leaf, right, 0);
      return;
    }
    const { I, F } = this.leaves;
    openPlace(I, F, at, place);
    I[at + LEAF_SLOTS + place] = slot;
    F[at / 2 + LEAF_K0 + place] = k0;
    F[at / 2 + LEAF_K1 + place] = k1;
    if (place === 0) this.#renewLeast(this.height - 1, leaf);
  }

  /** A node on the level below `level` has been split into left and right: tells the parent, which may split in turn. */
  #linkSplit(level: number, left: number, right: number, childLevel: number): void {
    if (level < 0) {
      const root = this.#nodes.newInner();
      this.inners.I[root * INNER_WORDS] = 2;
      this.#nodes.setChild(root, 0, left, childLevel);
      this.#nodes.setChild(root, 1, right, childLevel);
      this.root = root;
      this.height++;
      return;
    }
    let parent = this.pathNode[level] as number;
    let place = this.pathPlace[level] as number;
    this.#nodes.setChild(parent, place, left, childLevel);
    if (place === 0) this.#renewUp(level);
    if ((this.inners.I[parent * INNER_WORDS] as number) < M) {
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
    const node = this.pathNode[level] as number;
    const place = this.pathPlace[level] as number;
    const { I, F } = this.inners;
    const at = node * INNER_WORDS;
    const from = leaf * LEAF_WORDS;
    I[at + SEPARATORS + place] = this.leaves.I[from + LEAF_SLOTS] as number;
    F[at / 2 + INNER_K0 + place] = this.leaves.F[from / 2 + LEAF_K0] as number;
    F[at / 2 + INNER_K1 + place] = this.leaves.F[from / 2 + LEAF_K1] as number;
    if (place === 0) this.#renewUp(level);
  }

  /** The least entry of the path's node on `level` has changed: copies it upwards while the node is its parent's first child. */
  #renewUp(level: number): void {
    const { I, F } = this.inners;
    for (let l = level; l > 0; l--) {
      const from = (this.pathNode[l] as number) * INNER_WORDS;
      const at = (this.pathNode[l - 1] as number) * INNER_WORDS;
      const place = this.pathPlace[l - 1] as number;
      I[at + SEPARATORS + place] = I[from + SEPARATORS] as number;
      F[at / 2 + INNER_K0 + place] = F[from / 2 + INNER_K0] as number;
      F[at / 2 + INNER_K1 + place] = F[from / 2 + INNER_K1] as number;
      if (place !== 0) return;
    }
  }

  #dropEmptyLeaf(leaf: number): void {
    if (this.height === 0) return;
    const I = this.leaves.I;
    const at = leaf * LEAF_WORDS;
    const next = I[at + 1] as number;
    const previous = I[at + 2] as number;
    if (next !== 0) I[(next - 1) * LEAF_WORDS + 2] = previous;
    if (previous !== 0) I[(previous - 1) * LEAF_WORDS + 1] = next;
    this.#nodes.freeLeaf(leaf);
    this.#dropChild(this.height - 1);
  }

  /** Takes the path's child on `level` out of its node; empty nodes go, and a root with one child gives way to it. */
  #dropChild(level: number): void {
    const node = this.pathNode[level] as number;
    const place = this.pathPlace[level] as number;
    this.#nodes.closeChild(node, place);
    if (this.inners.I[node * INNER_WORDS] === 0) {
      this.#nodes.freeInner(node);
      if (level === 0) {
        this.height = 0;
        this.root = this.#nodes.newLeaf();
      } else this.#dropChild(level - 1);
      return;
    }
    if (place === 0) this.#renewUp(level);
    while (this.height > 0 && this.inners.I[this.root * INNER_WORDS] === 1) {
      const only = this.inners.I[this.root * INNER_WORDS + CHILDREN] as number;
      this.#nodes.freeInner(this.root);
      this.root = only;
      this.height--;
    }
  }

  /** Merges a sparse leaf with the one behind it under the same parent, if both fit into three quarters. */
  #mergeLeaf(leaf: number): void {
    if (this.height === 0) return;
    const level = this.height - 1;
    const parent = this.pathNode[level] as number;
    const place = this.pathPlace[level] as number;
    const pat = parent * INNER_WORDS;
    if (place + 1 >= (this.inners.I[pat] as number)) return;
    const right = this.inners.I[pat + CHILDREN + place + 1] as number;
    const { I, F } = this.leaves;
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
    const IN = this.inners.I;
    IN[counts + place] = count + more;
    this.pathPlace[level] = place + 1;
    this.#dropChild(level);
  }
}
