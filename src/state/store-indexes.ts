/** A store's indexes: equal ones are one, shared by those who use it, and made at once or piece by piece. With its last user an index goes. */
import { createHashIndex, type HashIndex, type HashIndexSpec } from "./hash-index.ts";
import { IndexGrowth } from "./index-growth.ts";
import { createOrderedIndex, type OrderedIndex, type OrderedIndexSpec } from "./ordered-index.ts";
import type { Rows } from "./rows.ts";

export class StoreIndexes {
  readonly hashed: HashIndex[] = [];
  readonly ordered: OrderedIndex[] = [];
  /** Those that are being made. */
  readonly growths: IndexGrowth[] = [];
  readonly #rows: Rows;
  /** What enters rows into indexes is to be made anew. */
  readonly #changed: () => void;
  readonly #users = new Map<HashIndex | OrderedIndex, number>();
  /** Of them, those who bring rows back from disk before they look them up. */
  readonly #bringing = new Map<HashIndex | OrderedIndex, number>();

  constructor(rows: Rows, changed: () => void) {
    this.#rows = rows;
    this.#changed = changed;
  }

  /** The existing equal index, or a new one over the rows present: at once, so over many rows grow it first. */
  hash(spec: HashIndexSpec, bringsBack = false): HashIndex {
    const index = this.#lease(this.#equalHash(spec), () => this.#newHash(spec)) as HashIndex;
    if (bringsBack) this.#count(index, 1);
    return index;
  }

  /** Whether all who use it bring rows back before. */
  bringsBack(index: HashIndex | OrderedIndex): boolean {
    return this.#bringing.get(index) === this.#users.get(index);
  }

  #count(index: HashIndex | OrderedIndex, by: 1 | -1): void {
    this.#bringing.set(index, (this.#bringing.get(index) ?? 0) + by);
  }

  /** The existing equal index, or a new one over the rows present: at once, so over many rows grow it first. */
  inOrder(spec: OrderedIndexSpec, bringsBack = false): OrderedIndex {
    const existing = this.#equalOrdered(spec);
    const index = this.#lease(existing, () => createOrderedIndex(this.#rows, spec)) as OrderedIndex;
    if (bringsBack) this.#count(index, 1);
    return index;
  }

  /**
   * The same, made piece by piece: call advance() between steps or chunks, until it says that the index is there; from then on hash() and
   * inOrder() find it. release() when it was leased by those who need it, or is no longer wanted.
   */
  grow(
    spec: HashIndexSpec | OrderedIndexSpec,
    bringsBack = false,
  ): { advance(slots: number): boolean; release(): void } {
    const ordered = "order" in spec;
    const existing = ordered ? this.#equalOrdered(spec) : this.#equalHash(spec);
    if (existing !== undefined) {
      const index = this.#used(existing);
      if (bringsBack) this.#count(index, 1);
      return { advance: () => true, release: () => this.release(index, bringsBack) };
    }
    const growth = new IndexGrowth(
      this.#rows,
      ordered ? createOrderedIndex(this.#rows, spec) : this.#newHash(spec),
    );
    this.growths.push(growth);
    this.#changed();
    let index: HashIndex | OrderedIndex | null = null;
    const stop = (): void => {
      const at = this.growths.indexOf(growth);
      if (at >= 0) this.growths.splice(at, 1);
      this.#changed();
    };
    return {
      advance: (slots) => {
        if (index !== null) return true;
        if (!growth.advance(slots)) return false;
        stop();
        // Another may have been there first.
        const other = ordered ? this.#equalOrdered(spec) : this.#equalHash(spec);
        if (other === undefined) this.#keep(growth.index);
        index = this.#used(other ?? growth.index);
        if (bringsBack) this.#count(index, 1);
        return true;
      },
      release: () => {
        stop();
        if (index !== null) this.release(index, bringsBack);
        index = null;
      },
    };
  }

  #equalHash(spec: HashIndexSpec): HashIndex | undefined {
    return this.hashed.find(
      (x) =>
        x.spec.unique === spec.unique &&
        (x.spec.exact ?? false) === (spec.exact ?? false) &&
        sameList(x.spec.columns, spec.columns),
    );
  }

  #equalOrdered(spec: OrderedIndexSpec): OrderedIndex | undefined {
    const key = JSON.stringify([spec.partition, spec.order]);
    return this.ordered.find((x) => JSON.stringify([x.spec.partition, x.spec.order]) === key);
  }

  #newHash(spec: HashIndexSpec): HashIndex {
    const index = createHashIndex(this.#rows, { ...spec });
    index.reserve(Math.max(this.#rows.highWater, 1));
    return index;
  }

  #lease(
    existing: HashIndex | OrderedIndex | undefined,
    make: () => HashIndex | OrderedIndex,
  ): HashIndex | OrderedIndex {
    if (existing !== undefined) return this.#used(existing);
    const growth = new IndexGrowth(this.#rows, make());
    growth.advance(this.#rows.highWater);
    this.#keep(growth.index);
    return this.#used(growth.index);
  }

  #keep(index: HashIndex | OrderedIndex): void {
    if ("order" in index.spec) this.ordered.push(index as OrderedIndex);
    else this.hashed.push(index as HashIndex);
    this.#changed();
  }

  /** One user of the index less; with the last one it goes. Every call of hash() and inOrder() made one. */
  release(index: HashIndex | OrderedIndex, bringsBack = false): void {
    if (bringsBack) this.#count(index, -1);
    const users = (this.#users.get(index) ?? 0) - 1;
    this.#users.set(index, users);
    if (users > 0) return;
    const hash = this.hashed.indexOf(index as HashIndex);
    if (hash >= 0) this.hashed.splice(hash, 1);
    const ordered = this.ordered.indexOf(index as OrderedIndex);
    if (ordered >= 0) this.ordered.splice(ordered, 1);
    this.#changed();
  }

  #used<T extends HashIndex | OrderedIndex>(index: T): T {
    this.#users.set(index, (this.#users.get(index) ?? 0) + 1);
    return index;
  }
}

export function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
