/**
 * What holds for rows beyond their types, judged where commits are admitted: every door leads through the committer, and it stages in log order.
 *
 * 1. A commit's rows are looked at one by one: CHECK first; then each is entered, by key, into a layer of its own (pending-rows.ts), a later one of a
 *    key in the place of an earlier one.
 * 2. The layer is judged as a whole: over what is staged and not stepped, over the table as of the last complete step. That is the state after
 *    the commit before, whatever the engine has done of it by now.
 * 3. Once the commit is staged, its layer is merged into what is pending. Pending rows go when they have been stepped: those of two
 *    generations are kept apart, and the elder goes as a whole.
 *
 * Nothing is judged on replay: what is in the log was.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import { datumAt } from "../../batch/column.ts";
import { type Datum, datumFromJson } from "../../batch/convert.ts";
import { RowRefusal } from "../../batch/row-refusal.ts";
import { schemaOf } from "../../batch/schema.ts";
import { evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import type { Catalog, CheckConstraint } from "../../plan/catalog.ts";
import type { Expr } from "../../plan/expression.ts";
import { moveColumns } from "../../plan/inspect.ts";
import { bindCheck, bindDomains } from "../../sql/statement.ts";
import type { Store } from "../../state/store.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { visibleSchema } from "../catalog/entries.ts";
import { columnsOfVersion } from "../evolution/evolved.ts";
import type { Part } from "./part.ts";
import { PendingRows } from "./pending-rows.ts";
import { failingRow, type Row, TableRows, type UniqueIndex } from "./table-rows.ts";

/** A condition as it is judged, or why it cannot be. */
type Check =
  | { readonly name: string; readonly expr: Expr }
  | { readonly name: string; readonly broken: EvertError };

/** Rows made ready at once. */
const SLICE_ROWS = 256;

export class TopicConstraints {
  readonly topic: TopicEntry;
  /** Null: a stream. */
  readonly table: TableRows | null;
  readonly #checks: readonly Check[];
  /** Columns of domains, which fail where a value is none of its domain. */
  readonly #domains: readonly Expr[];
  #young: PendingRows | null = null;
  /** Position of the last commit whose rows are in it. */
  #youngest = 0;
  #old: PendingRows | null = null;
  #oldest = 0;

