/**
 * What INSERT, UPDATE and DELETE change, decided against the newest state: the table as of the last step, plus what the same
 * transaction has changed before. Runs while the gate is held, so nobody changes anything in between.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { type Datum, exactValue } from "../batch/convert.ts";
import { setProperty } from "../batch/json.ts";
import { orderKeyOf } from "../batch/order-key.ts";
import { valueToText } from "../batch/text-form.ts";
import { carrierOf, sameType, withoutModifiers } from "../batch/types.ts";
import { evaluateExpr } from "../dataflow/kernels/evaluate.ts";
import type { Expr } from "../plan/expression.ts";
import type { ConflictAction } from "../sql/statement.ts";
import type { HashIndex } from "../state/hash-index.ts";
import type { Store } from "../state/store.ts";
import { RowEncoder } from "../views/row-encoder.ts";
import { encodeDatum } from "../views/view.ts";
import type { TopicEntry } from "./catalog.ts";
import type { Part } from "./part.ts";
import { nextTurn } from "./stepper.ts";

type Row = readonly Datum[];

const SLICE_ROWS = 1024;

/** One topic's changes within a transaction. */
export class TopicChanges {
  readonly topic: TopicEntry;
  readonly #store: Store | null;
  readonly #encoder: RowEncoder | null;
  readonly #index: HashIndex | null;
  readonly #epoch: number;
  /** Key text -> the row as it will be, null when deleted. Only of tables. */
  readonly #pending = new Map<string, { readonly key: Row; readonly row: Row | null }>();
  /** Rows that get their hidden id, or their place in the stream, with the commit. */
  #appended: readonly Row[] = [];

  /** `store` is the table's, null for a stream; rows are seen as of `epoch`. */
  constructor(topic: TopicEntry, store: Store | null, epoch: number) {
    this.topic = topic;
    this.#store = store;
    this.#epoch = epoch;
    this.#encoder = store === null ? null : new RowEncoder(store, topic.schema.fields, topic.key);
    this.#index =
      store === null ? null : store.hashIndex({ columns: topic.key as readonly number[], unique: true });
  }

