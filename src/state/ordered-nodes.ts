/**
 * The nodes of an ordered index in two memories, leaves and inner nodes: what lies where in one, and what concerns no more than one of them and its
 * neighbour. Ways through the tree are ordered-tree.ts's.
 */
import { GrowingMemory, Int32List } from "./memory.ts";
import type { OrderedRows } from "./ordered-rows.ts";

/** Entries per node. */
export const M = 64;
/** Entries that packed nodes begin with. */
const FILL = 48;
const HEADER = 4; // count, next + 1, previous + 1, unused
export const LEAF_SLOTS = HEADER;
export const LEAF_K0 = (HEADER + M) / 2; // in doubles
export const LEAF_K1 = LEAF_K0 + M;
export const LEAF_WORDS = (LEAF_K1 + M) * 2;
export const CHILDREN = HEADER;
export const COUNTS = CHILDREN + M;
export const SEPARATORS = COUNTS + M;
export const INNER_K0 = (SEPARATORS + M) / 2;
export const INNER_K1 = INNER_K0 + M;
export const INNER_WORDS = (INNER_K1 + M) * 2;

export class OrderedNodes {
  readonly leaves: GrowingMemory = new GrowingMemory();
  readonly inners: GrowingMemory = new GrowingMemory();
  readonly #freeLeaves = new Int32List();
  readonly #freeInners = new Int32List();
  #leafCount = 0;
  #innerCount = 0;

