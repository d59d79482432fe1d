/**
 * A table topic: upserts and deletes by key become the table's current rows.
 *
 * Its store holds the rows in versions; consumers read the step's net change from the journal, so a key changed many times within a step
 * counts once. An as-of join must see every change in log order: it hangs on `changes`, which passes on each one
 * (old row -1, new row +1, with its commit) as it happens.
 */
import { compiled } from "../../base/compiled.ts";
import type { Schema } from "../../batch/schema.ts";
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { LIVE, Store } from "../../state/store.ts";
import { goBack, goTo } from "../activity.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { type CoolableStore, Node, type NodeStore } from "../node.ts";
import { missing } from "./cold-keys.ts";
import { declareColumns, equalsRow, findArguments, readers, writeRow } from "./row-code.ts";
import { StoredNode } from "./stored.ts";
import { sink, touchLoop } from "./touch-code.ts";

type Apply = (
  chunk: Chunk,
  from: number,
  to: number,
  ops: Uint8Array | null,
  opsFrom: number,
  out: Chunk | null,
) => void;

export interface TableSpec {
  readonly id: number;
  readonly name: string;
  readonly schema: Schema;
  readonly key: readonly number[];
  /** How many times it was laid out anew, with more columns; absent: 0. */
  readonly layout?: number | undefined;
}

interface Fed {
  readonly chunk: Chunk;
  readonly ops: Uint8Array | null;
  readonly opsFrom: number;
}

export class Table extends StoredNode {
  readonly label: string;
  readonly store: Store;
  readonly weighted = false;
  override readonly key: readonly number[];
  override readonly rowIndex: HashIndex;
  #changes: TableChanges | null = null;
  readonly layout: number;
  readonly #apply: Apply;
  readonly #source: string;
  #missing: ReturnType<typeof missing> | null = null;
  /** What waits for rows on disk, and what had moved when they were asked for. */
  #fed: (Fed & { readonly moves: number }) | null = null;

  constructor({ id, name, schema, key, layout = 0 }: TableSpec, dictionary: Dictionary) {
    super(tableIdentity(id), []);
    this.label = `table ${name}`;
    this.key = key;
    this.layout = layout;
    this.store = new Store(name, schema.fields, dictionary);
    this.rowIndex = this.store.hashIndex({ columns: key, unique: true });
    this.#source = applySource(this.store, this.rowIndex);
    this.#apply = compiled(
      "store",
      "find",
      "touch",
      "sink",
      this.#source,
    )(this.store, this.rowIndex.find, this.rowIndex.touch, sink) as Apply;
  }

  override get isTopic(): boolean {
    return true;
  }

  override coolable(): readonly CoolableStore[] {
    return [{ store: this.store, index: this.rowIndex }];
  }

  override stores(): NodeStore[] {
    return [{ part: tableRowsPart(this.layout), store: this.store }];
  }

  /** Feeds `ops[opsFrom ..]` (null: all upserts) for the chunk's rows. */
  feed(chunk: Chunk, ops: Uint8Array | null, opsFrom: number): void {
    this.activity.tookRows(0, chunk.length);
    const { cold } = this.store;
    if (cold === null || cold.isEmpty) this.#timed(chunk, ops, opsFrom);
    else this.#fetchAndFeed(cold, { chunk, ops, opsFrom });
  }

  /** The chunk waits until the rows of its keys are in memory. Whoever feeds keeps it until the host has nothing left to do. */
  #fetchAndFeed(cold: ColdRows, fed: Fed): void {
    this.#missing ??= missing(this.store, this.rowIndex, {
      columns: this.store.layout.columns,
      key: this.key,
      isNew: false,
    });
    const { moves } = cold;
    this.#missing(fed.chunk, cold);
    const rows = cold.fetch();
    if (rows === null) {
      this.#timed(fed.chunk, fed.ops, fed.opsFrom);
      return;
    }
    this.#fed = { ...fed, moves };
    this.host.fetch(this, rows);
  }

  override fetched(): void {
    const fed = this.#fed as Fed & { readonly moves: number };
    const cold = this.store.cold as ColdRows;
    this.#fed = null;
    if (cold.moves === fed.moves) this.#timed(fed.chunk, fed.ops, fed.opsFrom);
    else this.#fetchAndFeed(cold, fed);
  }

  #timed(chunk: Chunk, ops: Uint8Array | null, opsFrom: number): void {
    const { weight } = this.host.timer;
    if (weight === 0) {
      this.#feed(chunk, ops, opsFrom);
      return;
    }
    const before = goTo(this.activity, weight);
    try {
      this.#feed(chunk, ops, opsFrom);
    } finally {
      goBack(before, weight);
    }
  }

  #feed(chunk: Chunk, ops: Uint8Array | null, opsFrom: number): void {
    const changes = this.#changes;
    if (changes === null) {
      this.#apply(chunk, 0, chunk.length, ops, opsFrom, null);
      return;
    }
    // Each row may become two changes.
    for (let from = 0; from < chunk.length; from += CHUNK_ROWS / 2) {
      const to = Math.min(chunk.length, from + CHUNK_ROWS / 2);
      changes.out.length = 0;
      this.#apply(chunk, from, to, ops, opsFrom, changes.out);
      changes.take(0, changes.out);
    }
  }

  attach(changes: TableChanges): void {
    this.#changes = changes;
  }

  detach(): void {
    this.#changes = null;
  }

  override push(): void {}

  override code(): string[] {
    return [`// ${this.label}: upserts and deletes\n${this.#source}`];
  }
}

