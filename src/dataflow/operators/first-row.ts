/**
 * The first row of each partition over an input that only grows: the last bid of each bidder, the latest state of each device.
 *
 * 1. A row finds its partition's by a unique index. There is none: it enters. It does not come before the one there: it is dropped.
 * 2. Else it takes that one's place. A row of an earlier step dies and the new one enters, for its readers still see it; one of this step nobody has
 *    seen: it is written over where it lies, and the index is not touched. Where others have made indexes of theirs, it leaves them, too.
 * 3. Texts may come late (late-rows.ts), unless others' indexes may be on them: they are interned for those rows that are still there at the end of
 *    their chunk.
 *
 * Its rows are the answer, unique by the partition's columns; whoever asks for them reads this store, and a view of them has no other.
 */
import { assert } from "../../base/assert.ts";
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
import { sink, touchLoop } from "./touch-code.ts";

export interface FirstRowSpec {
  readonly identity: string;
  readonly label: string;
  readonly columns: readonly LayoutColumn[];
  /** Each column once. */
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
}

export class FirstRow extends StoredNode {
  readonly label: string;
  readonly store: Store;
  readonly weighted = false;
  override readonly key: readonly number[];
  override readonly rowIndex: HashIndex;
  readonly #apply: (chunk: Chunk) => void;
  readonly #late: LateRows;
  readonly #source: string;
  readonly #keys: ColdKeys;

  constructor(spec: FirstRowSpec, source: Source, dictionary: Dictionary) {
    super(spec.identity, [source]);
    const { label, partition, order } = spec;
    this.label = label;
    this.store = new Store(label, spec.columns, dictionary);
    this.key = partition;
    this.rowIndex = this.store.hashIndex({ columns: partition, unique: true });
    this.#late = new LateRows(this.store, new Set([...partition, ...order.map((o) => o.column)]));
    this.#source = applySource(this.store, spec);
    const { find, touch } = this.rowIndex;
    const lost = () => lostRow(label);
    const known = { store: this.store, late: this.#late, find, touch, sink, lost, ...orderHelpers };
    const make = compiled(...Object.keys(known), this.#source);
    this.#apply = make(...Object.values(known)) as (chunk: Chunk) => void;
    const { columns } = spec;
    this.#keys = new ColdKeys(this, this.store, this.rowIndex, [{ columns, key: partition, isNew: false }]);
  }

  override get title(): string {
    return "first rows";
  }

  override interest(column: number): Interest {
    // A chunk that waits for rows on disk outlives its batch.
    const takesLate = this.store.hasOneIndex && this.store.cold?.isEmpty !== false;
    return takesLate && this.#late.mayBe(column) ? "late" : "filled";
  }

  override coolable(): readonly CoolableStore[] {
    return [{ store: this.store, index: this.rowIndex }];
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
    assert(!this.#late.isOn || this.store.hasOneIndex, "an index of others is on texts that are there");
    this.#apply(chunk);
    this.#late.end();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source}`];
  }
}

/** Partitions lately met, by their slots, as a group-by keeps them: the row in the slot says itself whether it is the one. */
const RECENT = 256;

function applySource(store: Store, { columns, partition, order }: FirstRowSpec): string {
  const { layout } = store;
  const { strideWords: stride, birthWord, deathWord } = layout;
  const { read, isNull } = readers(layout, "I", "F");
  const come = {
    read: (c: number) => `c${c}[r]`,
    isNull: (c: number) => (columns[c]!.nullable ? `n${c}[r]` : "0"),
  };
  const there = { read: (c: number) => read(c, "b"), isNull: (c: number) => isNull(c, "b") };
  const key = findArguments(columns, partition, "r");
  const write = writeRow(layout, "b", "r");
  const place = partition
    .map((c, i) => (i === 0 ? `c${c}[r]` : `Math.imul(c${c}[r], ${2 * i + 1})`))
    .join(" ^ ");
  const sameKey = partition.map((c) => {
    const nulls = columns[c]!.nullable ? ` && ${isNull(c, "b")} === n${c}[r]` : "";
    return `${read(c, "b")} === c${c}[r]${nulls}`;
  });
  const isOther = `I[b + ${deathWord}] !== ${LIVE} || I[b + ${birthWord}] > epoch || !(${["true", ...sameKey].join(" && ")})`;
  return `"use strict"; const dictionary = store.dictionary;
  const recent = new Int32Array(${RECENT}); let mostNew = false;
  return function apply(chunk) {
    const rows = chunk.length, W = chunk.weights;
    for (let r = 0; r < rows; r++) if (W[r] < 0) throw lost();
    store.reserve(rows);
    const I = store.I, F = store.F, epoch = store.epoch, alone = store.hasOneIndex;
    ${declareColumns("chunk", columns)}
    if (mostNew) { ${touchLoop(key, "0", "rows")} }
    let news = 0;
    const compare = (r, b) => {
    ${compareRowsCode(store, partition, order, come, there, "if (late.isOn) late.fill();")}
    };
    for (let r = 0; r < rows; r++) {
      const at = (${place === "" ? "0" : place}) & ${RECENT - 1};
      let s = recent[at], b = s * ${stride};
      if (${isOther}) { s = find(${key}); b = s * ${stride}; news++; }
      late.row = r;
      if (s >= 0 && I[b + ${deathWord}] === ${LIVE}) {
        recent[at] = s;
        if (compare(r, b) >= 0) continue;
        if (alone && I[b + ${birthWord}] === epoch) {
          if (late.isOn) late.forget(s);
          store.release(s);
          ${write}
          store.retain(s);
          if (late.isOn) late.note(s);
          continue;
        }
        store.kill(s);
      }
      s = store.alloc(); b = s * ${stride};
      ${write}
      store.insert(s);
      recent[at] = s;
      if (late.isOn) late.note(s);
    }
    mostNew = news * 4 > rows;
  };`;
}