  get bytes(): number {
    return (this.#leafCount * LEAF_WORDS + this.#innerCount * INNER_WORDS) * 4;
  }

  /** Gives their memory back. */
  clear(): void {
    this.leaves.clear();
    this.inners.clear();
    this.#freeLeaves.clear();
    this.#freeInners.clear();
    this.#leafCount = 0;
    this.#innerCount = 0;
  }

  newLeaf(): number {
    const leaf = this.#freeLeaves.length > 0 ? this.#freeLeaves.pop() : this.#leafCount++;
    this.leaves.ensure((leaf + 1) * LEAF_WORDS * 4);
    const at = leaf * LEAF_WORDS;
    this.leaves.I.fill(0, at, at + HEADER);
    return leaf;
  }

  newInner(): number {
    const inner = this.#freeInners.length > 0 ? this.#freeInners.pop() : this.#innerCount++;
    this.inners.ensure((inner + 1) * INNER_WORDS * 4);
    const at = inner * INNER_WORDS;
    this.inners.I.fill(0, at, at + HEADER);
    return inner;
  }

  freeLeaf(leaf: number): void {
    this.#freeLeaves.push(leaf);
  }

  freeInner(inner: number): void {
    this.#freeInners.push(inner);
  }

  /** All nodes anew, over entries in their order: leaves first, and level by level what stands above them. */
  *pack({ slots, k0, k1 }: OrderedRows): Generator<void, { root: number; height: number }> {
    const n = slots.length;
    this.#freeLeaves.clear();
    this.#leafCount = 0;
    let level: number[] = [];
    for (let from = 0, previous = -1; from < n; from += FILL) {
      const leaf = this.newLeaf();
      const at = leaf * LEAF_WORDS;
      const count = Math.min(FILL, n - from);
      const { I, F } = this.leaves;
      I[at] = count;
      I[at + 2] = previous + 1;
      if (previous >= 0) I[previous * LEAF_WORDS + 1] = leaf + 1;
      for (let i = 0; i < count; i++) {
        const slot = slots[from + i] as number;
        I[at + LEAF_SLOTS + i] = slot;
        F[at / 2 + LEAF_K0 + i] = k0[slot] as number;
        F[at / 2 + LEAF_K1 + i] = k1[slot] as number;
      }
      level.push(leaf);
      previous = leaf;
      if ((level.length & 255) === 0) yield;
    }
    let height = 0;
    while (level.length > 1) {
      const above: number[] = [];
      for (let from = 0; from < level.length; from += FILL) {
        const inner = this.newInner();
        const children = level.slice(from, from + FILL);
        for (const [i, child] of children.entries()) this.setChild(inner, i, child, height);
        this.inners.I[inner * INNER_WORDS] = children.length;
        above.push(inner);
        if ((above.length & 63) === 0) yield;
      }
      level = above;
      height++;
    }
    return { root: level[0] as number, height };
  }

  /** Moves the entries from `keep` on into a new leaf behind. */
  splitLeaf(leaf: number, keep: number): number {
    const right = this.newLeaf();
    const { I, F } = this.leaves;
    const at = leaf * LEAF_WORDS;
    const to = right * LEAF_WORDS;
    const count = I[at] as number;
    I.copyWithin(to + LEAF_SLOTS, at + LEAF_SLOTS + keep, at + LEAF_SLOTS + count);
    F.copyWithin(to / 2 + LEAF_K0, at / 2 + LEAF_K0 + keep, at / 2 + LEAF_K0 + count);
    F.copyWithin(to / 2 + LEAF_K1, at / 2 + LEAF_K1 + keep, at / 2 + LEAF_K1 + count);
    I[to] = count - keep;
    I[at] = keep;
    const next = I[at + 1] as number;
    I[to + 1] = next;
    I[to + 2] = leaf + 1;
    I[at + 1] = right + 1;
    if (next !== 0) I[(next - 1) * LEAF_WORDS + 2] = right + 1;
    return right;
  }

  splitInner(node: number, keep: number): number {
    const right = this.newInner();
    const { I, F } = this.inners;
    const at = node * INNER_WORDS;
    const to = right * INNER_WORDS;
    const count = I[at] as number;
    for (const part of [CHILDREN, COUNTS, SEPARATORS])
      I.copyWithin(to + part, at + part + keep, at + part + count);
    for (const part of [INNER_K0, INNER_K1])
      F.copyWithin(to / 2 + part, at / 2 + part + keep, at / 2 + part + count);
    I[to] = count - keep;
    I[at] = keep;
    return right;
  }

  openChild(node: number, place: number): void {
    const { I, F } = this.inners;
    const at = node * INNER_WORDS;
    const count = I[at] as number;
    for (const part of [CHILDREN, COUNTS, SEPARATORS])
      I.copyWithin(at + part + place + 1, at + part + place, at + part + count);
    for (const part of [INNER_K0, INNER_K1])
      F.copyWithin(at / 2 + part + place + 1, at / 2 + part + place, at / 2 + part + count);
    I[at] = count + 1;
  }

  closeChild(node: number, place: number): void {
    const { I, F } = this.inners;
    const at = node * INNER_WORDS;
    const count = I[at] as number;
    for (const part of [CHILDREN, COUNTS, SEPARATORS])
      I.copyWithin(at + part + place, at + part + place + 1, at + part + count);
    for (const part of [INNER_K0, INNER_K1])
      F.copyWithin(at / 2 + part + place, at / 2 + part + place + 1, at / 2 + part + count);
    I[at] = count - 1;
  }

  /** Writes child, count and least entry; childLevel 0 = leaves. */
  setChild(node: number, place: number, child: number, childLevel: number): void {
    const { I, F } = this.inners;
    const at = node * INNER_WORDS;
    I[at + CHILDREN + place] = child;
    if (childLevel === 0) {
      const from = child * LEAF_WORDS;
      I[at + COUNTS + place] = this.leaves.I[from] as number;
      I[at + SEPARATORS + place] = this.leaves.I[from + LEAF_SLOTS] as number;
      F[at / 2 + INNER_K0 + place] = this.leaves.F[from / 2 + LEAF_K0] as number;
      F[at / 2 + INNER_K1 + place] = this.leaves.F[from / 2 + LEAF_K1] as number;
    } else {
      const from = child * INNER_WORDS;
      let total = 0;
      for (let i = 0, n = I[from] as number; i < n; i++) total += I[from + COUNTS + i] as number;
      I[at + COUNTS + place] = total;
      I[at + SEPARATORS + place] = I[from + SEPARATORS] as number;
      F[at / 2 + INNER_K0 + place] = F[from / 2 + INNER_K0] as number;
      F[at / 2 + INNER_K1 + place] = F[from / 2 + INNER_K1] as number;
    }
  }
}

/** Makes room for an entry of a leaf. */
export function openPlace(I: Int32Array, F: Float64Array, at: number, place: number): void {
  const count = I[at] as number;
  const fat = at / 2;
  I.copyWithin(at + LEAF_SLOTS + place + 1, at + LEAF_SLOTS + place, at + LEAF_SLOTS + count);
  F.copyWithin(fat + LEAF_K0 + place + 1, fat + LEAF_K0 + place, fat + LEAF_K0 + count);
  F.copyWithin(fat + LEAF_K1 + place + 1, fat + LEAF_K1 + place, fat + LEAF_K1 + count);
  I[at] = count + 1;
}
