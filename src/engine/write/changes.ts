/**
 * What INSERT, UPDATE and DELETE change, decided against the newest state: the table as of the last step, plus what the same
 * transaction has changed before. Runs while the gate is held, so nobody changes anything in between, and the event loop has its turns.
 */
import { EvertError } from "../../base/errors.ts";
import type { Slices } from "../../base/slices.ts";
import { type Datum, exactValue } from "../../batch/convert.ts";
import { setProperty } from "../../batch/json.ts";
import { sameType, withoutModifiers } from "../../batch/types.ts";
import { type EvaluationContext, evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import { keyNameOf } from "../../plan/catalog.ts";
import type { Expr } from "../../plan/expression.ts";
import { isFallible } from "../../plan/inspect.ts";
import type { ConflictAction } from "../../sql/statement.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { mapInTurns, Turns } from "../turns.ts";
import type { TopicConstraints } from "./constraints.ts";
import type { Part } from "./part.ts";
import { PendingRows } from "./pending-rows.ts";
import { failingRow, type Row, type TableRows } from "./table-rows.ts";

/** What asking for the next rows of a table counts for, also where there are none. */
const PAGE_LOOK = 16;

/** So many are looked at one by one in the time that making a query takes. */
const FEW_ROWS = 200;

/**
 * The stored rows for which a predicate that cannot fail is true, hidden row id included, as a query finds them: by key, by index, by loops that were made for it.
 * Null: not without looking at all of them, and that was not wanted, since their texts would come in from disk and stay.
 */
export type FindStored = (where: Expr, how: FoundRows) => Promise<readonly Row[]> | null;

export interface FoundRows {
  /** What is to be kept of a row, whose array is used again. */
  readonly kept: (row: Row) => Row;
  readonly byLookupOnly: boolean;
}

/** One topic's changes within a transaction. */
export class TopicChanges {
  readonly topic: TopicEntry;
  readonly #constraints: TopicConstraints;
  readonly #table: TableRows | null;
  readonly #slices: Slices;
  readonly #epoch: number;
  readonly #context: EvaluationContext;
  /**
   * Rows as they will be. One that gets its hidden id with the commit has a provisional one, below zero. Null: of a stream, whose records get their
   * place with the commit and are in #appended.
   */
  #pending: PendingRows | null;
  #appended: readonly Row[] = [];
  #lastProvisional = 0n;

  /** Told now and then while rows are looked at: texts of those on disk have come in that no row in memory may have. */
  readonly #looked: () => void;

  /** Rows are seen as of `epoch`. */
  constructor(
    constraints: TopicConstraints,
    epoch: number,
    slices: Slices,
    context: EvaluationContext,
    looked: () => void,
  ) {
    this.#looked = looked;
    this.topic = constraints.topic;
    this.#constraints = constraints;
    this.#table = constraints.table;
    this.#epoch = epoch;
    this.#slices = slices;
    this.#context = context;
    this.#pending = this.#table === null ? null : new PendingRows(this.#table);
  }

  /** Visible columns. */
  get #width(): number {
    return this.topic.hiddenRowId ? this.topic.schema.fields.length - 1 : this.topic.schema.fields.length;
  }

  /** The rows that were stored, as they are now. */
  async insert(rows: readonly Row[], conflict: ConflictAction | null): Promise<readonly Row[]> {
    const table = this.#table;
    const turns = new Turns(this.#slices);
    if (table === null) {
      for (const row of rows) {
        if (turns.due()) await turns.take();
        this.#checkRow(row);
      }
      this.#appended = [...this.#appended, ...rows];
      return rows;
    }
    const stored: Row[] = [];
    const touched = new Set<string>();
    for (const visible of rows) {
      if (turns.due()) await turns.take();
      this.#checkRow(visible);
      const row = this.topic.hiddenRowId ? [...visible, --this.#lastProvisional] : visible;
      const key = table.keyOf(row);
      const brought = this.topic.hiddenRowId ? null : table.bring(key);
      if (brought !== null) await brought;
      const text = table.keyText(key);
      const existing = conflict === null ? null : this.#met(row, text, conflict);
      if (existing === null) {
        this.#refuseDuplicates(row, text);
        this.#set(row, text);
        touched.add(text);
        stored.push(visible);
        continue;
      }
      if (conflict === null || conflict.action === "nothing") continue;
      if (touched.has(existing.text)) {
        throw new EvertError(
          "cardinality_violation",
          "ON CONFLICT DO UPDATE command cannot affect row a second time",
          {
            hint: "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
          },
        );
      }
      const both = [...existing.row.slice(0, this.#width), ...visible];
      if (conflict.where !== null && evaluateExpr(conflict.where, both, this.#context) !== true) continue;
      const next = conflict.row.map((e) => evaluateExpr(e, both, this.#context));
      this.#checkRow(next);
      const full = this.#withIdOf(existing.row, next);
      for (let u = 0; u < table.uniques.length; u++)
        if (this.#holder(u, full, existing.text) !== null) throw table.duplicate(u, full);
      this.#set(full, existing.text);
      touched.add(existing.text);
      stored.push(next);
    }
    return stored;
  }

  /** The row that an ON CONFLICT takes the proposed one to: the first that is in its way by a constraint meant. */
  #met(row: Row, text: string, { on }: ConflictAction): { text: string; row: Row } | null {
    const table = this.#table as TableRows;
    const isMeant = (name: string): boolean => on === null || on.includes(name);
    if (!this.topic.hiddenRowId && isMeant(keyNameOf(this.topic))) {
      const same = this.#current(table.keyOf(row), text);
      if (same !== null) return { text, row: same };
    }
    for (let u = 0; u < table.uniques.length; u++) {
      if (!isMeant(table.uniques[u]!.unique.name)) continue;
      const holder = this.#holder(u, row);
      if (holder !== null) return holder;
    }
    return null;
  }

  #refuseDuplicates(row: Row, text: string): void {
    const table = this.#table as TableRows;
    if (!this.topic.hiddenRowId && this.#current(table.keyOf(row), text) !== null)
      throw table.duplicateKey(row);
    for (let u = 0; u < table.uniques.length; u++)
      if (this.#holder(u, row) !== null) throw table.duplicate(u, row);
  }

  /** A row in this one's way, but that whose key has the text: one that is proposed has none yet. */
  #holder(u: number, row: Row, text = ""): { text: string; row: Row } | null {
    return (this.#pending as PendingRows).holder(u, row, text, this.#epoch);
  }

  /** The rows that were changed, as they are now. */
  async update(where: Expr | null, exprs: readonly Expr[], find: FindStored): Promise<readonly Row[]> {
    const matched = await this.#matching(where, find);
    // All new rows are computed before any is stored, as one statement sees one state.
    const changes = await mapInTurns(matched, this.#slices, (row) => ({
      row,
      next: exprs.map((e) => evaluateExpr(e, row, this.#context)),
    }));
    await this.replaceRows(changes);
    return changes.map(({ next }) => next);
  }

  /** Rows of a table as they are, and as they are to be. */
  async replaceRows(changes: readonly { readonly row: Row; readonly next: Row }[]): Promise<void> {
    const table = this.#table as TableRows;
    const turns = new Turns(this.#slices);
    for (const { next } of changes) {
      if (turns.due()) await turns.take();
      this.#checkRow(next);
    }
    await this.#judged(turns, async () => {
      const moved: Row[] = [];
      for (const { row, next } of changes) {
        if (turns.due()) await turns.take();
        const full = this.#withIdOf(row, next);
        const text = table.keyText(table.keyOf(row));
        if (table.keyText(table.keyOf(full)) === text) this.#set(full, text);
        else {
          this.#remove(row);
          moved.push(full);
        }
      }
      for (const next of moved) {
        if (turns.due()) await turns.take();
        const key = table.keyOf(next);
        await table.bring(key);
        const text = table.keyText(key);
        if (this.#current(key, text) !== null) throw table.duplicateKey(next);
        this.#set(next, text);
      }
    });
  }

  /** Runs a statement in a layer of its own: what is unique is looked at when all of it is done. */
  async #judged(turns: Turns, work: () => Promise<void>): Promise<void> {
    const table = this.#table as TableRows;
    const below = this.#pending as PendingRows;
    if (table.uniques.length === 0) {
      await work();
      return;
    }
    const layer = new PendingRows(table, below);
    this.#pending = layer;
    await work();
    const judge = layer.judging(() => this.#epoch);
    while (!judge(1)) if (turns.due()) await turns.take();
    for (const [text, pending] of layer.entries()) {
      if (turns.due()) await turns.take();
      below.set(text, pending);
    }
    this.#pending = below;
  }

  async removeRows(rows: readonly Row[]): Promise<void> {
    const turns = new Turns(this.#slices);
    for (const row of rows) {
      if (turns.due()) await turns.take();
      this.#remove(row);
    }
  }

  /** The rows that were deleted. `keysOnly`: of each no more than its key, for all of a table may have to be deleted, and no more of it be in memory at once. */
  async delete(where: Expr | null, find: FindStored, keysOnly: boolean): Promise<readonly Row[]> {
    const matched = await this.#matching(where, find, keysOnly);
    await this.removeRows(matched);
    return matched;
  }

  /** All of them. */
  async clear(): Promise<void> {
    await this.removeRows(await this.#matching(null, null));
  }

  /** What is to be committed; nothing when nothing changed. */
  async parts(): Promise<Part[]> {
    const { topic } = this;
    const turns = new Turns(this.#slices);
    const parts: Part[] = [];
    const deletes: Record<string, unknown>[] = [];
    const upserts: Record<string, unknown>[] = [];
    const fresh: Record<string, unknown>[] = await mapInTurns(this.#appended, this.#slices, (row) =>
      this.#object(row, this.#width),
    );
    for (const [, { key, row }] of this.#entries()) {
      if (turns.due()) await turns.take();
      const isNew = this.#isProvisional(key);
      if (row === null) {
        if (!isNew) deletes.push(this.#keyObject(key));
      } else if (isNew) fresh.push(this.#object(row, this.#width));
      else upserts.push(this.#object(row, topic.schema.fields.length));
    }
    if (deletes.length > 0) parts.push({ topic, op: "delete", rows: deletes, path: topic.name });
    if (upserts.length > 0)
      parts.push({ topic, op: "upsert", rows: upserts, path: topic.name, hasRowId: true });
    if (fresh.length > 0) parts.push({ topic, op: "upsert", rows: fresh, path: topic.name });
    return parts;
  }

  /**
   * What a query of the same transaction sees: the stored rows but those of these keys, and these rows. `identified`: rows with their
   * hidden ids, provisional ones too.
   */
  overlay(identified: boolean): { readonly keys: readonly Row[]; readonly rows: readonly Row[] } {
    const pending = [...this.#entries()].map(([, entry]) => entry);
    const rows = [...pending.flatMap(({ row }) => (row === null ? [] : [row])), ...this.#appended];
    return {
      keys: pending.filter(({ key }) => !this.#isProvisional(key)).map(({ key }) => key),
      rows: identified && this.topic.hiddenRowId ? rows : rows.map((row) => row.slice(0, this.#width)),
    };
  }

  get isEmpty(): boolean {
    return (this.#pending?.size ?? 0) === 0 && this.#appended.length === 0;
  }

  #entries(): Iterable<[string, { readonly key: Row; readonly row: Row | null }]> {
    return this.#pending?.entries() ?? [];
  }

  /** Whether the row with this hidden id is stored with this transaction. */
  #isProvisional(key: Row): boolean {
    return this.topic.hiddenRowId && BigInt(key[0] as number | bigint) < 0n;
  }

  /** The row's new version, with the hidden id that it has. */
  #withIdOf(row: Row, next: Row): Row {
    return this.topic.hiddenRowId ? [...next, row[this.#width] as Datum] : next;
  }

  #set(row: Row, text: string): void {
    const table = this.#table as TableRows;
    (this.#pending as PendingRows).set(text, { key: table.keyOf(row), row });
  }

  #remove(row: Row): void {
    const table = this.#table as TableRows;
    const key = table.keyOf(row);
    (this.#pending as PendingRows).set(table.keyText(key), { key, row: null });
  }

  /** The row with this key as it stands now, or null. */
  #current(key: Row, text: string): Row | null {
    const table = this.#table as TableRows;
    const pending = (this.#pending as PendingRows).get(text);
    if (pending !== undefined) return pending.row;
    const slot = table.find(key, this.#epoch);
    return slot < 0 ? null : table.rowAt(slot);
  }

  /** The rows, as they are by now, for which the predicate is true, hidden row id included. A predicate that fixes the key costs one lookup. */
  async #matching(where: Expr | null, find: FindStored | null, keysOnly = false): Promise<Row[]> {
    const table = this.#table;
    if (table === null) {
      throw new EvertError("wrong_object_type", `"${this.topic.name}" is append-only: its records are kept`, {
        hint: "Insert a row that says what happened instead.",
      });
    }
    const key =
      where === null || this.topic.hiddenRowId ? null : fixedKey(where, this.topic.key as readonly number[]);
    if (key !== null) {
      await table.bring(key);
      const row = key.includes(null) ? null : this.#current(key, table.keyText(key));
      return row !== null && this.#accepts(where, row) ? [row] : [];
    }
    const found: Row[] = [];
    const isKey = this.topic.schema.fields.map((_, column) => table.key.includes(column));
    const kept = (row: Row): Row =>
      row.map((datum, column) => (keysOnly && isKey[column] !== true ? null : datum));
    const pending = this.#pending as PendingRows;
    const turns = new Turns(this.#slices);
    const asked = where === null || find === null ? null : this.#asQuery(where, find, kept);
    const left = asked === null ? where : null;
    for await (const rows of asked === null ? table.all(this.#epoch) : [await asked]) {
      if (turns.due(PAGE_LOOK)) await turns.take();
      this.#looked();
      for (const row of rows) {
        if (turns.due()) await turns.take();
        if (pending.get(table.keyText(table.keyOf(row))) === undefined && this.#accepts(left, row))
          found.push(kept(row));
      }
    }
    for (const [, { row }] of pending.entries()) {
      if (turns.due()) await turns.take();
      if (row !== null && this.#accepts(where, row)) found.push(kept(row));
    }
    return found;
  }

  /**
   * The stored rows as a query finds them, or null where each is better asked by itself: where there are few, and making a query would take longer; and where the predicate
   * may fail, for a query looks at those rows too that the transaction has replaced.
   */
  #asQuery(where: Expr, find: FindStored, kept: (row: Row) => Row): Promise<readonly Row[]> | null {
    const { live, cold } = (this.#table as TableRows).store;
    if (live <= FEW_ROWS || isFallible(where)) return null;
    return find(where, { kept, byLookupOnly: cold !== null && !cold.isEmpty });
  }

  #accepts(where: Expr | null, row: Row): boolean {
    return where === null || evaluateExpr(where, row, this.#context) === true;
  }

  /** NOT NULL, then the checks. */
  #checkRow(row: Row): void {
    for (let i = 0; i < this.#width; i++) {
      const field = this.topic.schema.fields[i]!;
      if (row[i] !== null || field.nullable) continue;
      throw new EvertError(
        "not_null_violation",
        `null value in column "${field.name}" of relation "${this.topic.name}" violates not-null constraint`,
        { detail: failingRow(this.topic, row) },
      );
    }
    this.#constraints.checkRow(row);
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