  /** Visible columns. */
  get #width(): number {
    return this.topic.hiddenRowId ? this.topic.schema.fields.length - 1 : this.topic.schema.fields.length;
  }

  /** The rows that were stored, as they are now. */
  insert(rows: readonly Row[], conflict: ConflictAction | null): readonly Row[] {
    const { topic } = this;
    const stored: Row[] = [];
    const appended: Row[] = [];
    const touched = new Set<string>();
    for (const row of rows) {
      this.#checkNulls(row);
      if (this.#store === null || topic.hiddenRowId) {
        appended.push(row);
        stored.push(row);
        continue;
      }
      const key = this.#keyOf(row);
      const text = this.#keyText(key);
      const existing = this.#current(key, text);
      if (existing === null) {
        this.#pending.set(text, { key, row });
        touched.add(text);
        stored.push(row);
        continue;
      }
      if (conflict === null) throw this.#duplicate(key);
      if (conflict.action === "nothing") continue;
      if (touched.has(text)) {
        throw new EvertError(
          "cardinality_violation",
          "ON CONFLICT DO UPDATE command cannot affect row a second time",
          {
            hint: "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
          },
        );
      }
      const both = [...existing, ...row];
      if (conflict.where !== null && evaluateExpr(conflict.where, both) !== true) continue;
      const next = conflict.row.map((e) => evaluateExpr(e, both));
      this.#replace(existing, next);
      touched.add(text);
      stored.push(next);
    }
    this.#appended = [...this.#appended, ...appended];
    return stored;
  }

  /** The rows that were changed, as they are now. */
  async update(where: Expr | null, exprs: readonly Expr[]): Promise<readonly Row[]> {
    const matched = await this.#matching(where);
    const updated = (row: Row): Row => exprs.map((e) => evaluateExpr(e, row));
    // All new rows are computed before any is stored, as one statement sees one state.
    const changes = matched.map((row) => ({ row, next: updated(row) }));
    const changed: Row[] = changes.map(({ next }) => next);
    const appended = this.#appended.map((row) => {
      if (!accepts(where, row)) return row;
      const next = updated(row);
      changed.push(next);
      return next;
    });
    for (const row of appended) this.#checkNulls(row);
    this.replaceRows(changes);
    this.#appended = appended;
    return changed;
  }

  /** Rows of a table as they are, and as they are to be. */
  replaceRows(changes: readonly { readonly row: Row; readonly next: Row }[]): void {
    for (const { next } of changes) this.#checkNulls(next);
    const moved: { row: Row; next: Row }[] = [];
    for (const { row, next } of changes) {
      const full = this.topic.hiddenRowId ? [...next, row[this.#width] as Datum] : next;
      if (this.#keyText(this.#keyOf(full)) === this.#keyText(this.#keyOf(row))) this.#replace(row, full);
      else moved.push({ row, next: full });
    }
    for (const { row } of moved) this.#remove(row);
    for (const { next } of moved) {
      const key = this.#keyOf(next);
      const text = this.#keyText(key);
      if (this.#current(key, text) !== null) throw this.#duplicate(key);
      this.#pending.set(text, { key, row: next });
    }
  }

  removeRows(rows: readonly Row[]): void {
    for (const row of rows) this.#remove(row);
  }

  /** The rows that were deleted. */
  async delete(where: Expr | null): Promise<readonly Row[]> {
    const matched = await this.#matching(where);
    this.removeRows(matched);
    const [kept, gone]: [Row[], Row[]] = [[], []];
    for (const row of this.#appended) (accepts(where, row) ? gone : kept).push(row);
    this.#appended = kept;
    return [...matched, ...gone];
  }

  /** What is to be committed; nothing when nothing changed. */
  parts(): Part[] {
    const { topic } = this;
    const parts: Part[] = [];
    const deletes: Record<string, unknown>[] = [];
    const upserts: Record<string, unknown>[] = [];
    for (const { key, row } of this.#pending.values()) {
      if (row === null) deletes.push(this.#keyObject(key));
      else upserts.push(this.#object(row, topic.schema.fields.length));
    }
    if (deletes.length > 0) parts.push({ topic, op: "delete", rows: deletes, path: topic.name });
    if (upserts.length > 0)
      parts.push({ topic, op: "upsert", rows: upserts, path: topic.name, hasRowId: true });
    if (this.#appended.length > 0) {
      const rows = this.#appended.map((row) => this.#object(row, this.#width));
      parts.push({ topic, op: "upsert", rows, path: topic.name });
    }
    return parts;
  }

  /**
   * What a query of the same transaction sees: the stored rows but those of these keys, and these rows. `identified`: rows with their
   * hidden ids.
   */
  overlay(identified: boolean): { readonly keys: readonly Row[]; readonly rows: readonly Row[] } {
    const withIds = identified && this.topic.hiddenRowId;
    if (withIds && this.#appended.length > 0) {
      throw notSupported(
        `changing rows of "${this.topic.name}", which has no key, by a query once the same transaction has inserted some`,
        undefined,
        "Give the table a primary key.",
      );
    }
    const pending = [...this.#pending.values()];
    const rows = pending.flatMap(({ row }) => (row === null ? [] : [row]));
    return {
      keys: pending.map(({ key }) => key),
      rows: withIds ? rows : [...rows, ...this.#appended].map((row) => row.slice(0, this.#width)),
    };
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0 && this.#appended.length === 0;
  }

  #replace(old: Row, next: Row): void {
    this.#checkNulls(next);
    const key = this.#keyOf(old);
    const text = this.#keyText(key);
    const nextKey = this.#keyOf(next);
    const nextText = this.#keyText(nextKey);
    if (nextText !== text) {
      if (this.#current(nextKey, nextText) !== null) throw this.#duplicate(nextKey);
      this.#remove(old);
    }
    this.#pending.set(nextText, { key: nextKey, row: next });
  }

  #remove(row: Row): void {
    const key = this.#keyOf(row);
    this.#pending.set(this.#keyText(key), { key, row: null });
  }

  /** The row with this key as it stands now, or null. */
  #current(key: Row, text: string): Row | null {
    const pending = this.#pending.get(text);
    if (pending !== undefined) return pending.row;
    const slot = this.#find(key);
    return slot < 0 ? null : this.#rowAt(slot);
  }

  #find(key: Row): number {
    const store = this.#store as Store;
    const index = this.#index as HashIndex;
    const columns = this.topic.key as readonly number[];
    const args = columns.map((c, i) =>
      encodeDatum(store.dictionary, this.topic.schema.fields[c]!.type, key[i] as Datum),
    );
    let slot = index.find(...args, 0);
    while (slot >= 0 && !store.visible(slot, this.#epoch)) slot = index.next(slot);
    return slot;
  }

  #rowAt(slot: number): Row {
    const encoder = this.#encoder as RowEncoder;
    return this.topic.schema.fields.map(({ type }, i) => {
      const datum = encoder.datum(slot, i);
      // The encoder gives safe integers as numbers; expressions take every int8 as a bigint.
      return typeof datum === "number" && carrierOf(type) === "int64" ? BigInt(datum) : datum;
    });
  }

  /** Stored rows for which the predicate is true, hidden row id included. A predicate that fixes the key costs one lookup. */
  async #matching(where: Expr | null): Promise<Row[]> {
    const store = this.#store;
    if (store === null) {
      throw new EvertError("wrong_object_type", `"${this.topic.name}" is append-only: its records are kept`, {
        hint: "Insert a row that says what happened instead.",
      });
    }
    const key =
      where === null || this.topic.hiddenRowId ? null : fixedKey(where, this.topic.key as readonly number[]);
    if (key !== null) {
      const row = key.includes(null) ? null : this.#current(key, this.#keyText(key));
      return row !== null && accepts(where, row) ? [row] : [];
    }
    const found: Row[] = [];
    for (let slot = 0; slot < store.highWater; slot++) {
      if (store.visible(slot, this.#epoch)) {
        const row = this.#rowAt(slot);
        if (!this.#pending.has(this.#keyText(this.#keyOf(row))) && accepts(where, row)) found.push(row);
      }
      if (slot % SLICE_ROWS === SLICE_ROWS - 1) await nextTurn();
    }
    for (const { row } of this.#pending.values()) if (row !== null && accepts(where, row)) found.push(row);
    return found;
  }

  #keyOf(row: Row): Row {
    return (this.topic.key as readonly number[]).map((c) => row[c] as Datum);
  }

  /** Equal for equal keys: numerics without trailing zeros, zero without sign. */
  #keyText(key: Row): string {
    const columns = this.topic.key as readonly number[];
    return JSON.stringify(
      key.map((datum, i) => {
        const { type } = this.topic.schema.fields[columns[i] as number]!;
        const text = valueToText(type, datum);
        if (text === null) return null;
        if (carrierOf(type) === "double") return text === "-0" ? "0" : text;
        const order = orderKeyOf(type);
        if (order !== null) return [...order.of(text)];
        if (type.name !== "numeric" || !text.includes(".")) return text;
        return text.replace(/0+$/, "").replace(/\.$/, "");
      }),
    );
  }

  #checkNulls(row: Row): void {
    for (let i = 0; i < this.#width; i++) {
      const field = this.topic.schema.fields[i]!;
      if (row[i] !== null || field.nullable) continue;
      const values = row
        .slice(0, this.#width)
        .map((d, c) => valueToText(this.topic.schema.fields[c]!.type, d) ?? "null");
      throw new EvertError(
        "not_null_violation",
        `null value in column "${field.name}" of relation "${this.topic.name}" violates not-null constraint`,
        { detail: `Failing row contains (${values.join(", ")}).` },
      );
    }
  }

  #duplicate(key: Row): EvertError {
    const columns = this.topic.key as readonly number[];
    const names = columns.map((c) => this.topic.schema.fields[c]!.name).join(", ");
    const values = columns
      .map((c, i) => valueToText(this.topic.schema.fields[c]!.type, key[i] as Datum))
      .join(", ");
    return new EvertError(
      "unique_violation",
      `duplicate key value violates unique constraint "${this.topic.name}_pkey"`,
      { detail: `Key (${names})=(${values}) already exists.` },
    );
  }

  #object(row: Row, width: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let i = 0; i < width; i++) {
      const field = this.topic.schema.fields[i]!;
      setProperty(object, field.name, exactValue(field.type, row[i] as Datum));
    }
    return object;
  }

  #keyObject(key: Row): Record<string, unknown> {
    const columns = this.topic.key as readonly number[];
    return Object.fromEntries(
      columns.map((c, i) => {
        const field = this.topic.schema.fields[c]!;
        return [field.name, exactValue(field.type, key[i] as Datum)];
      }),
    );
  }
}

function accepts(where: Expr | null, row: Row): boolean {
  return where === null || evaluateExpr(where, row) === true;
}

/** The key's values when the predicate is a conjunction that fixes every key column to a constant of its own type. */
function fixedKey(where: Expr, columns: readonly number[]): Datum[] | null {
  const terms = where.kind === "and" ? where.args : [where];
  const values = columns.map((column): Datum | undefined => {
    for (const term of terms) {
      if (term.kind !== "call" || !term.fn.endsWith("_eq") || term.args.length !== 2) continue;
      for (const [a, b] of [term.args, [...term.args].reverse()] as [Expr, Expr][]) {
        if (
          a.kind === "column" &&
          a.index === column &&
          b.kind === "const" &&
          sameType(withoutModifiers(a.type), withoutModifiers(b.type))
        )
          return b.value;
      }
    }
    return undefined;
  });
  return values.every((v) => v !== undefined) ? (values as Datum[]) : null;
}
