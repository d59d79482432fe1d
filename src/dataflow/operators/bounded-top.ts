/**
 * The first `limit` rows of each partition over an input that only grows, for small limits: each partition's rows hang in a list of at most that
 * many, and a new row either takes the last one's place or is dropped at once (one row of each: first-row.ts). Its rows are the answer. Texts may
 * come late, and are interned for those rows that are still there at the end of their chunk (late-rows.ts).
 *
 * Rows of partitions that nothing comes to may go to disk; before a chunk is taken, all rows of those that it touches are there (cold-keys.ts).
 */
import { compiled } from "../../base/compiled.ts";
import type { OrderItem } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { orderHelpers } from "../../state/equality.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { LayoutColumn } from "../../state/layout.ts";
import { LIVE, Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import { lostRow } from "../lost-row.ts";
import type { CoolableStore, Interest, Source } from "../node.ts";
import { ColdKeys } from "./cold-keys.ts";
import { LateRows } from "./late-rows.ts";
import { declareColumns, findArguments, readers, writeRow } from "./row-code.ts";
import { compareRowsCode } from "./row-order-code.ts";
import { StoredNode } from "./stored.ts";

/** Above this a walk through a partition's list costs more than an ordered index. */
export const BOUNDED_LIMIT_MAX = 32;

export interface BoundedTopSpec {
  readonly identity: string;
  readonly label: string;
  readonly columns: readonly LayoutColumn[];
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  readonly limit: number;
}

export class BoundedTop extends StoredNode {
  readonly label: string;
  readonly store: Store;
  readonly weighted = false;
  readonly #apply: (chunk: Chunk) => void;
  readonly #late: LateRows;
  readonly #source: string;
  readonly #index: HashIndex;
  readonly #keys: ColdKeys;

  constructor(spec: BoundedTopSpec, source: Source, dictionary: Dictionary) {
    super(spec.identity, [source]);
    this.label = spec.label;
    this.store = new Store(spec.label, spec.columns, dictionary);
    const { columns, partition } = spec;
    const index = this.store.hashIndex({ columns: partition, unique: false });
    this.#index = index;
    const input = { columns, key: partition, isNew: false, rowsPerKey: Math.max(2, spec.limit) };
    this.#keys = new ColdKeys(this, this.store, index, [input]);
    this.#source = applySource(this.store, spec);
    const decisive = new Set([...spec.partition, ...spec.order.map((o) => o.column)]);
    this.#late = new LateRows(this.store, decisive);
    const names = ["store", "late", "find", "next", "lost", "compareFloat", "compareWide", "compareNumeric"];
    const make = compiled(...names, this.#source);
    const lost = () => lostRow(this.label);
    this.#apply = make(
      this.store,
      this.#late,
      index.find,
      index.next,
      lost,
      orderHelpers.compareFloat,
      orderHelpers.compareWide,
      orderHelpers.compareNumeric,
    ) as (chunk: Chunk) => void;
  }

  override interest(column: number): Interest {
    // A chunk that waits for rows on disk outlives its batch.
    return this.store.cold?.isEmpty !== false && this.#late.mayBe(column) ? "late" : "filled";
  }

  override coolable(): readonly CoolableStore[] {
    return this.#index.spec.columns.length === 0 ? [] : [{ store: this.store, index: this.#index }];
  }

  override stop(): void {
    this.#keys.close();
  }

  override fetched(): void {
    this.#keys.fetched();
  }

  override push(port: number, chunk: Chunk): void {
    if (this.#keys.holds(port, chunk)) return;
    this.#late.begin(chunk);
    this.#apply(chunk);
    this.#late.end();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source}`];
  }
}

function applySource(store: Store, { columns, partition, order, limit }: BoundedTopSpec): string {
  const { layout } = store;
  const { strideWords: stride, birthWord, deathWord } = layout;
  const { read, isNull } = readers(layout, "I", "F");
  const at = (b: string) => ({ read: (c: number) => read(c, b), isNull: (c: number) => isNull(c, b) });
  return `"use strict"; const dictionary = store.dictionary;
  function compare(x, y) {
    const I = store.I, F = store.F, b = x * ${stride}, c = y * ${stride};
    ${compareRowsCode(store, partition, order, at("b"), at("c"), "if (late.isOn) late.fill();")}
  }
  // A slot for the row in hand: it becomes a row of the store only if it is kept.
  let spare = -1;
  return function apply(chunk) {
    const rows = chunk.length;
    const W = chunk.weights;
    let room = 1;
    for (let r = 0; r < rows; r++) room += W[r] < ${limit} ? W[r] : ${limit};
    store.reserve(room > 1 ? room : 1);
    const I = store.I, F = store.F;
    ${declareColumns("chunk", columns)}
    for (let r = 0; r < rows; r++) {
      let w = W[r];
      if (w < 0) throw lost();
      for (; w > 0; w--) {
        if (spare < 0) spare = store.alloc();
        const b = spare * ${stride};
        ${writeRow(layout, "b", "r")}
        I[b + ${birthWord}] = store.epoch; I[b + ${deathWord}] = ${LIVE};
        late.row = r; late.slot = spare;
        let n = 0, last = -1;
        for (let m = find(${findArguments(columns, partition, "r")}); m >= 0; m = next(m)) {
          if (I[m * ${stride} + ${deathWord}] !== ${LIVE}) continue;
          n++;
          if (last < 0 || compare(m, last) > 0) last = m;
        }
        if (n >= ${limit}) {
          if (${limit} === 0 || compare(spare, last) >= 0) break;
          store.kill(last);
        }
        store.insert(spare);
        if (late.isOn) late.inserted();
        spare = -1;
      }
    }
    if (spare >= 0) I[spare * ${stride} + ${birthWord}] = ${LIVE};
  };`;
}