  /** `before`: what it takes the place of, with what is pending. */
  constructor(
    topic: TopicEntry,
    store: Store | null,
    uniques: readonly UniqueIndex[],
    catalog: Catalog,
    before?: TopicConstraints,
  ) {
    this.topic = topic;
    this.table = store === null ? null : new TableRows(topic, store, uniques);
    if (before !== undefined)
      for (const layer of [before.#old, before.#young])
        if (layer !== null) this.inherit(layer, before.#youngest);
    const schema = visibleSchema(topic);
    this.#domains = bindDomains(topic.name, schema, catalog);
    this.#checks = (topic.checks ?? []).map((check) => {
      const { name } = check;
      try {
        return { name, expr: conditionOf(topic, check, catalog) };
      } catch (thrown) {
        return { name, broken: toEvertError(thrown) };
      }
    });
  }

  get isUnique(): boolean {
    return this.table !== null && this.table.uniques.length > 0;
  }

  /** Whether a commit's rows have to be looked at. */
  get judges(): boolean {
    return this.#checks.length > 0 || this.#domains.length > 0 || this.isUnique;
  }

  /** @throws check_violation: of a null nothing is known, and it passes; not_null_violation of a domain. */
  checkRow(row: Row): void {
    for (const value of this.#domains) evaluateExpr(value, row);
    for (const check of this.#checks) {
      if ("broken" in check) throw check.broken;
      if (evaluateExpr(check.expr, row) !== false) continue;
      const { name } = this.topic;
      const message = `new row for relation "${name}" violates check constraint "${check.name}"`;
      throw new EvertError("check_violation", message, { detail: failingRow(this.topic, row) });
    }
  }

  /** An empty layer over what is pending. */
  layer(): PendingRows {
    return new PendingRows(this.table as TableRows, this.#young);
  }

  /** The layer's rows are staged, in the commit at this position. */
  staged(layer: PendingRows, position: number): void {
    this.#young ??= new PendingRows(this.table as TableRows, this.#old);
    this.#young.merge(layer);
    this.#youngest = position;
  }

  /** The same, where the layer was made for other constraints: those that it noted values of may not be these. */
  inherit(layer: PendingRows, position: number): void {
    if (!this.isUnique) return;
    const mine = new PendingRows(this.table as TableRows);
    for (const [text, { key, row }] of layer.entries()) mine.set(text, { key, row });
    this.staged(mine, position);
  }

  /** Commits up to the position are in the store. */
  stepped(position: number): void {
    if (this.#old !== null && this.#oldest <= position) {
      this.#old = null;
      this.#young?.cutParent();
    }
    if (this.#old !== null || this.#young === null) return;
    if (this.#youngest > position) {
      this.#old = this.#young;
      this.#oldest = this.#youngest;
    }
    this.#young = null;
    if (this.#old !== null) this.#young = new PendingRows(this.table as TableRows, this.#old);
  }
}

/** The check over a row of the topic as it is, whatever its columns were called when it was written. */
export function conditionOf(topic: TopicEntry, { text, version }: CheckConstraint, catalog: Catalog): Expr {
  const then = version === undefined ? null : columnsOfVersion(topic, version);
  if (then === null) return bindCheck(text, topic.name, visibleSchema(topic), catalog);
  const fields = topic.hiddenRowId ? then.fields.slice(0, -1) : then.fields;
  const written = bindCheck(text, topic.name, schemaOf(fields), catalog);
  return moveColumns(written, (c) => then.columns[c] as number);
}

export class Constraints {
  readonly #topics = new Map<number, TopicConstraints>();
  /** Those of them that judge: of many topics mostly few. */
  readonly #judging = new Map<number, TopicConstraints>();
  /** Those that keep what is pending. */
  readonly #unique = new Set<TopicConstraints>();
  readonly #epoch: () => number;
  readonly #constraintsOf = (id: number): TopicConstraints | undefined => this.#topics.get(id);

  /** `epoch`: of the last complete step. */
  constructor(epoch: () => number) {
    this.#epoch = epoch;
  }

  set(constraints: TopicConstraints): void {
    this.delete(constraints.topic.id);
    this.#topics.set(constraints.topic.id, constraints);
    if (constraints.judges) this.#judging.set(constraints.topic.id, constraints);
    if (constraints.isUnique) this.#unique.add(constraints);
  }

  delete(topicId: number): void {
    const before = this.#topics.get(topicId);
    if (before === undefined) return;
    this.#topics.delete(topicId);
    this.#judging.delete(topicId);
    this.#unique.delete(before);
  }

  of(topicId: number): TopicConstraints | undefined {
    return this.#topics.get(topicId);
  }

  stepped(position: number): void {
    for (const constraints of this.#unique) constraints.stepped(position);
  }

  /** Null: nothing is to be judged. `endOf`: how many records a topic has. */
  judge(parts: readonly Part[], endOf: (topicId: number) => number): Judgement | null {
    if (this.#judging.size === 0) return null;
    for (const { topic } of parts)
      if (this.#judging.has(topic.id)) return new Judgement(parts, this.#constraintsOf, endOf, this.#epoch);
    return null;
  }
}

/** One commit before its judge. From the first advance() to staged() nothing else is staged. */
export class Judgement {
  readonly #steps: Generator<void>;
  readonly #layers = new Map<TopicConstraints, PendingRows>();
  readonly #of: (topicId: number) => TopicConstraints | undefined;
  readonly #epoch: () => number;

  constructor(
    parts: readonly Part[],
    of: (topicId: number) => TopicConstraints | undefined,
    endOf: (topicId: number) => number,
    epoch: () => number,
  ) {
    this.#of = of;
    this.#epoch = epoch;
    this.#steps = this.#judge(parts, endOf);
  }

  /** A piece of the work; true when all is done. @throws what is violated. */
  advance(): boolean {
    return this.#steps.next().done === true;
  }

  /** All of it. */
  finish(): void {
    while (!this.advance());
  }

  /** The commit has its position. */
  staged(position: number): void {
    for (const [constraints, layer] of this.#layers) {
      // An index may have come to stand in the catalog, or gone, since the first piece was judged.
      const now = this.#of(constraints.topic.id);
      if (now === constraints) now.staged(layer, position);
      else now?.inherit(layer, position);
    }
  }

  *#judge(parts: readonly Part[], endOf: (topicId: number) => number): Generator<void> {
    const counts = new Map<number, number>();
    // Those of the beginning for all of it: they may change between two pieces.
    const all = new Map(parts.map(({ topic }) => [topic.id, this.#of(topic.id)]));
    for (const [p, part] of parts.entries()) {
      const { id } = part.topic;
      const before = counts.get(id) ?? 0;
      counts.set(id, before + (part.op === "batch" ? part.batch.length : part.rows.length));
      const constraints = all.get(id);
      if (constraints?.judges !== true) continue;
      if (part.op === "delete") yield* this.#enterDeletes(constraints, part.rows, part.path);
      else yield* this.#enterRows(constraints, part, p, endOf(id) + before);
    }
    for (const layer of this.#layers.values()) {
      const judge = layer.judging(this.#epoch);
      while (!judge(SLICE_ROWS)) yield;
    }
  }

  /** `offset`: of the part's first record. */
  *#enterRows(constraints: TopicConstraints, part: Part, p: number, offset: number): Generator<void> {
    const { topic } = constraints;
    const count = part.op === "batch" ? part.batch.length : part.rows.length;
    const named = part.op === "upsert" && part.hasRowId === true;
    for (let from = 0; from < count; from += SLICE_ROWS) {
      const to = Math.min(count, from + SLICE_ROWS);
      const batch = part.op === "batch" ? part.batch : batchOf(topic, part, from, to);
      const base = part.op === "batch" ? 0 : from;
      for (let r = from; r < to; r++) {
        if (part.op === "batch" && part.ops !== null && part.ops[r] === 1) {
          this.#enter(constraints, rowOf(batch, r), true, p, r);
          continue;
        }
        const row = rowOf(batch, r - base);
        try {
          constraints.checkRow(row);
        } catch (thrown) {
          throw thrown instanceof EvertError ? new RowRefusal(thrown, p, r) : thrown;
        }
        if (constraints.isUnique) {
          const whole = topic.hiddenRowId && !named ? [...row, BigInt(offset + r)] : row;
          this.#enter(constraints, whole, false, p, r);
        }
      }
      yield;
    }
  }

  *#enterDeletes(constraints: TopicConstraints, rows: readonly unknown[], path: string): Generator<void> {
    if (!constraints.isUnique) return;
    const { fields } = constraints.topic.schema;
    const key = constraints.table!.key;
    for (const [i, object] of rows.entries()) {
      if (i > 0 && i % SLICE_ROWS === 0) yield;
      const row: Datum[] = fields.map(() => null);
      for (const c of key) {
        const { name, type } = fields[c]!;
        row[c] = datumFromJson(type, (object as Record<string, unknown>)[name], `${path}[${i}].${name}`);
      }
      this.#enter(constraints, row, true);
    }
  }

  /** `part`, `index`: where the commit has it. */
  #enter(constraints: TopicConstraints, row: Row, isDelete: boolean, part?: number, index?: number): void {
    if (!constraints.isUnique) return;
    const table = constraints.table as TableRows;
    let layer = this.#layers.get(constraints);
    if (layer === undefined) this.#layers.set(constraints, (layer = constraints.layer()));
    const key = table.keyOf(row);
    layer.set(table.keyText(key), {
      key,
      row: isDelete ? null : row,
      ...(part === undefined || index === undefined ? {} : { part, index }),
    });
  }
}

function batchOf(topic: TopicEntry, part: Exclude<Part, { op: "batch" }>, from: number, to: number): Batch {
  const builder = new BatchBuilder(part.hasRowId === true ? topic.schema : visibleSchema(topic));
  builder.appendRows(part.rows, part.path, from, to);
  return builder.finish();
}

function rowOf(batch: Batch, r: number): Datum[] {
  return batch.columns.map((column) => datumAt(column, r));
}
