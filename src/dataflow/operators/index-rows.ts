/**
 * The rows of a store that an index gives, for a query that runs once: stretch after stretch, those visible at the step's epoch.
 *
 * A piece of work looks at a bounded number of entries. Between two pieces the index may change, so that no position holds: the walk goes on behind
 * the last row it has given, which the build's pin keeps where it is.
 */
import { assert } from "../../base/assert.ts";
import type { Datum } from "../../plan/expression.ts";
import type { Lookup } from "../../plan/plan.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { IndexRange, type IndexStretch, tied } from "../../state/index-range.ts";
import { masksOf } from "../../state/null-masks.ts";
import type { OrderedIndex } from "../../state/ordered-index.ts";
import { LAST_EPOCH } from "../../state/rows.ts";
import type { Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { Node } from "../node.ts";
import type { StoredNode } from "./stored.ts";
import { physicalOfDatum } from "./values.ts";

/** Entries looked at in a piece of work; more where the row behind them is not visible. */
const ENTRIES_MAX = 1024;

type Index =
  | { readonly kind: "hash"; readonly index: HashIndex }
  | { readonly kind: "ordered"; readonly index: OrderedIndex };

export class IndexRows extends Node {
  readonly label: string;
  readonly #lookup: Lookup;
  readonly #whole: Chunk;
  readonly #columns: readonly number[];
  readonly #index: Index;
  #isUnbound = false;
  #range = 0;
  /** The range whose row is in memory, wherever it was. */
  #brought = -1;
  /** Row of the present stretch given last; -1: none. */
  #last = -1;
  /** Rows given, and of them the one with which there were enough; -1: there are not. */
  #given = 0;
  #enough = -1;

  constructor(identity: string, input: StoredNode, lookup: Lookup, columns: readonly number[]) {
    super(identity, [{ node: input, kind: "store" }]);
    this.label = `rows of ${input.label} by ${lookup.index.name}`;
    this.#lookup = lookup;
    this.#columns = columns;
    this.#whole = createChunk(input.store.layout.columns);
    this.#index = leased(input.store, lookup);
  }

  get #input(): StoredNode {
    return this.sources[0]!.node as StoredNode;
  }

  override unbind(): void {
    if (this.#isUnbound) return;
    this.#isUnbound = true;
    this.#input.store.dropIndex(this.#index.index);
  }

  override begin(): void {
    super.begin();
    assert(this.step.from === -1, "an index is looked into by queries that run once");
  }

  /** By its key a row is found wherever it is. */
  override readsCold(): boolean {
    return this.#lookup.index.kind === "hash" && this.#lookup.index.isKey;
  }

  override push(): void {}

  override work(): boolean {
    const { ranges, first } = this.#lookup;
    if (this.#range === ranges.length || first?.rows === 0) return false;
    const fetched = this.#fetch();
    if (fetched !== null) {
      this.host.fetch(this, fetched);
      return true;
    }
    const whole = this.#whole;
    whole.length = 0;
    const range = ranges[this.#range]!;
    const store = this.#input.store;
    const { dictionary } = store;
    const code = (value: Datum): number | null =>
      value === null ? null : physicalOfDatum(value, dictionary);
    const done =
      this.#index.kind === "hash"
        ? this.#hashed(this.#index.index, range.equal.map(code))
        : this.#ordered(this.#index.index, {
            equal: range.equal.map(code),
            from: range.from === null ? null : { ...range.from, value: code(range.from.value) },
            to: range.to === null ? null : { ...range.to, value: code(range.to.value) },
          });
    if (done) {
      this.#range++;
      this.#last = -1;
    }
    this.emit({
      ...whole,
      columns: this.#columns.map((c) => whole.columns[c]!),
      nulls: this.#columns.map((c) => whole.nulls[c]!),
    });
    return true;
  }

  /** The row of the next range's key comes back from disk first, if it may be there. */
  #fetch(): Promise<void> | null {
    const { store } = this.#input;
    const { cold } = store;
    const range = this.#range;
    if (cold === null || cold.isEmpty || this.#brought === range || this.#index.kind !== "hash") return null;
    this.#brought = range;
    const values = this.#lookup.ranges[range]!.equal;
    const codes = () => values.map((v) => (v === null ? 0 : physicalOfDatum(v, store.dictionary)));
    const { find } = this.#index.index;
    return cold.bring(codes, () => {
      const slot = find(...codes(), ...masksOf(values));
      const isThere = slot >= 0 && store.visible(slot, LAST_EPOCH);
      if (isThere) cold.asked(slot);
      return isThere;
    });
  }

  /** A piece of the list of a key; true at its end. */
  #hashed(index: HashIndex, codes: readonly (number | null)[]): boolean {
    let slot =
      this.#last >= 0 ? index.next(this.#last) : index.find(...codes.map((c) => c ?? 0), ...masksOf(codes));
    for (let n = 0; slot >= 0; n++) {
      this.#give(slot);
      if (this.#pauses(n, slot)) return false;
      slot = index.next(slot);
    }
    return true;
  }

  #ordered(index: OrderedIndex, stretch: IndexStretch): boolean {
    const { backward, first } = this.#lookup;
    const { store } = this.#input;
    const range = new IndexRange(store, index, stretch, backward);
    const isTied = first === null ? null : tied(store, index, first.tied);
    let position = range.start(this.#last);
    for (let n = 0; position >= 0; n++) {
      const slot = index.slot(position);
      if (this.#enough >= 0 && isTied?.(slot, this.#enough) === false) return true;
      this.#give(slot);
      if (first !== null && this.#enough < 0 && this.#given >= first.rows) this.#enough = this.#last;
      if (this.#pauses(n, slot)) return false;
      position = range.next(position);
    }
    return true;
  }

  /** Whether it is enough for now, and the row one behind which the walk can go on. */
  #pauses(entries: number, slot: number): boolean {
    return slot === this.#last && (entries >= ENTRIES_MAX || this.#whole.length === CHUNK_ROWS);
  }

  #give(slot: number): void {
    const { store, weighted } = this.#input;
    if (!store.visible(slot, this.step.to)) return;
    const whole = this.#whole;
    store.read(slot, whole.columns, whole.nulls, whole.length);
    whole.weights[whole.length++] = weighted ? store.weight(slot) : 1;
    this.#last = slot;
    this.#given++;
  }
}

/** The index that the plan means: there it is, and as long as it is used it stays. */
function leased(store: Store, { index }: Lookup): Index {
  if (index.kind === "ordered")
    return { kind: "ordered", index: store.orderedIndex({ partition: [], order: index.items }) };
  const columns = index.items.map((i) => i.column);
  return { kind: "hash", index: store.hashIndex({ columns, unique: index.isKey }) };
}
