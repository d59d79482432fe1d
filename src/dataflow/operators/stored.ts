/**
 * Nodes whose output rows lie in a Store: tables, results of views, arrangements, constant rows. Their consumers read the store.
 *
 * A collection takes the changes of its input into its store. What a retraction has to find decides the form:
 * - keyed: rows are unique by the plan's key; a unique index on the key finds the row.
 * - append: nothing is ever taken away, so nothing is looked up.
 * - bag: equal rows are one row with a weight, found by all columns, display scale included.
 * - distinct: as bag, but equal means equal values, and consumers see a row once whatever its weight.
 * - set: distinct over an input that only grows; the weight is never looked at.
 */
import { compiled } from "../../base/compiled.ts";
import { EvertError } from "../../base/errors.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { LayoutColumn } from "../../state/layout.ts";
import { LIVE, Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { lostRow } from "../lost-row.ts";
import { type CoolableStore, Node, type NodeStore, type Source } from "../node.ts";
import { ColdKeys } from "./cold-keys.ts";
import { declareColumns, equalsRow, findArguments, writeRow } from "./row-code.ts";
import { sink, touchLoop } from "./touch-code.ts";

export abstract class StoredNode extends Node {
  abstract readonly store: Store;
  /** Whether the weight word counts: otherwise every visible row is there once. */
  abstract readonly weighted: boolean;
  /** Whether versions of a row may differ in weight alone; rowIndex is then by the whole row. */
  readonly versioned: boolean = false;
  /** Unique key columns, for joins that may use its index; null when there is none. */
  readonly key: readonly number[] | null = null;
  /** Finds the row of a key (or, without one, of all columns); null where nothing is ever looked up. */
  readonly rowIndex: HashIndex | null = null;

  override stores(): NodeStore[] {
    return [{ part: "rows", store: this.store }];
  }

  override keepWarm(by: 1 | -1): void {
    this.store.warmers += by;
  }

  override settle(): void {
    this.activity.gaveRows(this.store.bornCount + this.store.died.length);
    super.settle();
  }
}

export type CollectionMode = "keyed" | "append" | "bag" | "distinct" | "set";

export interface CollectionSpec {
  readonly identity: string;
  readonly label: string;
  readonly columns: readonly LayoutColumn[];
  readonly mode: CollectionMode;
  /** keyed only. */
  readonly key: readonly number[] | null;
}

export class Collection extends StoredNode {
  readonly label: string;
  readonly store: Store;
  override readonly isRowForRow: boolean;
  readonly mode: CollectionMode;
  readonly weighted: boolean;
  override readonly versioned: boolean;
  override readonly key: readonly number[] | null;
  override readonly rowIndex: HashIndex | null;
  readonly #apply: (chunk: Chunk) => void;
  readonly #source: string;
  /** null: nothing is looked up, and rows are in memory. */
  readonly #keys: ColdKeys | null;

  constructor(spec: CollectionSpec, source: Source, dictionary: Dictionary) {
    super(spec.identity, [source]);
    this.label = spec.label;
    this.mode = spec.mode;
    // Without a key equal rows are one.
    this.isRowForRow = spec.mode === "keyed" || spec.mode === "append";
    this.store = new Store(spec.label, spec.columns, dictionary);
    this.weighted = spec.mode === "append" || spec.mode === "bag";
    this.key = spec.mode === "keyed" ? spec.key : null;
    this.rowIndex = indexOf(this.store, spec);
    this.versioned = spec.mode === "bag" || spec.mode === "distinct";
    const { apply, source: code } = applier(this.store, spec, this.rowIndex);
    this.#source = code;
    this.#apply = apply;
    const { rowIndex } = this;
    const { columns } = spec;
    this.#keys =
      rowIndex === null
        ? null
        : new ColdKeys(this, this.store, rowIndex, [
            { columns, key: rowIndex.spec.columns, isNew: spec.mode === "keyed" },
          ]);
  }

  override get title(): string {
    return `rows kept (${this.mode})`;
  }

  override coolable(): readonly CoolableStore[] {
    // Rows that nothing takes away are looked up by joins alone.
    return [{ store: this.store, index: this.rowIndex }];
  }

  override push(port: number, chunk: Chunk): void {
    if (this.#keys?.holds(port, chunk) !== true) this.#apply(chunk);
  }

  override stop(): void {
    this.#keys?.close();
  }

  override fetched(): void {
    this.#keys?.fetched();
  }

  override code(): string[] {
    return [`// ${this.label}: take changes in (${this.mode})\n${this.#source}`];
  }
}

function indexOf(store: Store, { mode, key, columns }: CollectionSpec): HashIndex | null {
  if (mode === "append") return null;
  if (mode === "keyed") return store.hashIndex({ columns: key!, unique: true });
  return store.hashIndex({ columns: [...columns.keys()], unique: true, exact: mode === "bag" });
}

/** Slots of rows that enter together: nobody enters rows while another does. */
const together = new Int32Array(CHUNK_ROWS);
/** Those of them whose equals are there. */
const equals = new Int32Array(CHUNK_ROWS);
/** Chunks that are taken row by row, after one of which many rows had their equals there. */
const CHUNKS_WITH_EQUALS = 16;

/** Takes the changes of a chunk into the store, whose first columns are the spec's. */
export function applier(
  store: Store,
  spec: Pick<CollectionSpec, "mode" | "columns" | "label">,
  index: HashIndex | null,
): { apply: (chunk: Chunk) => void; source: string } {
  const source = applySource(store, spec, index);
  const make = compiled("store", "find", "touch", "sink", "lost", "tooMany", "slots", "met", source);
  const lost = (): EvertError => lostRow(spec.label);
  const given = [store, index?.find, index?.touch, sink, lost, tooMany, together, equals];
  return { apply: make(...given) as (chunk: Chunk) => void, source };
}

/** Of one row, or of one pair of rows that a join finds. */
export function tooMany(): EvertError {
  return new EvertError("out_of_memory", "one row occurs more than 2,147,483,647 times");
}

function applySource(
  store: Store,
  { mode, columns }: Pick<CollectionSpec, "mode" | "columns">,
  index: HashIndex | null,
): string {
  const { layout } = store;
  const { strideWords: stride, weightWord, birthWord, deathWord } = layout;
  const write = writeRow(layout, "b", "r");
  const key = index === null ? "" : findArguments(columns, index.spec.columns, "r");
  const find = `find(${key})`;
  const living = `s >= 0 && I[s * ${stride} + ${deathWord}] === ${LIVE}`;
  // Who reads a distinct store takes a row that left and came back within the step for the same one: it must look the same.
  const formOf =
    mode === "distinct"
      ? `if (s >= 0 && I[s * ${stride} + ${deathWord}] === epoch) { const a = s * ${stride}; for (let i = 0; i < ${weightWord}; i++) I[b + i] = I[a + i]; }`
      : "";
  const insert = (weight: string): string =>
    `const t = store.alloc(), b = t * ${stride}; ${write} ${formOf} ${weight === "1" ? "" : `I[b + ${weightWord}] = ${weight};`} store.insert(t);`;
  let body: string;
  switch (mode) {
    case "append":
      body = "";
      break;
    case "set":
      body = `if (w < 0) throw lost(); if (${find} >= 0) continue; ${insert("1")}`;
      break;
    case "keyed":
      body = `
      if (w === 1) { ${insert("1")} }
      else {
        const s = ${find};
        if (w !== -1 || !(${living})) throw lost();
        const b = s * ${stride};
        if (!(${equalsRow(layout, "b", "r")})) throw lost();
        store.kill(s);
      }`;
      break;
    case "bag":
    case "distinct":
      // A new version of a row keeps the old one's form: equal numerics may print differently.
      body = `
      const s = ${find};
      if (${living}) {
        const a = s * ${stride}, has = I[a + ${weightWord}] + w;
        if (has < 0) throw lost();
        if (has > 2147483647) throw tooMany();
        if (has === 0) store.kill(s);
        else if (I[a + ${birthWord}] === epoch) I[a + ${weightWord}] = has;
        else {
          store.kill(s);
          const t = store.alloc(), b = t * ${stride};
          for (let i = 0; i < ${weightWord}; i++) I[b + i] = I[a + i];
          I[b + ${weightWord}] = has;
          store.insert(t);
        }
      } else {
        if (w < 0) throw lost();
        ${insert("w")}
      }`;
      break;
  }
  const writeAll = `store.allocAll(slots, rows);
      for (let r = 0; r < rows; r++) {
        const b = slots[r] * ${stride}; ${write} ${mode === "keyed" || mode === "set" ? "" : `I[b + ${weightWord}] = W[r];`}
      }`;
  const enter = `${writeAll}
      store.insertAll(slots, rows);`;
  // And so do rows that leave.
  const leave = `${key === "" ? "" : touchLoop(key, "0", "rows")}
      for (let r = 0; r < rows; r++) {
        const s = ${find};
        if (s < 0) throw lost();
        const b = s * ${stride};
        if (!(${equalsRow(layout, "b", "r")})) throw lost();
        slots[r] = s;
      }
      if (!store.killAll(slots, rows)) throw lost();`;
  const oneByOne = `${key === "" ? "" : touchLoop(key, "0", "rows")}
    for (let r = 0; r < rows; r++) {
      const w = W[r];
      ${body}
    }`;
  // Most rows that come are new: they enter together, and those that are not are taken after them. The order makes no difference.
  const enterNew = `let come = 0;
    while (come < rows && W[come] > 0) come++;
    if (come === rows && --withEquals < 0) {
      ${writeAll}
      const others = store.insertNew(slots, rows, met);
      withEquals = others * 4 > rows ? ${CHUNKS_WITH_EQUALS} : 0;
      for (let o = 0; o < others; o++) {
        const r = met[o], w = W[r];
        ${body}
      }
      return;
    }
    ${oneByOne}`;
  // Rows that come and need not be looked for enter together.
  const bodies: Partial<Record<CollectionMode, string>> = {
    append: `for (let r = 0; r < rows; r++) if (W[r] < 0) throw lost();
      ${enter}`,
    keyed: `let come = 0, go = 0;
    while (come < rows && W[come] === 1) come++;
    if (come === rows) { ${enter} return; }
    while (go < rows && W[go] === -1) go++;
    if (go === rows) { ${leave} return; }
    ${oneByOne}`,
    bag: enterNew,
    distinct: enterNew,
    set: enterNew,
  };
  return `"use strict"; let withEquals = 0;
  return function apply(chunk) {
    const rows = chunk.length;
    store.reserve(rows);
    const I = store.I, F = store.F, W = chunk.weights, epoch = store.epoch;
    ${declareColumns("chunk", columns)}
    ${bodies[mode] ?? oneByOne}
  };`;
}