export function tableIdentity(id: number): string {
  return `table:${id}`;
}

/** Of a node's stores, the table's rows: in a checkpoint, rows that were laid out otherwise are not taken for them. */
export function tableRowsPart(layout: number): string {
  return layout === 0 ? "rows" : `rows ${layout}`;
}

/** Every change of a table in log order. */
export class TableChanges extends Node {
  override readonly isRowForRow = true;
  readonly label: string;
  readonly out: Chunk;
  readonly #table: Table;

  constructor(table: Table) {
    super(`changes of ${table.identity}`, [{ node: table, kind: "store" }]);
    this.label = `changes of ${table.label}`;
    this.#table = table;
    this.out = createChunk(table.store.layout.columns);
    table.attach(this);
  }

  override readsCold(): boolean {
    return true;
  }

  override get isTopic(): boolean {
    return true;
  }

  override push(_port: number, chunk: Chunk): void {
    this.emit(chunk);
  }

  override dispose(): void {
    super.dispose();
    this.#table.detach();
  }
}

function applySource(store: Store, index: HashIndex): string {
  const { layout } = store;
  const { columns, strideWords: stride, deathWord } = layout;
  const stored = readers(layout, "I", "F");
  const copyOut = columns
    .map(
      (c, i) =>
        `o${i}[o] = ${stored.read(i, "a")};${c.nullable ? ` m${i}[o] = ${stored.isNull(i, "a")};` : ""}`,
    )
    .join(" ");
  const passOut = columns
    .map((c, i) => `o${i}[o] = c${i}[r];${c.nullable ? ` m${i}[o] = n${i}[r];` : ""}`)
    .join(" ");
  const declareOut = columns
    .map(
      (c, i) =>
        `const o${i} = out === null ? null : out.columns[${i}]${c.nullable ? `, m${i} = out === null ? null : out.nulls[${i}]` : ""};`,
    )
    .join(" ");
  return `"use strict"; return function apply(chunk, from, to, ops, opsFrom, out) {
    store.reserve(to - from);
    const I = store.I, F = store.F;
    ${declareColumns("chunk", columns)}
    ${declareOut}
    let o = 0;
    ${touchLoop(findArguments(columns, index.spec.columns, "r"), "from", "to")}
    for (let r = from; r < to; r++) {
      const s = find(${findArguments(columns, index.spec.columns, "r")}), a = s * ${stride};
      const living = s >= 0 && I[a + ${deathWord}] === ${LIVE};
      if (ops !== null && ops[opsFrom + r] === 1) {
        if (!living) continue;
        if (out !== null) { ${copyOut} out.weights[o] = -1; out.commits[o] = chunk.commits[r]; o++; }
        store.kill(s);
        continue;
      }
      if (living) {
        if (${equalsRow(layout, "a", "r")}) continue;
        if (out !== null) { ${copyOut} out.weights[o] = -1; out.commits[o] = chunk.commits[r]; o++; }
        store.kill(s);
      }
      const t = store.alloc(), b = t * ${stride};
      ${writeRow(layout, "b", "r")}
      store.insert(t);
      if (out !== null) { ${passOut} out.weights[o] = 1; out.commits[o] = chunk.commits[r]; o++; }
    }
    if (out !== null) out.length = o;
  };`;
}
